"""Progress tells what happens, in one line for each event, and never ends a run."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime

import pytest
from rich.console import Console

from avesa.entrypoints.live import LiveProgress
from avesa.entrypoints.progress import LineProgress, line_of

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
WHERE = {"tenant_id": "acme", "table": "service/tickets"}
PLANNED = {**WHERE, "mode": "full", "chunks": 3, "expected_records": 8000, "resumed": False}


def _lines(*events: tuple[str, dict[str, object]]) -> list[str]:
    stream = io.StringIO()
    progress = LineProgress(stream, now=lambda: NOON)
    for event, fields in events:
        progress.emit(event, **fields)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("event", "fields", "line"),
    [
        ("job_started", {"job_id": "j1", "tenants": 1}, "job j1: 1 tenant"),
        ("table_planned", PLANNED, "acme service/tickets: reading: whole table, 8,000 records, 3 chunks"),
        (
            "table_planned",
            {**PLANNED, "mode": "increment", "chunks": 1, "expected_records": None, "resumed": True},
            "acme service/tickets: reading: changes since the bookmark, 1 chunk, going on with an earlier plan",
        ),
        (
            "page_landed",
            {**WHERE, "chunk": "j1/service/tickets/00002", "page": 4, "records": 9, "is_last": True},
            "acme service/tickets: chunk 00002 read, 4 pages",
        ),
        (
            "table_reconciled",
            {**WHERE, "source": 8000, "lake": 7999},
            "acme service/tickets: reconciled: source 8,000, lake 7,999",
        ),
        ("deletions_found", {**WHERE, "count": 1}, "acme service/tickets: 1 record no longer at the source"),
        (
            "table_finished",
            {**WHERE, "status": "failed", "records": 0, "opened": 0, "closed": 0, "error": "HTTP 500"},
            "acme service/tickets: failed: HTTP 500",
        ),
        ("unforeseen_error", {"kind": "KeyError", "where": ["a:1 f", "b:2 g"]}, "unforeseen KeyError at b:2 g < a:1 f"),
    ],
)
def test_an_event_is_told_in_a_line(event: str, fields: dict[str, object], line: str) -> None:
    assert _lines((event, fields)) == [f"12:00:00 {line}"]


def test_pages_within_a_chunk_and_unknown_events_are_not_told() -> None:
    page = {**WHERE, "chunk": "c", "page": 1, "records": 9, "is_last": False}

    assert _lines(("page_landed", page), ("something_new", {"a": 1})) == []


def test_an_event_without_its_fields_is_told_by_name_and_raises_nothing() -> None:
    assert line_of("table_planned", {}) == "table_planned"
    assert line_of("table_reconciled", {**WHERE, "source": None, "lake": None}) == "table_reconciled"


def test_text_of_a_source_cannot_bring_control_codes() -> None:
    error = "HTTP 500 \x1b[31mred\nsecond line\r"

    (line,) = _lines(
        ("table_finished", {**WHERE, "status": "failed", "records": 0, "opened": 0, "closed": 0, "error": error})
    )

    assert line.isprintable()


def test_a_reader_that_went_away_does_not_end_the_run() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream, now=lambda: NOON)
    stream.close()

    progress.emit("job_started", job_id="j1", tenants=1)
    progress.emit("job_finished", job_id="j1", status="completed")


def _shown(live: LiveProgress, out: Console) -> str:
    with out.capture() as capture:
        out.print(live)
    return capture.get()


def _console(height: int = 40) -> Console:
    return Console(file=io.StringIO(), width=100, height=height, force_terminal=True, color_system=None)


def test_the_live_view_has_a_row_for_each_table_and_a_mark_for_each_chunk() -> None:
    out = _console()
    live = LiveProgress(out)

    live.emit("table_planned", **PLANNED)
    live.emit("page_landed", **WHERE, chunk="c1", page=1, records=1000, is_last=True)
    live.emit("page_landed", **WHERE, chunk="c2", page=1, records=500, is_last=False)

    text = _shown(live, out)
    assert "acme  service/tickets  reading" in text
    assert "1,500 records  ●◐○" in text
    assert "0 of 1 tables, 1,500 records" in text


def test_the_live_view_counts_chunks_when_there_are_many() -> None:
    out = _console()
    live = LiveProgress(out)

    live.emit("table_planned", **{**PLANNED, "chunks": 40})
    live.emit("page_landed", **WHERE, chunk="c1", page=1, records=1000, is_last=True)

    assert "1/40 chunks, 0 being read" in _shown(live, out)


def test_finished_tables_make_room_when_the_screen_is_full() -> None:
    out = _console(height=10)
    live = LiveProgress(out)

    for number in range(20):
        live.emit("table_planned", **{**PLANNED, "tenant_id": f"tenant-{number:02}"})
        if number != 7:
            live.emit(
                "table_finished",
                tenant_id=f"tenant-{number:02}",
                table="service/tickets",
                status="completed",
                records=5,
            )

    text = _shown(live, out)
    assert "tenant-07" in text
    assert len(text.splitlines()) <= 10
    assert "19 of 20 tables" in text


def test_the_live_view_says_that_it_is_stopping_and_why_it_waits() -> None:
    out = _console()
    live = LiveProgress(out)

    live.emit("request_retried", path="service/tickets", tries=1, wait_seconds=2.5, reason="HTTP 503")
    waiting = _shown(live, out)
    live.stopping()

    assert "HTTP 503; again in 2.5 s" in waiting
    assert "stopping after the pages in flight" in _shown(live, out)


def test_the_live_view_takes_events_from_many_threads_and_odd_ones() -> None:
    out = _console()
    live = LiveProgress(out)
    live.emit("table_planned", **PLANNED)
    live.emit("page_landed", **WHERE)
    live.emit("table_finished")

    def land(number: int) -> None:
        live.emit("page_landed", **WHERE, chunk=f"c{number}", page=1, records=10, is_last=True)

    threads = [threading.Thread(target=land, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert "200 records" in _shown(live, out)
