"""The page is written between its markers, and a goal that is missed is called so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import goals, report
from benchmarks.__main__ import PARTS

if TYPE_CHECKING:
    from pathlib import Path


def row(contender: str, wall: float, times: float, **more: object) -> dict[str, Any]:
    return {
        "contender": contender,
        "does": "everything",
        "runs": 3,
        "wall_seconds": wall,
        "wall_least": wall,
        "wall_most": wall,
        "records_per_second": 1000,
        "cpu_seconds_per_million": 31.0,
        "process_mb": 300,
        "tree_mb": 500,
        "times_avesa": times,
    } | more


COMPARED = {
    "tables": [
        {
            "title": "500,000 tickets",
            "tickets": 500_000,
            "latency": 0.0,
            "in_flight": 8,
            "rows": [
                row("AVESA", 10.0, 1.0),
                row("dlt rest_api, scd2", 300.0, 30.0),
                row("dlt, Arrow path", 19.0, 1.9),
                {"contender": "singer tap and target", "does": "x", "runs": 0, "failure": "Traceback\nIt | broke"},
            ],
        }
    ]
}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "performance.md"
    path.write_text((report.DOCS / "performance.md").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(report, "_PAGE", path)
    monkeypatch.setattr(report, "_MEASURED", tmp_path / "performance.json")
    return path


def test_a_part_is_written_between_its_markers_and_the_rest_stays(page: Path) -> None:
    before = page.read_text(encoding="utf-8")

    report.keep("peers-500k", COMPARED, peers=None, command="bench")

    after = page.read_text(encoding="utf-8")
    assert "| dlt rest_api, scd2: everything | 3 | 300.0 |" in after
    assert "did not load it: It / broke" in after
    assert after.partition("<!-- bench peers-500k -->")[0].startswith(before.partition("<!-- bench goals -->")[0])
    assert after.partition("<!-- end peers-500k -->")[2] == before.partition("<!-- end peers-500k -->")[2]


def test_measuring_again_replaces_a_part_and_keeps_the_others(page: Path) -> None:
    report.keep("peers-500k", COMPARED, peers=None, command="bench")
    report.keep("growth", {"rows": []}, peers=None, command="bench --only growth")
    report.keep("peers-500k", COMPARED, peers=None, command="bench again")

    kept = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert {name: part["measured"]["command"] for name, part in kept.items()} == {
        "peers-500k": "bench again",
        "growth": "bench --only growth",
    }
    assert page.read_text(encoding="utf-8").count("| dlt rest_api, scd2: everything |") == 1


def test_a_goal_is_reached_or_missed_by_a_factor() -> None:
    told = goals.table({"peers-500k": COMPARED})

    assert "times as fast as dlt rest_api, scd2 | at least 25 | 30 | reached |" in told
    assert "times as fast as dlt, Arrow path | at least 2 | 1.9 | **missed** by a factor of 1.05 |" in told
    assert "CPU seconds per million records | at most 30 | 31 | **missed** by a factor of 1.03 |" in told


def test_growth_and_latency_have_goals_too() -> None:
    sizes = {100_000: 1.0, 5_000_000: 2.5}
    rows = [
        {"rows": size, "what": what, "wall_seconds": wall, "written_mb": 30.0, "process_mb": 350}
        for size, wall in sizes.items()
        for what in ("AVESA, 95 % recent", "AVESA, uniform", "Polars, whole table rewritten")
    ]
    latency = {"tables": [COMPARED["tables"][0] | {"tickets": 100_000, "latency": 1.0, "in_flight": 32}]}

    told = goals.table({"growth": {"rows": rows}, "latency": latency})

    assert "times the time on 100,000 rows | at most 2 | 2.5 | **missed** by a factor of 1.25 |" in told
    assert "a rewrite by Polars | at most 1 | 1 | reached |" in told
    assert "32 in flight: seconds | at most 5.41 | 10 | **missed** by a factor of 1.85 |" in told


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_its_place_on_the_page(part: str) -> None:
    text = (report.DOCS / "performance.md").read_text(encoding="utf-8")

    assert f"<!-- bench {part} -->" in text
    assert f"<!-- end {part} -->" in text
