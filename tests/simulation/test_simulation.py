"""A sample of the failure matrix, breaks of the product that it must catch, and its command."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from logferry.ledger.repository import Ledger
from tests.simulation.__main__ import main
from tests.simulation.matrix import pairs, simulate, singles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from logferry.ledger.record import ExportRecord


def test_sampled_faults_break_no_invariant() -> None:
    sample = list(singles())[::11]
    found = {f"{point}:{fault}": simulate({point: fault}).wrong for point, fault in sample}
    assert not {named: wrong for named, wrong in found.items() if wrong}


def test_a_run_is_the_same_every_time() -> None:
    plan = next(iter(pairs(1, seed=7)))
    assert simulate(plan).trace == simulate(plan).trace


def test_a_landing_that_the_ledger_does_not_hold_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_said(_: Ledger, row: ExportRecord, landing: Mapping[str, Any]) -> ExportRecord:
        return replace(row, item={**row.item, **landing})

    monkeypatch.setattr(Ledger, "landed", only_said)
    monkeypatch.setattr(Ledger, "notified", lambda _, row: row)  # else its fence sends it round and round
    assert "2: a landing announced before the ledger holds it" in simulate({}).wrong


def test_a_submit_without_an_intent_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "intend", lambda _, row: row)
    assert "4: a submit that the ledger does not know of" in simulate({}).wrong


def test_an_unknown_fault_or_point_says_what_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "one.submit#1.1.dynamodb.get_item:flood"]) == 2
    assert "there are fail, lost" in capsys.readouterr().out
    assert main(["replay", "one.submit#1.99.nowhere:fail"]) == 2
    assert "one.submit#1.1.dynamodb.get_item" in capsys.readouterr().out
