from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.cli import main
from tests.sandbox.vendor import Vendors

EXAMPLES = Path(__file__).parents[2] / "statemachine" / "examples"
CALL = str(EXAMPLES / "spark-call.json")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    status = main(["run", "--json", "--speed", "50", *arguments])
    printed = capsys.readouterr()
    return status, json.loads(printed.out), printed.err


def test_a_run_prints_one_document_and_copies_what_landed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # When
    status, document, shown = run(capsys, CALL, "--out", str(tmp_path))

    # Then
    assert status == 0
    assert set(document) == {"status", "output", "error", "cause", "objects", "notifications", "transitions"}
    assert (document["status"], document["error"]) == ("SUCCEEDED", None)
    assert document["transitions"] == 5
    key = document["output"]["key"]
    assert [one["key"] for one in document["objects"]] == [key, f"{key}.manifest.json"]
    for one in document["objects"]:
        assert len((tmp_path / one["key"]).read_bytes()) == one["size"]
    assert [one["status"] for one in document["notifications"]] == ["LANDED"]
    assert "→ Fetch Export" in shown


def test_a_state_folder_carries_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # Given
    _, first, _ = run(capsys, CALL, "--state", str(tmp_path / "state"))

    # When
    status, second, _ = run(capsys, CALL, "--state", str(tmp_path / "state"))

    # Then: landed and announced before
    assert status == 0
    assert second["output"] == first["output"]
    assert second["objects"] == first["objects"]
    assert second["notifications"] == []


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"source": "spark-call", "connection": "acme", "target": {"call_id": "1"}, "bogus": 1}, "bogus"),
        ({"source": "spark-calls", "connection": "acme"}, "source"),
        ({"exports": [], "every": "day"}, "exports"),
        ([], "the input must be a JSON object"),
    ],
)
def test_an_input_of_the_wrong_shape_is_refused_before_anything_is_deployed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, document: Any, said: str
) -> None:
    # Given
    wrong = tmp_path / "input.json"
    wrong.write_text(json.dumps(document))

    # When
    status, answer, shown = run(capsys, str(wrong))

    # Then: one line, and no state machine was started
    assert status == 2
    assert (answer["status"], answer["error"]) == ("FAILED", "InvalidRequestError")
    assert said in answer["cause"]
    assert (answer["notifications"], answer["transitions"]) == ([], 0)
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is no JSON: "),
        ('{"a": NaN}', "is no JSON: NaN is no JSON value"),
        ("\udcff", "is no UTF-8 text"),
    ],
)
def test_an_input_that_is_no_json_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None, said: str
) -> None:
    # Given
    path = tmp_path / "input.json"
    if text is not None:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")

    # When
    status, document, shown = run(capsys, str(path))

    # Then
    assert status == 2
    assert document["status"] == "FAILED"
    assert said in document["cause"]
    assert shown.count("\n") == 1


def test_a_connection_file_takes_the_emulated_vendors_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: a vendor that the sandbox knows nothing of
    with Vendors() as vendors:
        connection = tmp_path / "connection.json"
        connection.write_text(json.dumps(vendors.secret("bearer")))
        connection.chmod(0o600)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", vendors.ca_file)

        # When
        status, document, _ = run(capsys, CALL, "--connection", str(connection))

        # Then
        assert (status, document["status"]) == (0, "SUCCEEDED")
        assert len(vendors.requests) > 0


def test_coverage_draws_what_a_collection_left(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # Given
    collection = tmp_path / "collection.json"
    export = {"source": "ibm-activity-tracker", "connection": "ibm-prod"}
    document = {"exports": [export], "every": "day", "until": "2026-11-20T00:00:00Z", "lookback": 2}
    collection.write_text(json.dumps(document))
    state, out = str(tmp_path / "state"), tmp_path / "coverage.html"
    status, ran, _ = run(capsys, str(collection), "--state", state)
    assert (status, ran["output"]["landed"]) == (0, 2)

    # When
    drawn = main(["coverage", str(collection), "--state", state, "--out", str(out)])

    # Then
    assert drawn == 0
    assert "ibm-activity-tracker" in out.read_text()
    assert "2 windows: 2 landed" in out.read_text()


def test_coverage_without_a_collection_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # When
    status = main(["coverage", CALL, "--state", str(tmp_path / "none")])

    # Then
    assert status == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_person_sees_states_entries_manifest_and_notification(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # When
    status = main(["run", str(EXAMPLES / "spark-log-csv.json"), "--speed", "50", "--verbose"])

    # Then
    shown = capsys.readouterr().out
    assert status == 0
    for told in (
        "→ Wait For Export",
        "Entries of spark-log-csv/",
        "Its manifest",
        "Notification: ",
        "Not emulated",
    ):
        assert told in shown
    assert "[FetchFunction] START RequestId: " in shown


def test_a_person_sees_a_dry_run_as_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # Given
    collection = tmp_path / "collection.json"
    export = {"source": "ibm-activity-tracker", "connection": "ibm-prod"}
    until = "2026-11-20T00:00:00Z"
    asked = {"exports": [export], "every": "day", "until": until, "lookback": 2, "dry_run": True}
    collection.write_text(json.dumps(asked))

    # When
    status = main(["run", str(collection)])

    # Then
    shown = capsys.readouterr().out
    assert status == 0
    assert shown.count("to export") == 2
    assert "2 jobs in all" in shown
