"""What a run is doing, told while it happens, in a line for each event: for pipes, files and logs."""

from __future__ import annotations

import contextlib
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from avesa.entrypoints import telling
from avesa.entrypoints.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

STOPPING: Final = "stopping after the pages in flight; interrupt again to end at once"


class LineProgress:
    """A line for each event that a person would want to know of, without control codes."""

    def __init__(self, stream: TextIO, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._stream, self._now = stream, now
        self._lock = threading.Lock()
        self._is_open = True

    def emit(self, event: str, **fields: object) -> None:
        told = line_of(event, fields)
        if told is None:
            return
        text = f"{self._now():%H:%M:%S} {printable(told)}\n"
        with self._lock:
            if self._is_open:
                self._write(text)

    def stopping(self) -> None:
        # Not through the stream: the handler may have interrupted a write of it.
        with contextlib.suppress(OSError):
            os.write(2, f"avesa: {STOPPING}\n".encode())

    @contextmanager
    def shown(self) -> Iterator[None]:
        yield

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Whoever read the lines has gone; the run goes on, and the command finds out when it reports.
            self._is_open = False


def line_of(event: str, fields: Mapping[str, Any]) -> str | None:
    """Return what a line says of an event; None for those that only matter to programs.

    An event that lacks a field is told by its name: progress must never end a run.
    """
    teller = _LINES.get(event)
    try:
        return None if teller is None else teller(fields)
    except (KeyError, TypeError, ValueError):
        return event


def _planned(given: Mapping[str, Any]) -> str:
    mode = {"full": "whole table", "increment": "changes since the bookmark", "backfill": "a range again"}
    expected = given.get("expected_records")
    size = "" if expected is None else f", {telling.count(expected)} records"
    chunks = given["chunks"]
    resumed = ", going on with an earlier plan" if given.get("resumed") else ""
    return f"{_where(given)} reading: {mode.get(given['mode'], given['mode'])}{size}, {_many(chunks, 'chunk')}{resumed}"


def _page(given: Mapping[str, Any]) -> str | None:
    if not given.get("is_last"):
        return None
    return f"{_where(given)} chunk {chunk_label(given['chunk'])} read, {_many(given['page'], 'page')}"


_COUNTS: Final = (("records", "extracted"), ("opened", "opened"), ("closed", "closed"))


def _finished(given: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{telling.count(given[kind])} {told}" for kind, told in _COUNTS)
    return f"{_where(given)} {given['status']}: {given.get('error') or counts}"


def _where(given: Mapping[str, Any]) -> str:
    return f"{given['tenant_id']} {given['table']}:"


def _many(number: int, thing: str) -> str:
    return f"{telling.count(number)} {thing}{'' if number == 1 else 's'}"


def chunk_label(chunk_id: str) -> str:
    """Return what tells a chunk from its table's others: the id without the job's."""
    return chunk_id.rpartition("/")[2].rpartition("#")[2]


_LINES: Final[Mapping[str, Callable[[Mapping[str, Any]], str | None]]] = {
    "job_started": lambda given: f"job {given['job_id']}: {_many(given['tenants'], 'tenant')}",
    "table_planned": _planned,
    "page_landed": _page,
    "request_retried": lambda given: (
        f"{given['path']}: try {given['tries']} failed, again in {given['wait_seconds']} s ({given['reason']})"
    ),
    "records_repaired": lambda given: (
        f"{_where(given)} {_many(given['asked'], 'id')} asked for once more, {given['found']} found"
    ),
    "deletions_found": lambda given: f"{_where(given)} {_many(given['count'], 'record')} no longer at the source",
    "erased_record_returned": lambda given: (
        f"{_where(given)} {_many(given['count'], 'record')} that you erased came back: erase it at the source, then "
        "`avesa erase-record` again"
    ),
    "table_reconciled": lambda given: (
        f"{_where(given)} reconciled: source {telling.count(given['source'])}, lake {telling.count(given['lake'])}"
    ),
    "commit_repeated": lambda given: f"{_where(given)} folding again ({given['reason']})",
    "table_finished": _finished,
    "unforeseen_error": lambda given: f"unforeseen {given['kind']} at {' < '.join(reversed(given['where']))}",
    "job_finished": lambda given: f"job {given['job_id']}: {given['status']}",
}
