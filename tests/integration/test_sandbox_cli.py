from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
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
    status = main(["run", str(wrong)])

    # Then: one line, and no state machine was started
    shown = capsys.readouterr()
    assert (status, shown.out) == (2, "")
    assert said in shown.err
    assert shown.err.count("\n") == 1


def test_a_program_gets_what_the_state_machine_makes_of_a_wrong_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # Given
    wrong = tmp_path / "input.json"
    wrong.write_text('{"source": "spark-call", "connection": "acme", "target": {"call_id": "1"}, "bogus": 1}')

    # When
    status, document, _ = run(capsys, str(wrong))

    # Then
    assert status == 1
    assert (document["status"], document["error"]) == ("FAILED", "InvalidRequestError")
    assert "bogus" in document["cause"]
    assert [one["status"] for one in document["notifications"]] == ["FAILED"]


def test_a_typo_is_said_before_the_embedded_aws_is_even_imported(tmp_path: Path) -> None:
    # Given
    wrong = tmp_path / "input.json"
    wrong.write_text(Path(CALL).read_text().replace("spark-call", "spark-cal"))
    heavy = "{'moto', 'samtranslator', 'duckdb'} & set(sys.modules)"
    code = f"import sys; from tests.sandbox.cli import main; print(main(['run', sys.argv[1]]), {heavy})"

    # When
    asked = subprocess.run(  # noqa: S603 - our own verb
        [sys.executable, "-c", code, str(wrong)],
        capture_output=True,
        text=True,
        check=True,
        cwd=EXAMPLES.parents[1],
    )

    # Then
    assert asked.stdout == "2 set()\n"
    assert asked.stderr.endswith("did you mean spark-call?\n")


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


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in a folder of our own: runs leave things in `.sandbox` of the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def seen(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    """Run for a person; return the status, the lines while it ran, and those of the end."""
    status = main(["run", "--speed", "50", *arguments])
    lines = capsys.readouterr().out.splitlines()
    end = max(place for place, line in enumerate(lines) if " s  execution " in line) + 1
    return status, lines[:end], lines[end:]


def test_a_person_sees_what_landed_in_a_few_lines_and_commands_that_work(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    # When
    status, live, end = seen(capsys, str(EXAMPLES / "spark-log-csv.json"))

    # Then: states, polls, progress and the next look while it ran
    assert status == 0
    assert any(line.endswith("→ Wait For Export") for line in live)
    assert any("RUNNING, 33 %, 1 poll, next look in" in line for line in live)
    # And the end fits a screen, nothing is cut, and the file is where it says
    assert len(end) <= 20
    told = {line.split()[0]: line.split()[-1] for line in end if line}
    assert end[1] == "landed  Motor/Quote 2026-11-18"
    assert told["records"] == "86"
    assert told["size"] == "bytes"
    assert (here / told["file"]).stat().st_size == 7670
    assert "  spark-log-csv,Quote,2026-11-18,86,0" in end
    assert sum("not emulated" in line for line in end) == 1
    # And the next command does something
    command = shlex.split(end[-1].removeprefix("next: "))
    assert command[:4] == [".venv/bin/python", "-m", "tests.sandbox", "query"]
    assert main(command[3:]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_a_repeat_says_that_it_had_landed(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    # Given
    state = ["--state", str(here / "state")]
    _, _, first = seen(capsys, CALL, *state)

    # When
    status, _, second = seen(capsys, CALL, *state)

    # Then
    assert status == 0
    assert first[1].startswith("landed ")
    assert second[1].startswith("already landed ")


@pytest.mark.usefixtures("here")
def test_details_and_logs_are_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    # When
    status, live, end = seen(capsys, CALL, "--details", "--verbose")

    # Then
    assert status == 0
    for told in ("Its manifest", "Output", "Not emulated here"):
        assert told in end
    assert any(line.startswith("Notification: ") for line in end)
    assert any(line.startswith("Entries of spark-call/") for line in end)
    # And each line of a log says whose it is
    assert any(line.startswith("[FetchFunction] START RequestId: ") for line in live)
    assert any(line.startswith("[FetchFunction] END RequestId: ") for line in live)


def test_a_failed_run_names_its_evidence_which_holds_no_secret(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a call that has no fifth record
    vendors = Vendors()
    monkeypatch.setattr("tests.sandbox.run.Vendors", lambda: vendors)
    asked = here / "input.json"
    document = json.loads(Path(CALL).read_text())
    asked.write_text(json.dumps({**document, "target": {**document["target"], "index": 5}}))

    # When
    status, _, end = seen(capsys, str(asked))

    # Then
    assert status == 1
    assert len(end) <= 20
    assert end[1] == "FAILED  InvalidRequestError"
    (told,) = (line for line in end if line.startswith("  evidence"))
    folder = here / told.split()[1]
    assert {"history.json", "vendor.json", "SubmitFunction.log"} <= {one.name for one in folder.iterdir()}
    assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}
    requests = json.loads((folder / "vendor.json").read_text())
    assert {"token", "call"} & {request["step"] for request in requests}
    assert all(request["headers"].get("authorization", "***") == "***" for request in requests)
    kept = "".join(one.read_text() for one in folder.iterdir())
    assert "TaskStateEntered" in kept
    for secret in (vendors.client_secret, vendors.token, "eyJ"):
        assert secret not in kept


def collection(folder: Path, **changes: Any) -> str:
    path = folder / "collection.json"
    export = {"source": "ibm-activity-tracker", "connection": "ibm-prod"}
    document = {"exports": [export], "every": "day", "until": "2026-11-20T00:00:00Z", "lookback": 2}
    path.write_text(json.dumps({**document, **changes}))
    return str(path)


def test_a_collection_counts_what_is_done(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    # When
    status, live, end = seen(capsys, collection(here))

    # Then
    assert status == 0
    assert (
        sum(
            bool(re.search(r"  [12]/2 ibm-activity-tracker 2026-11-1[89] [0-9,]+ records$", line))
            for line in live
        )
        == 2
    )
    assert len(end) <= 20
    assert "coverage" in end[-1]


def test_a_person_sees_a_dry_run_as_a_table(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    # When
    status, _, end = seen(capsys, collection(here, dry_run=True), "--details")

    # Then
    assert status == 0
    assert "\n".join(end).count("to export") == 2
    assert any("2 jobs in all" in line for line in end)
