"""The sources: what is found, what any reply at all is read as, and how a seventh one is added."""

from __future__ import annotations

import ast
import json
import re
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

import logferry
from logferry.errors import InvalidRequestError, LogferryError, SubmitUncertainError, Throttled
from logferry.export.validation import export_request
from logferry.models.job import Download, FileKind, Job, JobState, JobStatus
from logferry.sources import _spark as spark
from logferry.sources.registry import source_named, source_names
from logferry.vendor import auth as access
from logferry.vendor import client as api
from logferry.vendor.auth import Access
from logferry.vendor.client import Api
from logferry.vendor.transport import Reply, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logferry.sources.base import Source

ROOT = Path(__file__).parents[3]
PACKAGE = Path(logferry.__file__).parent
SOURCES = source_names()
TOKEN = Reply(200, {}, b'{"access_token": "abc", "expires_in": 300}')

AUTH: dict[str, dict[str, str]] = {
    "client_credentials": {"client_id": "us", "client_secret": "hush-hush"},
    "bearer": {"token": "hush-hush"},
    "api_key": {"key": "hush-hush"},
    "uaa": {"api_key": "hush-hush"},
}


def job_of(source: Source) -> Job:
    example = json.loads((ROOT / "statemachine" / "examples" / f"{source.name}.json").read_text())
    return Job("ebcbf840-df82-472a-b9d4-073f14f4320b", export_request(example))


def api_of(source: Source, kind: str | None = None) -> Api:
    kind = kind or next(iter(source.auth))
    secret = {
        "base_url": "https://api.example.com",
        source.account: "acme",
        "auth": {"type": kind, **AUTH[kind]},
    }
    return Api(Access("acme", source.rules, lambda *_, **__: json.dumps(secret), {}), source.permission)


class Line:
    """A vendor that answers everything with one reply, or with what a function says."""

    def __init__(self, reply: Reply | Exception | Callable[..., Reply]) -> None:
        self.reply = reply
        self.urls: list[str] = []

    def __call__(self, _method: str, url: str, **_: Any) -> Reply:
        self.urls.append(url)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply if isinstance(self.reply, Reply) else self.reply(url)


def answered(reply: Reply | Exception, do: Callable[[], Any]) -> Any:
    """Do something while the vendor answers so; give the result, or the named error."""
    with patch.object(api, "send", Line(reply)), patch.object(access, "send", Line(TOKEN)):
        try:
            return do()
        except (LogferryError, Throttled) as error:
            return error


def of(document: Any) -> Reply:
    return Reply(200, CaseInsensitiveDict(), json.dumps(document).encode())


# ---- any reply at all

KEYS = (
    *("status", "response_data", "progress", "download_url", "error", "last_error_message", "job_id", "id"),
    *("outputs", "files", "file", "file_hash", "message", "error_type", "error_category", "access_token"),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**320)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["null", "100", "Success", "Failed", "https://x.example.com/y", "\ud800", " ", ".."])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=15,
)
ENVELOPES = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)
DEEP = st.sampled_from([b"[" * 100_000, b'{"response_data":' * 50_000, b'"' + b"[" * 100_000 + b'"'])
BODIES = (
    ENVELOPES.map(lambda document: json.dumps(document).encode())
    | JSON.map(lambda document: json.dumps(document).encode())
    | JSON.map(lambda document: json.dumps({"response_data": json.dumps(document)}).encode())
    | st.binary(max_size=50)
    | DEEP
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "x-retry-after", "Content-Type"]), st.text(max_size=10), max_size=2
)
REPLIES = st.builds(
    Reply,
    st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 503])
    | st.integers(100, 999),
    HEADERS.map(CaseInsensitiveDict),
    BODIES,
) | st.builds(Reply, st.just(200), st.just({}), BODIES)


@pytest.mark.parametrize("name", SOURCES)
@given(reply=REPLIES)
@settings(max_examples=40, deadline=None)
def test_any_reply_has_a_meaning(name: str, reply: Reply) -> None:
    source = source_named(name)
    job, line = job_of(source), api_of(source)
    # When the vendor answers anything at all to a status request
    status = answered(reply, lambda: source.poll(job, line))
    # Then that is one of our states, unknown, or a named error
    assert status is None or isinstance(status, LogferryError | Throttled | JobStatus)
    if isinstance(status, JobStatus):
        assert isinstance(status.state, JobState)
        assert status.progress is None or 0 <= status.progress <= 100
        json.dumps(status.message).encode()


@pytest.mark.parametrize("name", SOURCES)
@given(reply=REPLIES)
@settings(max_examples=40, deadline=None)
def test_any_reply_to_a_submit_is_a_job_or_a_named_error(name: str, reply: Reply) -> None:
    source = source_named(name)
    request, line = job_of(source).request, api_of(source)
    job = answered(reply, lambda: source.submit(request, line))
    assert isinstance(job, LogferryError | Throttled | Job)
    # And a job has an id that goes into a URL and into the state
    if isinstance(job, Job):
        assert len(json.dumps(job.id)) < 4096
        line.url("status", job.id).encode("ascii")


@pytest.mark.parametrize("name", SOURCES)
@given(reply=REPLIES)
@settings(max_examples=40, deadline=None)
def test_any_reply_to_the_question_for_files_is_files_or_a_named_error(name: str, reply: Reply) -> None:
    source = source_named(name)
    job, line = job_of(source), api_of(source)
    found = answered(reply, lambda: list(source.downloads(job, line)))
    if not isinstance(found, LogferryError | Throttled):
        assert found
        assert all(isinstance(each, Download) and (each.url or each.content) for each in found)
        # And where the bytes came with the reply, they are what their kind says
        for each in found:
            if each.content is not None and source.kind is FileKind.JSON:
                json.loads(each.content)
    assert not isinstance(answered(reply, lambda: source.delete(job, line)), Reply)


HALF = "\ud800"
NASTY = [
    *(
        {"response_data": {"job_id": each}, "id": each}
        for each in (HALF, "..", ".", "a\nb", "ä", "x" * 9999, " ")
    ),
    {"response_data": json.dumps({"a": HALF})},
    {"response_data": {"a": HALF, "download_url": HALF}},
    {"response_data": f'{{"a": "{HALF}"}}'},
    {"response_data": "[" * 100_000},
    {"response_data": json.dumps(10**400)},
    {"response_data": "9" * 5000},
    {"outputs": {"files": [{"file": HALF, "file_hash": HALF}]}, "status": "Success"},
    {"error": {"message": HALF}, "response_data": {}},
    {"error": {"message": [HALF]}},
]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("document", NASTY)
def test_replies_that_cannot_be_encoded_have_a_meaning_too(name: str, document: Any) -> None:
    source = source_named(name)
    job, line = job_of(source), api_of(source)
    status = answered(of(document), lambda: source.poll(job, line))
    assert isinstance(status, JobStatus)
    (status.message or "").encode()
    submitted = answered(of(document), lambda: source.submit(job.request, line))
    if isinstance(submitted, Job):
        assert submitted.id.isascii()
        line.url(submitted.id)
    found = answered(of(document), lambda: list(source.downloads(job, line)))
    for each in found if isinstance(found, list) else ():
        if each.content:
            json.loads(each.content, parse_int=len)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("sent", [True, False])
def test_no_reply_to_a_submit_is_in_doubt_only_once_it_was_sent(name: str, *, sent: bool) -> None:
    source = source_named(name)
    request, line = job_of(source).request, api_of(source)
    error = answered(UnansweredError("it did not answer", sent=sent), lambda: source.submit(request, line))
    if not isinstance(error, Job):
        assert type(error).__name__ == ("SubmitUncertainError" if sent else "SourceUnavailableError")


# ---- the words of Spark's jobs


def check(name: str, document: Any) -> JobStatus:
    source = source_named(name)
    job, line = job_of(source), api_of(source)
    status = answered(of(document), lambda: source.poll(job, line))
    assert isinstance(status, JobStatus)
    return status


URL = "https://environment.coherent.global/x.zip"
LOG = [
    ({"status": None, "response_data": {"progress": 100, "download_url": URL}, "error": None}, "READY"),
    ({"status": None, "response_data": {"progress": 100, "download_url": None}, "error": None}, "RUNNING"),
    ({"status": None, "response_data": {"progress": 100}}, "RUNNING"),
    ({"response_data": {"progress": "100", "download_url": URL}}, "READY"),
    ({"response_data": {"progress": 130, "download_url": URL}}, "READY"),
    ({"response_data": {"progress": None, "download_url": URL}}, "READY"),
    ({"response_data": {"progress": 40, "download_url": URL}}, "RUNNING"),
    ({"response_data": {"progress": 40, "last_error_message": "null"}}, "RUNNING"),
    ({"response_data": {"progress": 0}, "error": {}}, "RUNNING"),
    ({"response_data": {"progress": 0}, "error": {"message": None, "error_type": ""}}, "RUNNING"),
    ({"response_data": {"progress": 0}, "error": []}, "RUNNING"),
    ({"response_data": {"progress": 0}, "error": 0}, "RUNNING"),
    ({"response_data": {"progress": 100, "download_url": URL}, "error": {"message": "no"}}, "FAILED"),
    ({"response_data": {"progress": 100, "last_error_message": "disk full"}}, "FAILED"),
    ({"response_data": {"progress": 100, "status": "Failed"}}, "FAILED"),
    ({"status": "Error", "response_data": None}, "FAILED"),
    ({"response_data": None, "error": True}, "FAILED"),
    ({"response_data": None}, "MALFORMED"),
    ({"response_data": {}}, "MALFORMED"),
    ({"response_data": []}, "MALFORMED"),
    ({}, "MALFORMED"),
    ([], "MALFORMED"),
    ("READY", "MALFORMED"),
    (None, "MALFORMED"),
]
EVENTS = [
    ({"status": "Success", "outputs": {"files": [{"file": URL, "file_hash": None}]}}, "READY"),
    ({"status": "completed", "outputs": {"files": [{"file": URL}]}}, "READY"),
    ({"status": "Success", "download_url": URL}, "READY"),
    ({"status": "Success", "outputs": None}, "RUNNING"),
    ({"status": "InProgress", "outputs": {"files": [{"file": URL}]}}, "RUNNING"),
    ({"status": None}, "RUNNING"),
    ({"status": "failed"}, "FAILED"),
    ({"status": "Cancelled"}, "FAILED"),
    ({"status": "InProgress", "error": {"message": "no"}}, "FAILED"),
    ({"object": "events"}, "MALFORMED"),
    ([], "MALFORMED"),
]


@pytest.mark.parametrize("name", ["spark-log-csv", "spark-log-json"])
@pytest.mark.parametrize(("document", "state"), LOG)
def test_a_log_job_is_what_its_reply_says(name: str, document: Any, state: str) -> None:
    assert check(name, document).state == state


@pytest.mark.parametrize(("document", "state"), EVENTS)
def test_an_events_job_is_what_its_reply_says(document: Any, state: str) -> None:
    assert check("spark-events", document).state == state


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"message": "disk full"}, "disk full"),
        ({"message": None, "error_type": "DOWNLOAD_FAILED"}, "DOWNLOAD_FAILED"),
        ("disk full", "disk full"),
        (17, "an error without words"),
        ({"code": 17}, "an error without words"),
        (["x"], "an error without words"),
    ],
)
def test_the_vendors_own_words_are_kept(error: Any, words: str) -> None:
    assert check("spark-log-csv", {"response_data": {"progress": 1}, "error": error}).message == words


def test_words_are_cut_short_and_hold_no_url() -> None:
    words = f"see https://files.example.com/a?sig=SECRET {'x ' * 4000}"
    message = check("spark-log-csv", {"error": words, "response_data": {"progress": 1}}).message or ""
    assert len(message) < 1024
    assert "SECRET" not in message


@pytest.mark.parametrize(
    ("value", "progress"),
    [
        *((0, 0), (100, 100), ("55.5", 55.5), (-3, 0), (250, 100), (None, None), (True, None)),
        *((float("nan"), None), (float("inf"), None), ("soon", None), ([], None), (10**400, None)),
    ],
)
def test_progress_is_a_percentage_or_nothing(value: Any, progress: float | None) -> None:
    assert spark.progress_of(value) == progress


@pytest.mark.parametrize(
    ("time", "earlier", "later"),
    [
        ("2026-11-18T00:00:00+00:00", "2026-11-18T00:00:00.000Z", "2026-11-18T00:00:00.000Z"),
        ("2026-11-18T00:00:00+01:00", "2026-11-17T23:00:00.000Z", "2026-11-17T23:00:00.000Z"),
        ("2026-11-18T00:00:00.853001+00:00", "2026-11-18T00:00:00.853Z", "2026-11-18T00:00:00.854Z"),
        ("2026-11-18T23:59:59.999999+00:00", "2026-11-18T23:59:59.999Z", "2026-11-19T00:00:00.000Z"),
    ],
)
def test_a_window_is_never_narrowed_by_its_spelling(time: str, earlier: str, later: str) -> None:
    moment = datetime.fromisoformat(time)
    assert spark.moment(moment) == earlier
    assert spark.moment(moment, later=True) == later


def test_only_a_file_hash_that_is_text_is_kept() -> None:
    source = source_named("spark-events")
    files = [{"file": "https://x.example.com/1", "file_hash": hash_} for hash_ in ("ab", None, 7, "")]
    document = {"status": "Success", "outputs": {"files": [*files, {"file": None}, "x", None]}}
    found = answered(of(document), lambda: list(source.downloads(job_of(source), api_of(source))))
    assert [each.file_hash for each in found] == ["ab", None, None, None]


# ---- a call's record


@pytest.mark.parametrize(
    ("text", "lands"),
    [
        ('{"a": 1.10, "b": 1e400}', '{"a": 1.10, "b": 1e400}'),
        ('{"name": "Prämie"}', '{"name": "Prämie"}'),
        ("[1, 2]", "[1, 2]"),
        ("not JSON", '"not JSON"'),
    ],
)
def test_a_record_lands_as_the_vendor_wrote_it(text: str, lands: str) -> None:
    # Given a record, a JSON document inside a string
    source = source_named("spark-call")
    reply = of({"status": "Success", "response_data": text})
    # When it is fetched
    [download] = answered(reply, lambda: list(source.downloads(job_of(source), api_of(source))))
    # Then no digit of it has changed
    assert (download.content or b"").decode().strip() == lands


@pytest.mark.parametrize("data", [None, "", "  ", "null", {}, []])
def test_a_call_without_a_record_is_no_empty_file(data: Any) -> None:
    source = source_named("spark-call")
    error = answered(
        of({"response_data": data}), lambda: list(source.downloads(job_of(source), api_of(source)))
    )
    assert isinstance(error, InvalidRequestError)
    assert "keeps no record" in str(error)


# ---- hosts


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://excel.uat.us.coherent.global", "https://keycloak.uat.us.coherent.global"),
        ("https://excel.prod.coherent.global", "https://keycloak.prod.coherent.global"),
        ("https://spark.example.com", "https://spark.example.com"),
        ("https://spark.example.com:8443", "https://spark.example.com:8443"),
    ],
)
def test_tokens_are_asked_for_where_the_vendor_gives_them(base_url: str, url: str) -> None:
    source = source_named("spark-log-csv")
    secret = {"base_url": base_url, "tenant": "my tenant", "auth": {"type": "client_credentials"}}
    secret["auth"] = {"type": "client_credentials", **AUTH["client_credentials"]}
    line = Line(TOKEN)
    with patch.object(access, "send", line):
        Access("acme", source.rules, lambda *_, **__: json.dumps(secret), {}).headers()
    assert line.urls == [f"{url}/auth/realms/my%20tenant/protocol/openid-connect/token"]


@pytest.mark.parametrize("region", ["ng", "eu-de", "au-syd", "eu-gb"])
def test_uaa_tokens_are_asked_for_in_the_region(region: str) -> None:
    source = source_named("ibm-activity-tracker")
    base_url = f"https://activity-tracker.{region}.bluemix.net"
    secret = {"base_url": base_url, "space_id": "s", "auth": {"type": "uaa", "api_key": "hush-hush"}}
    line = Line(TOKEN)
    with patch.object(access, "send", line):
        Access("ibm", source.rules, lambda *_, **__: json.dumps(secret), {}).headers()
    assert line.urls == [f"https://login.{region}.bluemix.net/UAALoginServerWAR/oauth/token"]


# ---- IBM's days


@pytest.mark.parametrize(
    ("start", "end", "asked"),
    [
        ("2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z", ("2026-11-18", "2026-11-18", "")),
        ("2026-11-18T00:00:00Z", "2026-12-03T00:00:00Z", ("2026-11-18", "2026-12-02", "")),
        ("2026-11-18T01:00:00+01:00", "2026-11-19T01:00:00+01:00", ("2026-11-18", "2026-11-18", "")),
        ("2026-11-18T00:00:00Z", "2026-11-18T01:00:00Z", ("2026-11-18", "2026-11-18", "0")),
        ("2026-11-18T23:00:00Z", "2026-11-19T00:00:00Z", ("2026-11-18", "2026-11-18", "23")),
        ("2026-11-18T23:00:00-05:00", "2026-11-19T00:00:00-05:00", ("2026-11-19", "2026-11-19", "4")),
        ("2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z", ("2026-02-28", "2026-02-28", "")),
    ],
)
def test_a_half_open_window_becomes_inclusive_days(start: str, end: str, asked: tuple[str, ...]) -> None:
    source = source_named("ibm-activity-tracker")
    request = export_request(
        {"source": source.name, "connection": "ibm", "window": {"start": start, "end": end}}
    )
    bodies = []

    def send(*_: Any, body: bytes, **__: Any) -> Reply:
        bodies.append(json.loads(body))
        return of({"id": "b08cb740"})

    with patch.object(api, "send", send), patch.object(access, "send", Line(TOKEN)):
        job = source.submit(request, api_of(source))
    assert job.state is JobState.READY
    assert [(body["start"], body["end"], body["SearchTime"]) for body in bodies] == [asked]


@pytest.mark.parametrize(
    ("start", "end", "match"),
    [
        ("2026-11-18T00:00:00Z", "2026-12-03T00:00:01Z", "whole UTC days"),
        ("2026-11-18T00:00:00Z", "2026-12-04T00:00:00Z", "15 days"),
        ("2026-11-18T00:00:00+01:00", "2026-11-19T00:00:00+01:00", "whole UTC days"),
        ("2026-11-18T00:30:00Z", "2026-11-18T01:30:00Z", "whole hour"),
        ("2026-11-18T00:00:00Z", "2026-11-18T02:00:00Z", "whole UTC days"),
        ("2026-11-18T00:00:00.000001Z", "2026-11-19T00:00:00.000001Z", "whole UTC days"),
    ],
)
def test_windows_that_ibm_cannot_cut_are_refused(start: str, end: str, match: str) -> None:
    with pytest.raises(InvalidRequestError, match=match):
        export_request(
            {
                "source": "ibm-activity-tracker",
                "connection": "ibm",
                "window": {"start": start, "end": end},
            }
        )


# ---- the register


def test_each_source_has_its_example_and_is_found_by_its_name() -> None:
    assert len(SOURCES) >= 6
    for name in SOURCES:
        assert source_named(name).name == name
        assert (ROOT / "statemachine" / "examples" / f"{name}.json").is_file()


@pytest.mark.parametrize("name", ["", "spark", "_spark", "-spark", "../x", "spark_log_csv", "os", "README"])
def test_any_other_name_is_refused_and_not_imported(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="must be one of"):
        source_named(name)


VENDOR = re.compile(r"coherent|spark|\bibm\b|bluemix|keycloak|\buaa\b|synthetic", re.IGNORECASE)
CHOOSING = re.compile(r"""(source|\.name)\s*(==|!=|\bin\b)\s*["'({\[]""")


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Give the names and texts of a module's code: neither comments nor docstrings."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in prose:
                yield node.lineno, text
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.alias(name=text) | ast.arg(arg=text):
                yield node.lineno, text


def test_no_module_but_the_sources_knows_a_vendor() -> None:
    paths = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "sources"]
    paths += (ROOT / "functions").rglob("*.py")
    assert len(paths) > 40
    for path in paths:
        for number, text in words(path):
            # What an operator reads may show an input, as text of its own.
            if path.name != "widget.py":
                assert not VENDOR.search(text), f"{path}:{number} names a vendor: {text}"
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not CHOOSING.search(line), f"{path}:{number} chooses by source: {line.strip()}"


@pytest.mark.parametrize(
    "document", [{}, [], {"response_data": {"job_id": None}}, {"response_data": {"job_id": 1.5}}]
)
def test_a_submit_whose_reply_names_no_job_is_uncertain(document: Any) -> None:
    source = source_named("spark-log-csv")
    request, line = job_of(source).request, api_of(source)
    assert isinstance(answered(of(document), lambda: source.submit(request, line)), SubmitUncertainError)


@pytest.mark.parametrize(
    "job_id", ["a b", "a/b", "a?b", "..", "ü", "x" * 513, True, "hush-hush", "not-hush-hush", ""]
)
def test_a_job_is_named_in_unreserved_characters_and_after_no_secret(job_id: Any) -> None:
    source = source_named("spark-log-csv")
    request, line = job_of(source).request, api_of(source, "bearer")
    reply = of({"response_data": {"job_id": job_id}})
    assert isinstance(answered(reply, lambda: source.submit(request, line)), SubmitUncertainError)


def test_a_job_id_that_is_a_number_is_its_digits() -> None:
    source = source_named("spark-log-csv")
    request, line = job_of(source).request, api_of(source)
    job = answered(
        of({"response_data": {"job_id": 12345678901234567890}}), lambda: source.submit(request, line)
    )
    assert isinstance(job, Job)
    assert job.id == "12345678901234567890"


@pytest.mark.parametrize(
    "word",
    ["Timed Out", "timed-out", "TIMED_OUT", "timeout", "Expired", " terminated ", "FAULTED"],
)
def test_final_words_fail_the_job_however_they_are_spelled(word: str) -> None:
    for name, document in (
        ("spark-log-csv", {"response_data": {"progress": 10, "status": word}}),
        ("spark-events", {"status": word, "outputs": {}}),
    ):
        source = source_named(name)
        status = answered(of(document), partial(source.poll, job_of(source), api_of(source)))
        assert isinstance(status, JobStatus)
        assert status.state is JobState.FAILED


def test_an_unknown_word_goes_on_and_is_named() -> None:
    source = source_named("spark-events")
    status = answered(of({"status": "Dreaming"}), lambda: source.poll(job_of(source), api_of(source)))
    assert status == JobStatus(JobState.RUNNING, unknown="Dreaming")


def test_a_job_of_too_many_files_is_refused() -> None:
    source = source_named("spark-events")
    files = [{"file": f"https://a.coherent.global/{number}"} for number in range(101)]
    document = {"status": "Success", "outputs": {"files": files}}
    refused = answered(of(document), lambda: source.poll(job_of(source), api_of(source)))
    assert isinstance(refused, InvalidRequestError)
    assert "101 files" in str(refused)


@pytest.mark.parametrize("call_id", ["../x", "1", "329700e6-0850-40cf-b61e-310c2f756b73.manifest"])
def test_a_call_id_is_a_uuid(call_id: str) -> None:
    example = json.loads((ROOT / "statemachine" / "examples" / "spark-call.json").read_text())
    example["target"]["call_id"] = call_id
    with pytest.raises(InvalidRequestError, match=r"target\.call_id"):
        export_request(example)
