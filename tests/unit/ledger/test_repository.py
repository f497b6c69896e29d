"""The ledger's rows: every transition, every fence, and writes whose answer was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from logferry.errors import DeliveryError
from logferry.ledger.record import ExportRecord, RecordState
from logferry.ledger.repository import Ledger
from logferry.ledger.table import FencedError, Table
from logferry.models.request import ExportRequest, Window
from tests.unit.ledger.ledgers import DAY, LANDING, NOON, World, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(name="world")
def _world() -> Iterator[World]:
    with world() as made:
        yield made


class Double:
    """A DynamoDB client that does what it is told with some calls, and hands the others on."""

    def __init__(self, client: Any, **scripted: Any) -> None:
        self._client = client
        self._scripted = scripted

    def __getattr__(self, name: str) -> Any:
        return self._scripted.get(name) or getattr(self._client, name)


def failing(error: Exception) -> Callable[..., Any]:
    def call(**_: Any) -> Any:
        raise error

    return call


def repeating(call: Callable[..., Any]) -> Callable[..., Any]:
    """Carry a write out, lose its answer, and repeat it as the SDK does."""

    def twice(**arguments: Any) -> Any:
        call(**arguments)
        return call(**arguments)

    return twice


def unsure(world: World, *calls: str) -> Ledger:
    client = world.table._client  # noqa: SLF001 - the seam under test is the client
    scripted = {name: repeating(getattr(client, name)) for name in calls}
    return Ledger(Table(Double(client, **scripted), "ledger"), lambda: world.now)  # type: ignore[arg-type]


# ---- the way of one export


def test_a_row_says_in_clear_what_it_is_about(world: World) -> None:
    # Given an export
    request = world.request(filters={"has_errors": True, "call_ids": ["a", "b"]})
    # When it is claimed
    row = world.ledger.create(request, "one")
    # Then the row names owner, attempt and the request in clear
    assert (row.state, row.owner, row.attempt, row.claimed_at) == (RecordState.CLAIMED, "one", 1, NOON)
    assert row.item["request"] == request.identity()
    assert row.item["export_id"] == request.export_id
    # And reads back as it was written
    assert world.ledger.read(request) == row
    # And the registry knows its series
    assert list(world.ledger.series()) == [{"series_id": request.series_id, **request.series}]


def test_an_export_goes_from_claim_to_announcement(world: World) -> None:
    ledger = world.ledger
    row = ledger.create(world.request(), "one")
    # When a job is intended and accepted
    row = ledger.intend(row)
    assert (row.state, row.submits) == (RecordState.CLAIMED, 1)
    assert "intended_at" in row.item
    world.wait(seconds=3)
    row = ledger.submitted(row, "job-1", ready=False)
    assert (row.state, row.job_id, row.submitted_at) == (RecordState.SUBMITTED, "job-1", world.now)
    assert "intended_at" not in row.item
    # And polled, fetched and landed
    row = ledger.polled(row, 1)
    row = ledger.polled(row, 2)
    assert row.polls == 2
    row = ledger.fetching(row)
    world.wait(seconds=3)
    row = ledger.landed(row, LANDING)
    assert (row.state, row.landed, row.notified) == (RecordState.LANDED, True, False)
    assert row.item["landed_at"] == "2026-11-20T12:00:06Z"
    assert {name: row.item[name] for name in LANDING} == LANDING
    # And announced
    assert ledger.notified(row).notified
    # Then the row that is read says all of it
    assert world.row().notified


def test_a_failure_counts_once_an_attempt(world: World) -> None:
    row = world.submitted("one")
    # When an attempt is given up twice
    ledger = world.ledger
    ledger.failed(row, "ExportFailedError", "why", keep_job=False)
    again = ledger.failed(world.row(), "ExportFailedError", "why", keep_job=False)
    # Then it counts once, and the dead job is forgotten
    assert (again.state, again.failures, again.job_id, again.submitted_at) == (
        RecordState.FAILED,
        1,
        None,
        None,
    )
    assert (again.item["error"], again.item["cause"]) == ("ExportFailedError", "why")
    # And the next attempt counts anew
    world.die("one")
    _, row = world.claim("two")
    assert "error" not in row.item
    assert ledger.failed(row, "DeliveryError", "why", keep_job=True).failures == 2


def test_a_landing_ends_the_count_of_failures(world: World) -> None:
    row = world.submitted("one")
    world.ledger.failed(row, "DeliveryError", "", keep_job=True)
    world.die("one")
    _, row = world.claim("two")
    assert world.ledger.landed(world.ledger.fetching(row), LANDING).failures == 0


@pytest.mark.parametrize("keep", [True, False])
def test_a_job_is_kept_only_where_it_is_said(world: World, *, keep: bool) -> None:
    row = world.ledger.failed(world.submitted("one"), "SomeError", "", keep_job=keep)
    assert row.job_id == ("job-1" if keep else None)
    assert row.submitted_at == (NOON if keep else None)


def test_a_refresh_that_fails_leaves_the_landing(world: World) -> None:
    # Given an export that has landed and was announced, and a refresh of it at work
    world.ledger.notified(world.landed("one"))
    world.die("one")
    row = world.submitted("two", "job-2", refresh=True)
    assert (row.state, row.landed, row.notified) == (RecordState.SUBMITTED, True, True)
    # When the refresh fails
    row = world.ledger.failed(row, "ExportFailedError", "", keep_job=False)
    # Then the export is still the landed one
    assert (row.state, row.notified, row.item["key"]) == (RecordState.LANDED, True, LANDING["key"])


def test_a_new_landing_has_to_be_announced_anew(world: World) -> None:
    world.ledger.notified(world.landed("one"))
    world.die("one")
    assert not world.landed("two", refresh=True).notified


# ---- nonces


def test_each_fetch_draws_a_nonce_and_a_landing_ends_them(world: World) -> None:
    # Given nonces that are drawn from a list
    drawn = iter("abc")
    ledger = Ledger(world.table, lambda: world.now, lambda: next(drawn))
    row = world.submitted("one")
    assert (row.nonces, row.nonces_since) == ((), 1)
    # When it is fetched twice, and once more by the next attempt
    ledger.fetching(ledger.fetching(row))
    ledger.failed(world.row(), "DeliveryError", "", keep_job=True)
    world.die("one")
    _, row = world.claim("two")
    row = ledger.fetching(row)
    # Then the row has all of them
    assert (row.nonces, row.nonces_since) == (("a", "b", "c"), 1)
    # And none once it has landed, nor when what landed is announced
    row = ledger.fetching(ledger.landed(row, LANDING))
    assert "nonces" not in row.item


def test_a_row_keeps_the_newest_nonces(world: World) -> None:
    row = ExportRecord({**world.submitted("one").item, "nonces": [str(number) for number in range(1000)]})
    nonces = world.ledger.fetching(row).nonces
    assert (len(nonces), nonces[0]) == (1000, "1")
    assert len(nonces[-1]) == 32


def test_attempts_of_the_release_before_are_told_apart(world: World) -> None:
    # Given a row as the release before wrote it
    item = {name: value for name, value in world.submitted("one").item.items() if name != "nonces_since"}
    world.table.put(item)
    # Then none of its objects has a nonce, and all of the next attempt's do
    assert world.row().nonces_since == 2
    world.die("one")
    _, row = world.claim("two")
    assert (row.attempt, row.nonces_since) == (2, 2)
    world.die("two")
    assert world.claim("three")[1].nonces_since == 2


# ---- fences


def write(name: str, ledger: Ledger, row: ExportRecord) -> ExportRecord:
    """Do one kind of write with a row as it was read."""
    match name:
        case "submitted":
            return ledger.submitted(row, "job-9", ready=False)
        case "polled":
            return ledger.polled(row, 1)
        case "landed":
            return ledger.landed(row, LANDING)
        case "cut":
            return ledger.cut(row, "the vendor gave its limit")
        case "failed":
            return ledger.failed(row, "SomeError", "", keep_job=False)
    return ExportRecord(getattr(ledger, name)(row).item)


WRITES = {
    "intend": {RecordState.CLAIMED},
    "retract": {RecordState.CLAIMED},
    "submitted": {RecordState.CLAIMED},
    "polled": {RecordState.SUBMITTED},
    "fetching": {RecordState.SUBMITTED, RecordState.LANDED},
    "landed": {RecordState.SUBMITTED},
    "cut": {RecordState.SUBMITTED},
    "notified": {RecordState.LANDED},
    "failed": {RecordState.CLAIMED, RecordState.SUBMITTED, RecordState.FAILED},
    "released": {RecordState.FAILED, RecordState.LANDED, RecordState.CUT},
}


def in_state(world: World, state: RecordState) -> ExportRecord:
    if state is RecordState.CLAIMED:
        return world.claim("one")[1]
    if state is RecordState.SUBMITTED:
        return world.submitted("one")
    if state is RecordState.LANDED:
        return world.landed("one")
    if state is RecordState.CUT:
        return world.ledger.cut(world.submitted("one"), "the vendor gave its limit")
    return world.ledger.failed(world.submitted("one"), "SomeError", "", keep_job=True)


@pytest.mark.parametrize("state", RecordState)
@pytest.mark.parametrize("name", WRITES)
def test_a_write_is_possible_in_its_states_only(world: World, name: str, state: RecordState) -> None:
    row = in_state(world, state)
    before = world.row()
    world.wait(seconds=1)
    if state in WRITES[name]:
        assert write(name, world.ledger, row) == world.row()
    else:
        with pytest.raises(FencedError):
            write(name, world.ledger, row)
        assert world.row() == before


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("changed", [{"owner": "two"}, {"attempt": 2}])
def test_every_write_is_fenced_by_owner_and_attempt(world: World, name: str, changed: dict[str, Any]) -> None:
    # Given a row that another execution, or a later attempt, owns by now
    row = in_state(world, min(WRITES[name]))
    other = ExportRecord({**row.item, **changed})
    # When the earlier one writes, then nothing is written
    with pytest.raises(FencedError):
        write(name, world.ledger, other)
    assert world.row() == row


@pytest.mark.parametrize("name", ["intend", "fetching"])
def test_of_two_calls_at_once_one_goes_on(world: World, name: str) -> None:
    # Given two calls of one execution that read the same row
    row = in_state(world, min(WRITES[name]))
    write(name, world.ledger, row)
    world.wait(microseconds=1)
    # When the second one writes too, then it is fenced off
    with pytest.raises(FencedError):
        write(name, world.ledger, row)


def test_a_call_of_fetch_that_was_overtaken_cannot_land(world: World) -> None:
    # Given a call of fetch, and a later one of the same execution
    early = world.ledger.fetching(world.submitted("one"))
    world.wait(minutes=15)
    late = world.ledger.fetching(world.row())
    # When the earlier one lands, then it is fenced off, and the later one is not
    with pytest.raises(FencedError):
        world.ledger.landed(early, LANDING)
    assert world.ledger.landed(late, LANDING).landed


def test_two_first_claims_give_one_row(world: World) -> None:
    world.ledger.create(world.request(), "one")
    with pytest.raises(FencedError):
        world.ledger.create(world.request(), "two")
    assert world.row().owner == "one"


# ---- answers that were lost


@pytest.mark.parametrize("name", [*WRITES, "take"])
def test_a_write_whose_answer_was_lost_is_known_for_our_own(world: World, name: str) -> None:
    # Given an SDK that repeats each update after it was carried out
    row = in_state(world, min(WRITES.get(name, {RecordState.FAILED})))
    world.wait(seconds=1)
    ledger = unsure(world, "update_item")
    # When a row is changed, then the change is taken for what it is
    if name == "take":
        changed = ledger.take(row, "two", state=RecordState.CLAIMED, refresh=False)
    else:
        changed = write(name, ledger, row)
    assert changed == world.row()


def test_a_first_claim_whose_answer_was_lost_is_known_for_our_own(world: World) -> None:
    assert unsure(world, "put_item").create(world.request(), "one") == world.row()


def test_the_same_count_of_another_owner_is_not_our_own_write(world: World) -> None:
    # Given a job that another execution has adopted, with as many polls as we are about to write
    ours = world.ledger.polled(world.submitted("one"), 1)
    world.die("one")
    world.wait(seconds=1)
    world.claim("two")
    # When we write that count, then we are fenced off all the same
    with pytest.raises(FencedError):
        world.ledger.polled(ours, 1)


# ---- failures of DynamoDB


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "GetItem"),
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetItem"),
        EndpointConnectionError(endpoint_url="https://dynamodb"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("call", ["get_item", "put_item", "update_item"])
def test_a_failure_of_the_table_is_a_delivery_error(world: World, error: Exception, call: str) -> None:
    row = world.submitted("one")
    client: Any = Double(world.table._client, **{call: failing(error)})  # noqa: SLF001
    ledger = Ledger(Table(client, "ledger"), lambda: NOON)
    calls: dict[str, Callable[[], object]] = {
        "get_item": lambda: ledger.read(world.request()),
        "put_item": lambda: ledger.announce_failure("one"),
        "update_item": lambda: ledger.polled(row, 1),
    }
    with pytest.raises(DeliveryError, match="DynamoDB"):
        calls[call]()


# ---- reading


def test_the_rows_of_a_series_come_in_the_order_of_their_windows(world: World) -> None:
    # Given windows of one series, claimed in any order, and another series
    spans = [Window(DAY.start.replace(day=day), DAY.start.replace(day=day + 1)) for day in (20, 3, 11)]
    for span in spans:
        world.ledger.create(world.request(window=span), "one")
    world.ledger.create(world.request(target={"folder": "other"}), "one")
    # When the series is read
    rows = list(world.ledger.rows(world.request().series_id))
    # Then its rows come by time
    assert [row.item["window"][:10] for row in rows] == ["2026-11-03", "2026-11-11", "2026-11-20"]
    # And a part of it on demand
    part = world.ledger.rows(world.request().series_id, "2026-11-05", "2026-11-12")
    assert [row.item["window"][:10] for row in part] == ["2026-11-11"]
    # And the newest first
    newest = next(world.ledger.rows(world.request().series_id, newest_first=True))
    assert newest.item["window"][:10] == "2026-11-20"


def test_calls_of_one_service_are_one_series(world: World) -> None:
    def call(call_id: str, index: int | None = None) -> ExportRequest:
        target = {"call_id": call_id} | ({} if index is None else {"index": index})
        return ExportRequest("a-source", "acme", target, item=("call_id", "index"))

    for request in (call("a"), call("a", 0), call("b")):
        world.ledger.create(request, "one")
    rows = world.ledger.rows(call("c").series_id)
    assert [row.item["window"] for row in rows] == ["call/a/", "call/a/0", "call/b/"]


def test_an_announced_failure_is_known_and_forgotten_by_itself(world: World) -> None:
    assert not world.ledger.failure_announced("one")
    world.ledger.announce_failure("one")
    assert world.ledger.failure_announced("one")
    assert not world.ledger.failure_announced("two")
    mark = world.table.get("execution/one", "failure")
    assert mark is not None
    assert mark["expires_at"] == int(NOON.timestamp()) + 90 * 86400
