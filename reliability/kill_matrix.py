"""Kills a run before and after every durable write, recovers it twice over, and compares every row with the truth.

python -m reliability.kill_matrix                     every cell; prints the matrix
python -m reliability.kill_matrix --sample 9          every ninth cell, for CI
python -m reliability.kill_matrix --write             also writes docs/reliability.md and docs/reliability.json
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from avesa.application.pipeline import Application
from avesa.domain.names import canonical_prefix
from reliability.backends import BACKENDS
from reliability.deaths import AFTER, BEFORE, Death, WriteCounter, counted, save_counts
from reliability.mischief import TABLES
from reliability.report import write_matrix
from reliability.scenario import RUNS, SERVICE, TENANT, LoggingTransport, perform, source_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from avesa.application.context import StepContext
    from reliability.backends import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a run after the death came to."""

    status: str
    is_equal: bool
    pages_again: int
    """Most pages of one chunk that were fetched by the dead run and again by this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One death and both recoveries."""

    run: str
    death: Death
    is_dead: bool
    same_job: Recovery
    new_run: Recovery

    @property
    def is_survived(self) -> bool:
        """Whether both ways of recovery gave the rows of an undisturbed run, at no more than a page per chunk."""
        both = (self.same_job, self.new_run)
        return self.is_dead and all(r.is_equal and r.status == "completed" and r.pages_again <= 1 for r in both)


class Matrix:
    """All of it, in one temporary folder."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend, self._folder = backend, folder

    def prepare(self) -> dict[str, dict[str, int]]:
        """Live through the scenario once; return how many writes of each kind each run does."""
        home = self._folder / "reference" / "home"
        home.parent.mkdir()
        counts = {}
        for run in RUNS:
            self._backend.copied(home, self._before(run))
            path = self._folder / f"{run}.counts"
            _checked(_in_child(lambda run=run, path=path: self._live(home, run, None, path)), f"the reference {run}")  # type: ignore[misc]
            counts[run] = json.loads(path.read_text(encoding="utf-8"))
            if run != "set up":
                _checked(_in_child(lambda run=run: self._dump(home, self._folder / f"{run}.rows")), "reading rows")  # type: ignore[misc]
        return counts

    def cell(self, run: str, death: Death) -> Cell:
        """Die once and recover twice."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            place = Path(name)
            dead, again = place / "dead" / "home", place / "again" / "home"
            self._backend.copied(self._before(run), dead)
            dead.parent.mkdir(exist_ok=True)
            is_dead = _in_child(lambda: self._live(dead, run, death, place / "counts")) == -signal.SIGKILL
            self._backend.ended(dead)
            again.parent.mkdir()
            self._backend.copied(dead, again)
            log = place / "dead.log"
            log.write_text("\n".join(_lines(dead.parent / "requests.log")), encoding="utf-8")
            (dead.parent / "requests.log").unlink(missing_ok=True)
            return Cell(
                run=run,
                death=death,
                is_dead=is_dead,
                same_job=self._recovered(dead, run, log, is_same_job=True),
                new_run=self._recovered(again, run, log, is_same_job=False),
            )

    def _before(self, run: str) -> Path:
        return self._folder / f"before {run}" / "home"

    def _live(self, home: Path, run: str, death: Death | None, counts: Path) -> None:
        site, counter = source_at(run), WriteCounter(death)
        with self._backend.opened(home) as application:
            transport = LoggingTransport(site, home.parent / "requests.log")
            result = perform(Application(counted(application.context, counter, transport)), run, site)
        save_counts(counter, counts)
        if result["status"] != "completed":
            raise RuntimeError(json.dumps(result))

    def _recovered(self, home: Path, run: str, dead_log: Path, *, is_same_job: bool) -> Recovery:
        out = home.parent / "recovery"
        code = _in_child(lambda: self._recover(home, run, out, dead_log, is_same_job=is_same_job))
        if code != 0:
            return Recovery(status=f"ended with {code}", is_equal=False, pages_again=0)
        # A set-up has no rows: the full load after it must give them.
        expected = self._folder / f"{'full load' if run == 'set up' else run}.rows"
        found = json.loads(out.read_text(encoding="utf-8"))
        is_equal = found["rows"] == json.loads(expected.read_text(encoding="utf-8"))
        return Recovery(status=found["status"], is_equal=is_equal, pages_again=found["pages_again"])

    def _recover(self, home: Path, run: str, out: Path, dead_log: Path, *, is_same_job: bool) -> None:
        site = source_at(run)
        log = home.parent / "requests.log"
        with self._backend.opened(home) as application:
            open_plans = self._open_plans(application.context)
            jobs = application.context.jobs.list(limit=1)
            job_id = jobs[0].job_id if is_same_job and jobs and jobs[0].finished_at is None else None
            context = counted(application.context, WriteCounter(None), LoggingTransport(site, log))
            result = perform(Application(context), run, site, job_id=job_id)
            if run == "set up":
                result = perform(Application(context), "full load", site)
            rows = _rows(application.context)
        again = _pages_again(_lines(dead_log), _lines(log), open_plans)
        out.write_text(json.dumps({"status": result["status"], "rows": rows, "pages_again": again}), encoding="utf-8")

    def _open_plans(self, context: StepContext) -> set[str]:
        return {path for path in TABLES if context.tables.get(TENANT, path).plan is not None}

    def _dump(self, home: Path, out: Path) -> None:
        with self._backend.opened(home) as application:
            out.write_text(json.dumps(_rows(application.context)), encoding="utf-8")


def _rows(context: StepContext) -> dict[str, list[list[str]]]:
    """Return every row of every table, as text, in a fixed order, less what is not the source's."""
    from avesa.application.catalog import load_catalog  # noqa: PLC0415 - only in a child

    found: dict[str, list[list[str]]] = {}
    for table in TABLES.values():
        mapping = load_catalog(context.lake).canonical[table]
        snapshot = context.canonical.open(TENANT, SERVICE, mapping)
        keys = [canonical_prefix(TENANT, table) + file.path for file in snapshot.files]
        with context.lake.local_copies(keys) as paths:
            rows = [row for path in paths for row in _plain(pq.ParquetFile(path).read())]
        rows.sort(key=lambda row: (int(row["id"]), row["valid_from"]))
        for row in rows:
            # When we saw it is no fact of the source, nor is when we found it missing.
            del row["ingested_at"]
            row["valid_to"] = None if row["is_deleted"] else row["valid_to"]
        found[table] = [[f"{name}={value}" for name, value in row.items()] for row in rows]
    return found


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows with times as microseconds: as datetimes they would load another library if it is there."""
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pa.int64()))
    return table.to_pylist()  # type: ignore[no-any-return]


def _pages_again(dead: Sequence[str], recovery: Sequence[str], tables: set[str]) -> int:
    """Return the most pages of one chunk that both fetched, of tables whose read was not finished."""
    both = Counter(dead) & Counter(recovery)
    chunks: Counter[tuple[str, str]] = Counter()
    for url, times in both.items():
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        path = parts.path.partition("/apis/3.0/")[2]
        if path in tables and "fields" not in query and "in (" not in query.get("conditions", [""])[0]:
            chunks[path, query.get("conditions", [""])[0]] += times
    return max(chunks.values(), default=0)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _in_child(function: Callable[[], None]) -> int:
    """Run `function` in a child; return its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _checked(code: int, what: str) -> None:
    if code != 0:
        raise RuntimeError(f"{what} ended with {code}")


def deaths(counts: dict[str, dict[str, int]]) -> list[tuple[str, Death]]:
    """Return every cell of the matrix."""
    return [
        (run, Death(kind=kind, number=number, moment=moment))
        for run, kinds in counts.items()
        for kind, times in sorted(kinds.items())
        for number in range(1, times + 1)
        for moment in (BEFORE, AFTER)
    ]


def _tried(matrix: Matrix, chosen: list[tuple[str, Death]], folder: Path, workers: int) -> list[Cell]:
    """Try the cells, in `workers` processes."""
    files = [folder / f"cells {number}" for number in range(workers)]

    def work(number: int) -> None:
        cells = [matrix.cell(run, death) for run, death in chosen[number::workers]]
        files[number].write_text(json.dumps([asdict(cell) for cell in cells]), encoding="utf-8")

    children = []
    for number in range(workers):
        child = os.fork()
        if child == 0:
            os._exit(_in_child(lambda number=number: work(number)) & 0xFF)  # type: ignore[misc]
        children.append(child)
    for child in children:
        _checked(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "a worker")
    found = [item for file in files for item in json.loads(file.read_text(encoding="utf-8"))]
    return [_cell(item) for item in found]


def _cell(item: dict[str, Any]) -> Cell:
    return Cell(
        run=item["run"],
        death=Death(**item["death"]),
        is_dead=item["is_dead"],
        same_job=Recovery(**item["same_job"]),
        new_run=Recovery(**item["new_run"]),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the matrix; the exit status is 1 when a cell was not survived."""
    parser = argparse.ArgumentParser(prog="python -m reliability.kill_matrix", description="Kill at every write.")
    parser.add_argument("--backend", choices=sorted(BACKENDS), default="local")
    parser.add_argument("--sample", type=int, default=1, help="try every N-th cell only")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md and docs/reliability.json")
    chosen = parser.parse_args(arguments)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="avesa-kill-matrix-") as name:
        folder = Path(name)
        with BACKENDS[chosen.backend](folder) as backend:
            matrix = Matrix(backend, folder)
            every = deaths(matrix.prepare())
            cells = _tried(matrix, every[:: chosen.sample], folder, chosen.workers)
    figures = summary(chosen.backend, cells, possible=len(every), seconds=time.perf_counter() - began)
    print(json.dumps(figures, indent=2))
    bad = [cell for cell in cells if not cell.is_survived]
    for cell in bad:
        print(f"not survived: {json.dumps(asdict(cell))}")
    if chosen.write:
        write_matrix(figures)
    return 1 if bad else 0


def summary(backend: str, cells: list[Cell], *, possible: int, seconds: float) -> dict[str, Any]:
    """Return the figures of a matrix, by run and kind of write."""
    rows: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.run, cell.death.kind), []).append(cell)
    return {
        "backend": backend,
        "cells": possible,
        "tried": len(cells),
        "survived": sum(cell.is_survived for cell in cells),
        "most_pages_again_per_chunk": max(
            (recovery.pages_again for cell in cells for recovery in (cell.same_job, cell.new_run)), default=0
        ),
        "seconds": round(seconds, 1),
        "rows": [
            {
                "run": run,
                "write": kind,
                "cells": len(found),
                "survived": sum(cell.is_survived for cell in found),
                "pages_again": max(r.pages_again for cell in found for r in (cell.same_job, cell.new_run)),
            }
            for (run, kind), found in sorted(rows.items(), key=lambda item: (list(RUNS).index(item[0][0]), item[0][1]))
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
