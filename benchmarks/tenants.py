"""Several tenants in one run, each with the same tickets and a company of its own: what it costs, and what it holds.

Without latency answers come faster than two cores can parse them, which is the worst case for memory.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import COMMAND, environment, register
from benchmarks.measure import CommandFailed, helper, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.measure import Cost


def load_tenants(corpus: Path, tickets: int, cases: Iterable[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return a row for each case of (tenants, how many of them at once): full loads of the tickets, from empty homes.

    Raises CommandFailed, also when rows are missing.
    """
    rows = []
    with helper([sys.executable, "-m", "benchmarks.source", str(corpus)], environment=environment()) as url:
        for tenants, at_once in cases:
            with tempfile.TemporaryDirectory(prefix="avesa-bench-") as name:
                cost = _loaded(url, Path(name), tickets, tenants, at_once)
            print(f"  {tenants} tenants, {at_once} at once: {cost.wall_seconds:.2f} s", file=sys.stderr, flush=True)
            rows.append(
                {
                    "tenants": tenants,
                    "at_once": at_once,
                    "wall_seconds": round(cost.wall_seconds, 2),
                    "records_per_second": round(tenants * tickets / cost.wall_seconds),
                    "process_mb": round(cost.process_mb),
                    "tree_mb": round(cost.tree_mb),
                }
            )
    return rows


def _loaded(url: str, folder: Path, tickets: int, tenants: int, at_once: int) -> Cost:
    own = environment() | {"AVESA_HOME": str(folder / "home")}
    for number in range(tenants):
        register(f"tenant-{number}", url, environment=own, folder=folder)
    load = [*COMMAND, "run", "--table-name", "tickets", "--output", "json", "--tenants", str(at_once)]
    cost = run(load, environment=own, folder=folder)
    told = json.loads(cost.output.strip().splitlines()[-1])["tenants"]
    arrived = sum(tenant["tables"][0]["reconciled"]["lake"] for tenant in told)
    if arrived != tenants * tickets:
        raise CommandFailed(f"{arrived} rows arrived, {tenants * tickets} were asked for: the run does not count")
    return cost
