"""Who may work on an export: races, dead owners, adoption, doubts, refreshes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from logferry.errors import DeliveryError
from logferry.ledger.claims import ClaimResult
from logferry.ledger.record import RecordState
from logferry.ledger.table import FencedError
from tests.unit.ledger.ledgers import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(name="world")
def _world() -> Iterator[World]:
    with world() as made:
        yield made


# ---- one at a time


def test_the_first_one_works(world: World) -> None:
    verdict, row = world.claim("one")
    assert (verdict, row.owner, row.attempt, row.state) == (ClaimResult.WORK, "one", 1, RecordState.CLAIMED)


def test_the_same_execution_passes_again_and_is_no_new_attempt(world: World) -> None:
    _, first = world.claim("one")
    assert world.claim("one") == (ClaimResult.WORK, first)
    submitted = world.ledger.submitted(world.ledger.intend(first), "job-1", ready=False)
    assert world.claim("one") == (ClaimResult.WORK, submitted)


@pytest.mark.parametrize("submitted", [False, True])
def test_another_one_is_told_who_works(world: World, *, submitted: bool) -> None:
    if submitted:
        world.submitted("one")
    else:
        world.claim("one")
    # However long ago that was: whether the owner runs decides, no clock does
    world.wait(days=3)
    verdict, row = world.claim("two")
    assert (verdict, row.owner, row.attempt) == (ClaimResult.DUPLICATE, "one", 1)


def test_of_fifty_at_once_one_works(world: World) -> None:
    names = [f"execution {number}" for number in range(50)]
    world.alive.update(names)
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda name: world.claim(name)[0], names))
    assert verdicts.count(ClaimResult.WORK) == 1
    assert verdicts.count(ClaimResult.DUPLICATE) == 49
    assert world.row().attempt == 1


def test_of_many_heirs_at_once_one_works(world: World) -> None:
    # Given a job of an execution that died
    world.submitted("dead")
    world.die("dead")
    names = [f"execution {number}" for number in range(20)]
    world.alive.update(names)
    # When many want it at once
    with ThreadPoolExecutor(8) as pool:
        settled = list(pool.map(world.claim, names))
    # Then one adopts the job
    assert [row.job_id for verdict, row in settled if verdict is ClaimResult.WORK] == ["job-1"]
    assert world.row().attempt == 2


def test_an_owner_that_moves_on_while_we_look_is_not_robbed(world: World) -> None:
    # Given an execution that lands, announces and ends between our read and our question whether it runs
    row = world.ledger.fetching(world.submitted("one"))

    def ends(name: str) -> bool:
        world.ledger.notified(world.ledger.landed(row, {"key": "k"}))
        world.die(name)
        return False

    # When we settle, then we see what it did
    verdict, row = world.claim("two", alive=ends)
    assert (verdict, row.owner, row.state) == (ClaimResult.LANDED, "one", RecordState.LANDED)


def test_a_row_that_never_rests_is_an_error_that_is_retried(world: World) -> None:
    # Given a row whose owner changes between each read and write
    world.submitted("one")
    names = iter(f"restless {number}" for number in range(100))

    def restless(_: str) -> bool:
        world.ledger.take(world.row(), next(names), state=RecordState.SUBMITTED, refresh=False)
        return False

    with pytest.raises(DeliveryError, match="start it again"):
        world.claim("two", alive=restless)


def test_one_that_was_taken_over_cannot_write_any_more(world: World) -> None:
    row = world.submitted("one")
    world.die("one")
    world.claim("two")
    for write in (world.ledger.fetching, world.ledger.notified):
        with pytest.raises(FencedError):
            write(row)


# ---- what a dead or failed execution left


@pytest.mark.parametrize("failed", [False, True])
def test_a_job_is_adopted_with_its_counts(world: World, *, failed: bool) -> None:
    row = world.ledger.polled(world.submitted("one"), 7)
    if failed:
        world.ledger.failed(row, "ExportTimedOutError", "", keep_job=True)
    world.die("one")
    submitted_at = world.now
    world.wait(hours=23, minutes=59)
    verdict, row = world.claim("two")
    assert (verdict, row.state, row.job_id) == (ClaimResult.WORK, RecordState.SUBMITTED, "job-1")
    assert (row.attempt, row.polls, row.submits, row.submitted_at) == (2, 7, 1, submitted_at)
    # And deadlines count from the new claim
    assert row.claimed_at == world.now


def test_a_failed_owner_is_inherited_although_it_still_runs(world: World) -> None:
    # Given an execution that has written its failure and is about to end
    world.ledger.failed(world.submitted("one"), "DeliveryError", "", keep_job=True)
    assert world.claim("two")[1].job_id == "job-1"


@pytest.mark.parametrize(("adopt", "hours"), [(24, 24), (24, 30), (0, 0)])
def test_a_job_that_is_too_old_is_not_adopted(world: World, adopt: float, hours: float) -> None:
    world.submitted("one")
    world.die("one")
    world.wait(hours=hours)
    verdict, row = world.claim("two", adopt=adopt)
    # Then a new one may be asked for, with all its tries
    assert (verdict, row.state, row.submits, row.submitted_at) == (
        ClaimResult.WORK,
        RecordState.CLAIMED,
        0,
        None,
    )
    # And the row still names the old one until it is released or replaced
    assert row.job_id == "job-1"
    assert world.claim("two", adopt=adopt)[1].job_id == "job-1"
    row = world.ledger.submitted(world.ledger.intend(row), "job-2", ready=False)
    assert (row.job_id, row.submits) == ("job-2", 1)


def test_a_job_that_was_dropped_is_never_adopted_later(world: World) -> None:
    # Given a refresh that dropped a young job and died before it had one of its own
    world.submitted("one")
    world.die("one")
    world.claim("two", refresh=True)
    world.die("two")
    # When a usual run comes, then it begins afresh
    verdict, row = world.claim("three")
    assert (verdict, row.state, row.submitted_at) == (ClaimResult.WORK, RecordState.CLAIMED, None)


def test_a_failed_export_without_a_job_begins_afresh(world: World) -> None:
    world.ledger.failed(world.submitted("one"), "ExportFailedError", "", keep_job=False)
    verdict, row = world.claim("two")
    assert (verdict, row.state, row.job_id, row.submits) == (ClaimResult.WORK, RecordState.CLAIMED, None, 0)


def test_a_submit_in_doubt_stays_counted_for_the_heir(world: World) -> None:
    # Given an execution that died between its POST and the reply
    _, row = world.claim("one")
    world.ledger.intend(row)
    world.die("one")
    # When the next one takes over, then it knows that a job may be there
    verdict, row = world.claim("two")
    assert (verdict, row.state, row.submits) == (ClaimResult.WORK, RecordState.CLAIMED, 1)
    assert "intended_at" in row.item


def test_a_submit_that_certainly_started_nothing_is_no_doubt(world: World) -> None:
    _, row = world.claim("one")
    world.ledger.retract(world.ledger.intend(row))
    world.die("one")
    _, row = world.claim("two")
    assert row.submits == 0
    assert "intended_at" not in row.item


# ---- landed


def test_what_has_landed_and_was_announced_is_left_alone(world: World) -> None:
    row = world.ledger.notified(world.landed("one"))
    for name in ("one", "two"):
        assert world.claim(name) == (ClaimResult.LANDED, row)


def test_a_landing_that_nobody_was_told_of_is_announced_by_the_next(world: World) -> None:
    world.landed("one")
    # While its owner runs, that one announces it
    assert world.claim("two")[0] is ClaimResult.DUPLICATE
    assert world.claim("one")[0] is ClaimResult.ANNOUNCE
    # Afterwards the next one does
    world.die("one")
    verdict, row = world.claim("two")
    assert (verdict, row.state, row.owner) == (ClaimResult.ANNOUNCE, RecordState.LANDED, "two")


def test_a_submit_that_is_repeated_before_the_announcement_still_announces(world: World) -> None:
    # Given an execution that took a landing over to announce it
    world.landed("one")
    world.die("one")
    first = world.claim("two")
    # When its submit is called again, then it is no duplicate of itself
    assert world.claim("two") == first
    assert first[0] is ClaimResult.ANNOUNCE


# ---- refresh


def test_a_refresh_begins_afresh_on_what_has_landed(world: World) -> None:
    world.ledger.notified(world.landed("one"))
    verdict, row = world.claim("two", refresh=True)
    assert (verdict, row.state, row.submits, row.attempt) == (ClaimResult.WORK, RecordState.CLAIMED, 0, 2)
    assert row.landed


def test_a_refresh_adopts_no_earlier_job(world: World) -> None:
    world.submitted("one")
    world.die("one")
    _, row = world.claim("two", refresh=True)
    assert (row.state, row.submits, row.submitted_at) == (RecordState.CLAIMED, 0, None)


def test_a_refresh_waits_for_no_other_but_does_not_rob_it(world: World) -> None:
    world.submitted("one")
    assert world.claim("two", refresh=True)[0] is ClaimResult.DUPLICATE
    # Nor one that is about to announce
    world.ledger.landed(world.ledger.fetching(world.row()), {"key": "k"})
    assert world.claim("two", refresh=True)[0] is ClaimResult.DUPLICATE


def test_the_retries_of_a_refresh_land_once(world: World) -> None:
    # Given a refresh that has landed
    world.ledger.notified(world.landed("one"))
    world.die("one")
    row = world.landed("two", refresh=True)
    # When its submit is called again, before and after the announcement
    assert world.claim("two", refresh=True) == (ClaimResult.ANNOUNCE, row)
    row = world.ledger.notified(row)
    assert world.claim("two", refresh=True) == (ClaimResult.LANDED, row)
    # Then only another refresh begins afresh
    assert world.claim("three", refresh=True)[0] is ClaimResult.WORK


def test_a_refresh_that_died_leaves_the_landing_to_the_next(world: World) -> None:
    # Given a landing, and a refresh of it that died with a job
    world.ledger.notified(world.landed("one"))
    world.die("one")
    world.submitted("two", "job-2", refresh=True)
    world.die("two")
    # When a usual run comes, then the landing is good, and the job is there to be released
    verdict, row = world.claim("three")
    assert (verdict, row.state, row.job_id, row.landed) == (
        ClaimResult.ANNOUNCE,
        RecordState.LANDED,
        "job-2",
        True,
    )
    # And another refresh would not adopt it
    world.die("three")
    assert world.claim("four", refresh=True)[1].state is RecordState.CLAIMED


def test_a_refresh_whose_predecessor_was_never_announced_does_not_wait_for_itself(world: World) -> None:
    # Given a landing that nobody was told of, which a refresh took over and lost
    world.landed("one")
    world.die("one")
    _, row = world.claim("two", refresh=True)
    world.ledger.failed(row, "DeliveryError", "", keep_job=False)
    # When that execution is redriven, then it works again
    assert world.claim("two", refresh=True)[0] is ClaimResult.WORK


def test_a_job_from_the_future_is_adopted(world: World) -> None:
    # Given clocks that differ: the job was submitted in our future
    world.submitted("one")
    world.die("one")
    world.wait(hours=-1)
    assert world.claim("two")[1].job_id == "job-1"


def test_a_refresh_that_another_collection_made_meanwhile_is_not_made_again(world: World) -> None:
    # Given a landing that two collections planned to refresh as the second attempt, and one of them did
    world.ledger.notified(world.landed("first"))
    name = f"arn:aws:states:eu-west-2:1:execution:export:{world.request().export_id}-2"
    world.ledger.notified(world.landed(name, refresh=True))
    # When the other comes to it, under the name that says which attempt it planned
    verdict, _ = world.claim(f"{name}-0a1b2c3d", refresh=True)
    # Then there is nothing to do; a refresh by hand is made all the same
    assert verdict == ClaimResult.LANDED
    assert world.claim("by-hand", refresh=True)[0] == ClaimResult.WORK
