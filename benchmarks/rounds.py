"""Rounds of a comparison: in each, every contender loads the same tickets from the same server, AVESA first.

Ratios are of runs of one round, so that a machine that is slow for a minute is slow for both. A contender that needs
minutes runs in the first round only; what its ratio is worth shows in the number of runs beside it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.contenders import AVESA, Load, environment, load_with_avesa
from benchmarks.measure import CommandFailed, helper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.contenders import Peer
    from benchmarks.measure import Cost

_LONG_SECONDS: Final = 40.0
"""A contender whose first run took longer is not run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One table of the report: who loads how many tickets, how often, with what latency and how many pages at once."""

    corpus: Path
    tickets: int
    peers: Sequence[Peer]
    rounds: int = 3
    latency: float = 0.0
    in_flight: int = 8


@dataclass(slots=True)
class Runs:
    """What the runs of one contender took, by round; or why it has none."""

    does: str
    costs: dict[int, Cost] = field(default_factory=dict)
    failure: str | None = None


def compare(comparison: Comparison, python: Path) -> list[dict[str, Any]]:
    """Run all rounds; return one row for each contender, AVESA's first."""
    own = Runs("raw and history, every guarantee on")
    found = {AVESA: own} | {peer.name: Runs(peer.does) for peer in comparison.peers}
    server = [sys.executable, "-m", "benchmarks.source", str(comparison.corpus), "--latency", str(comparison.latency)]
    with helper(server, environment=environment()) as url:
        for number in range(comparison.rounds):
            _run(AVESA, own, number, comparison, url, load_with_avesa)
            for peer in comparison.peers:
                runs = found[peer.name]
                if runs.failure is None and (number == 0 or runs.costs[0].wall_seconds < _LONG_SECONDS):
                    _run(peer.name, runs, number, comparison, url, partial(peer.load, python=python))
    return [_row(name, runs, own, comparison) for name, runs in found.items()]


def _run(name: str, runs: Runs, number: int, comparison: Comparison, url: str, load: Callable[[Load], Cost]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="avesa-bench-"))
    try:
        cost = load(Load(url=url, tickets=comparison.tickets, in_flight=comparison.in_flight, folder=folder))
    except CommandFailed as error:
        runs.failure = str(error)
        print(f"  {name}: failed: {error}", file=sys.stderr, flush=True)
    else:
        runs.costs[number] = cost
        print(f"  {name}: {cost.wall_seconds:.2f} s, {cost.cpu_seconds:.1f} CPU-s", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder)


def _row(name: str, runs: Runs, own: Runs, comparison: Comparison) -> dict[str, Any]:
    row: dict[str, Any] = {"contender": name, "does": runs.does, "runs": len(runs.costs)}
    if runs.failure is not None or not runs.costs:
        return row | {"failure": (runs.failure or "not run")[-300:]}
    walls = sorted(cost.wall_seconds for cost in runs.costs.values())
    ratios = [
        cost.wall_seconds / own.costs[number].wall_seconds for number, cost in runs.costs.items() if number in own.costs
    ]
    middle = median(walls)
    return row | {
        "wall_seconds": round(middle, 2),
        "wall_least": round(walls[0], 2),
        "wall_most": round(walls[-1], 2),
        "records_per_second": round(comparison.tickets / middle),
        "cpu_seconds_per_million": round(
            median(c.cpu_seconds for c in runs.costs.values()) / comparison.tickets * 1e6, 1
        ),
        "process_mb": round(max(cost.process_mb for cost in runs.costs.values())),
        "tree_mb": round(max(cost.tree_mb for cost in runs.costs.values())),
        "times_avesa": round(median(ratios), 2) if ratios else None,
    }
