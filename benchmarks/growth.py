"""What an increment of 1,000 changes costs as the table grows, beside rewriting the whole table with Polars.

Changes are recent (95 of 100 among the newest 50,000 ids, as at a service desk) or uniform (anywhere). Each increment
is a whole `avesa run`: lease, plan, pages, reconciliation, fold, commit, bookmark. Then Polars reads the same table,
puts 1,000 new versions into it and writes it as one file.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from deltalake import DeltaTable

from benchmarks import corpus
from benchmarks.contenders import COMMAND, PEERS, environment, register
from benchmarks.measure import helper, run
from benchmarks.seeded import FIRST_ID, TENANT, bodies_of, record_of, seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measure import Cost

CHANGES: Final = 1000
RECENT: Final = "95 % recent"
UNIFORM: Final = "uniform"
_NEWEST: Final = 50_000
_TABLE: Final = "data-storage-msp-local/acme/canonical/tickets"


def grow(sizes: Sequence[int], *, rounds: int, folder: Path, python: Path) -> list[dict[str, Any]]:
    """Measure each size with recent and with uniform changes; return a row for each, and one for Polars."""
    tickets = corpus.make(corpus.corpus_path(folder, 20_000), 20_000)
    rows: list[dict[str, Any]] = []
    for size in sizes:
        home = Path(tempfile.mkdtemp(prefix="avesa-growth-"))
        try:
            rows += _Table(home, size, tickets).measured(rounds, python)
        finally:
            shutil.rmtree(home)
    return rows


class _Table:
    """A seeded table, and increments on it."""

    def __init__(self, home: Path, size: int, tickets: corpus.Corpus) -> None:
        self._home, self._size = home, size
        self._bodies = bodies_of(tickets)
        self._random = random.Random(size)
        self._environment = environment() | {"AVESA_HOME": str(home / "home")}
        self._port = 0
        self._serve([], self._set_up)
        print(f"seeding {size:,} rows", file=sys.stderr, flush=True)
        seed(home / "home", size, tickets)

    def measured(self, rounds: int, python: Path) -> list[dict[str, Any]]:
        found = [self._increments(kind, rounds) for kind in (RECENT, UNIFORM)]
        return [*found, self._polars(rounds, python)]

    def _increments(self, kind: str, rounds: int) -> dict[str, Any]:
        costs: list[Cost] = []
        written: list[dict[str, int]] = []
        for _ in range(rounds):
            before = _files(self._home)
            self._serve(self._changed(kind), lambda url: costs.append(self._run(url)))
            now = _files(self._home)
            written.append(
                {
                    part: sum(size for path, size in now.items() if f"/{part}/" in path and path not in before)
                    for part in ("raw", "canonical")
                }
            )
            print(f"  {kind}: {costs[-1].wall_seconds:.2f} s, {written[-1]}", file=sys.stderr, flush=True)
        return _row(self._size, f"AVESA, {kind}", costs) | {
            "written_mb": round(median(each["canonical"] for each in written) / 1e6, 1),
            "raw_mb": round(median(each["raw"] for each in written) / 1e6, 2),
        }

    def _polars(self, rounds: int, python: Path) -> dict[str, Any]:
        table = self._home / "home" / _TABLE
        (self._home / "files.json").write_text(json.dumps(DeltaTable(table).file_uris()), encoding="utf-8")
        script = [str(python), str(PEERS / "polars_rewrite.py"), str(self._home / "files.json"), str(CHANGES)]
        costs = [run(script, environment=environment(), folder=self._home) for _ in range(rounds)]
        print(f"  Polars: {costs[-1].wall_seconds:.2f} s", file=sys.stderr, flush=True)
        return _row(self._size, "Polars, whole table rewritten", costs) | {
            "written_mb": round(json.loads(costs[-1].output)["written"] / 1e6, 1),
            "raw_mb": None,
        }

    def _changed(self, kind: str) -> list[tuple[int, int, bytes]]:
        """Return 1,000 tickets as the source has them now: another summary, updated this minute."""
        last = FIRST_ID + self._size - 1
        newest = range(max(FIRST_ID, last - _NEWEST + 1), last + 1)
        chosen: set[int] = set()
        while len(chosen) < min(CHANGES, self._size):
            is_recent = kind == RECENT and self._random.random() < 0.95
            chosen.add(self._random.choice(newest) if is_recent else self._random.randint(FIRST_ID, last))
        now = datetime.now(UTC).replace(microsecond=0)
        changed = []
        for record_id in sorted(chosen):
            record = json.loads(record_of(self._bodies, record_id))
            record["summary"] = f"changed {self._random.random()}"
            record["_info"]["lastUpdated"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
            changed.append((record_id, int(now.timestamp()), json.dumps(record, separators=(",", ":")).encode()))
        return changed

    def _serve(self, records: list[tuple[int, int, bytes]], use: Any) -> None:  # noqa: ANN401 - a function of the address
        path = self._home / "changes.bytes"
        corpus.write(path, records)
        server = [sys.executable, "-m", "benchmarks.source", str(path), "--port", str(self._port)]
        with helper(server, environment=environment()) as url:
            self._port = int(url.rpartition(":")[2])
            use(url)

    def _set_up(self, url: str) -> None:
        register(TENANT, url, environment=self._environment, folder=self._home)

    def _run(self, url: str) -> Cost:
        assert url.endswith(f":{self._port}")
        load = [*COMMAND, "run", "--tenant-id", TENANT, "--table-name", "tickets", "--output", "json"]
        cost = run(load, environment=self._environment, folder=self._home)
        (table,) = json.loads(cost.output.strip().splitlines()[-1])["tenants"][0]["tables"]
        told = (table["records_extracted"], table["versions_opened"], table["versions_closed"])
        assert told == (CHANGES, CHANGES, CHANGES), told
        return cost


def _files(folder: Path) -> dict[str, int]:
    return {path.as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _row(size: int, what: str, costs: Sequence[Cost]) -> dict[str, Any]:
    walls = sorted(cost.wall_seconds for cost in costs)
    return {
        "rows": size,
        "what": what,
        "runs": len(costs),
        "wall_seconds": round(median(walls), 2),
        "wall_least": round(walls[0], 2),
        "wall_most": round(walls[-1], 2),
        "cpu_seconds": round(median(cost.cpu_seconds for cost in costs), 2),
        "process_mb": round(max(cost.process_mb for cost in costs)),
        "tree_mb": round(max(cost.tree_mb for cost in costs)),
    }
