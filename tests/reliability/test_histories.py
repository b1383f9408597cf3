"""Random histories break no invariant, are the same again for their seed, and do see what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from avesa.application.steps import chunk, transform
from reliability import histories
from reliability.weather import PORT_FAULTS, PROCESS_FAULTS, RESPONSE_FAULTS, TRANSPORT_FAULTS

ROOT = Path(__file__).resolve().parents[2]


def test_a_dozen_histories_break_no_invariant() -> None:
    outcomes = [histories.history(seed) for seed in range(1, 13)]

    assert [(outcome.seed, outcome.findings) for outcome in outcomes if outcome.findings] == []
    assert min(outcome.runs for outcome in outcomes) >= 3
    assert min(outcome.records for outcome in outcomes) >= 200


def test_a_seed_gives_the_same_history_in_another_process() -> None:
    code = "from dataclasses import asdict; from reliability.histories import history; print(asdict(history(7)))"

    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert other.stdout.strip() == str(asdict(histories.history(7)))


def test_a_bookmark_that_moves_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    folded_once = transform._folded_once

    def too_early(*args: object) -> object:
        context, work = args[0], args[1]
        transform._move_bookmark(context, work, work.plan)  # type: ignore[arg-type,attr-defined]
        return folded_once(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(transform, "_folded_once", too_early)

    assert any(histories.history(seed).findings for seed in range(1, 30))


def test_an_error_that_is_taken_for_the_end_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    landed = chunk._landed

    def half(context: object, work: object, read: object, answer: object, *, at: object) -> object:
        del answer.page.records[1::2]  # type: ignore[attr-defined]
        return landed(context, work, read, answer, at=at)  # type: ignore[arg-type]

    monkeypatch.setattr(chunk, "_landed", half)
    monkeypatch.setattr("avesa.application.steps.reconcile.reconcile", lambda *_, **__: None)

    status = histories.main(["--seed", "3"])

    assert status == 1
    assert "python -m reliability.histories --seed 3" in capsys.readouterr().out


@pytest.mark.slow
def test_five_hundred_histories_break_no_invariant_and_every_kind_of_fault_strikes() -> None:
    # Rates are chosen so; a kind that cannot strike would be a promise nobody tries. Another 500 each week would be
    # another test each week: `python -m reliability.histories --start N` goes on from any seed.
    kinds = {fault.name for fault in PORT_FAULTS} | {*TRANSPORT_FAULTS, *RESPONSE_FAULTS, *PROCESS_FAULTS}

    outcomes = histories.histories(1, 500, os.cpu_count() or 1)

    assert [(outcome.seed, outcome.findings[:2]) for outcome in outcomes if outcome.findings] == []
    assert min(outcome.runs for outcome in outcomes) >= 3
    assert min(outcome.records for outcome in outcomes) >= 200
    struck = sum((outcome.struck for outcome in outcomes), Counter[str]())
    assert struck.keys() == kinds
    assert min(struck.values()) >= 25, struck
