"""Progress on a terminal: a row for each table, with a bar, and a mark for each of its chunks."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from avesa.entrypoints import telling
from avesa.entrypoints.progress import STOPPING
from avesa.entrypoints.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console, ConsoleOptions, RenderResult

_MOST_MARKS: Final = 16
_LINES_KEPT_FREE: Final = 6
_STYLES: Final = {"completed": "green", "failed": "red", "skipped": "yellow"}
_FOLDING: Final = "folding"
_READING: Final = "reading"


@dataclass(slots=True, kw_only=True)
class _TableRow:
    """One table of one tenant, as far as events have told."""

    tenant_id: str
    table: str
    state: str = _READING
    expected: int | None = None
    records: int = 0
    chunks: int = 1
    done_chunks: int = 0
    folded: int = 0
    groups: int = 0
    chunk_states: dict[str, bool] = field(default_factory=dict)
    """Chunk id to whether it is read."""

    @property
    def is_finished(self) -> bool:
        return self.state not in {_READING, _FOLDING}


class LiveProgress:
    """Shows a run in place, eight times a second; finished tables make room when the screen is full."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], _TableRow] = {}
        self._notice = ""
        self._is_stopping = False
        self._started = time.monotonic()

    def emit(self, event: str, **fields: object) -> None:
        change = _CHANGES.get(event)
        with self._lock:
            if event == "request_retried":
                self._notice = printable(f"{fields.get('reason')}; again in {fields.get('wait_seconds')} s")
            if change is not None:
                # An event that lacks a field shows nothing: progress must never end a run.
                with suppress(KeyError, TypeError):
                    change(self._row(fields), fields)

    def stopping(self) -> None:
        self._is_stopping = True

    @contextmanager
    def shown(self) -> Iterator[None]:
        self._started = time.monotonic()
        with Live(self, console=self._out, refresh_per_second=8, transient=True):
            yield

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            rows = [self._rows[key] for key in sorted(self._rows)]
            notice = STOPPING if self._is_stopping else self._notice
            yield _table(rows, room=max(3, console.size.height - _LINES_KEPT_FREE))
            yield _summary(rows, time.monotonic() - self._started)
            if notice:
                yield Text(notice, style="yellow", no_wrap=True, overflow="ellipsis")

    def _row(self, fields: Mapping[str, Any]) -> _TableRow:
        key = (str(fields["tenant_id"]), str(fields["table"]))
        return self._rows.setdefault(key, _TableRow(tenant_id=key[0], table=key[1]))


def _planned(row: _TableRow, given: Mapping[str, Any]) -> None:
    row.expected, row.chunks = given["expected_records"], given["chunks"]


def _page(row: _TableRow, given: Mapping[str, Any]) -> None:
    row.records += given["records"]
    row.chunk_states[given["chunk"]] = given["is_last"]
    row.done_chunks = sum(row.chunk_states.values())


def _folded(row: _TableRow, given: Mapping[str, Any]) -> None:
    row.state, row.folded, row.groups = _FOLDING, given["done"], given["groups"]


def _reconciled(row: _TableRow, _given: Mapping[str, Any]) -> None:
    row.state = _FOLDING


def _finished(row: _TableRow, given: Mapping[str, Any]) -> None:
    row.state = str(given["status"])
    row.records = given["records"] or row.records


_CHANGES: Final = {
    "table_planned": _planned,
    "page_landed": _page,
    "group_folded": _folded,
    "table_reconciled": _reconciled,
    "table_finished": _finished,
}


def _table(rows: list[_TableRow], *, room: int) -> Table:
    table = Table.grid(padding=(0, 2))
    hidden = max(0, len(rows) - room)
    finished = [row for row in rows if row.is_finished]
    # Those under way matter most: finished ones leave first, the oldest before the newer.
    gone = {id(row) for row in (finished + [row for row in reversed(rows) if not row.is_finished])[:hidden]}
    for row in rows:
        if id(row) not in gone:
            table.add_row(*_cells(row))
    return table


def _cells(row: _TableRow) -> tuple[Text | ProgressBar, ...]:
    total = row.expected or max(row.records, 1)
    bar = ProgressBar(total=1, completed=1, width=18, complete_style="green")
    if row.state == _READING:
        # An increment does not know its size beforehand: the bar moves, it promises nothing.
        bar = ProgressBar(total=total, completed=row.records, width=18, pulse=row.expected is None)
    elif row.state == _FOLDING:
        bar = ProgressBar(total=max(row.groups, 1), completed=row.folded, width=18, complete_style="cyan")
    return (
        Text(row.tenant_id, style="bold"),
        Text(row.table),
        Text(row.state, style=_STYLES.get(row.state, "cyan")),
        bar,
        Text(f"{telling.count(row.records)} records", justify="right"),
        _marks(row),
    )


def _marks(row: _TableRow) -> Text:
    """Return a mark for each chunk: read, being read, waiting; numbers when there are many."""
    reading = len(row.chunk_states) - row.done_chunks
    if row.chunks > _MOST_MARKS:
        return Text(f"{row.done_chunks}/{row.chunks} chunks, {reading} being read")
    waiting = max(0, row.chunks - row.done_chunks - reading)
    marks = Text()
    marks.append("●" * row.done_chunks, style="green")
    marks.append("◐" * reading, style="cyan")
    marks.append("○" * waiting, style="dim")
    return marks


def _summary(rows: list[_TableRow], seconds: float) -> Text:
    finished = sum(row.is_finished for row in rows)
    records = sum(row.records for row in rows)
    return Text(f"{finished} of {len(rows)} tables, {telling.count(records)} records, {seconds:.0f} s", style="dim")
