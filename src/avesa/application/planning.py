"""Which part of a table is read, and in which chunks. Decisions only; the steps act on them."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

from avesa.application.source import IdRange
from avesa.domain.model import Chunk, ReadMode, TablePlan, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from avesa.application.payloads import TableTask
    from avesa.connectors.settings import Endpoint, Limits
    from avesa.domain.model import TableState, TenantService

_SECOND = timedelta(seconds=1)
_PAGES_WORTH_A_CUT = 2


def read_mode(task: TableTask, state: TableState, endpoint: Endpoint, tenant: TenantService) -> ReadMode:
    """Return what to read: what was asked for, or whole where there is no bookmark or no filter to be trusted."""
    if task.request.mode is not None:
        return task.request.mode
    if state.bookmark_at is None or endpoint.incremental_field is None or task.table_name in tenant.untrusted_filters:
        return ReadMode.FULL
    if task.request.detect_deletes and endpoint.reread_in_sweep:
        return ReadMode.FULL
    return ReadMode.INCREMENT


def can_adopt(plan: TablePlan, mode: ReadMode, window: Window, *, not_before: datetime | None = None) -> bool:
    """Whether an unfinished plan serves a run of `mode`: what it has made durable need not be read again.

    A plan that reads more serves one that asks for less; a backfill only its own range. Who asks for all of a table
    that was read before wants changes that no increment shows: a plan begun before `not_before` may have missed them.
    """
    if (
        mode is ReadMode.FULL
        and not_before is not None
        and plan.source_now is not None
        and plan.source_now < not_before
    ):
        return False
    if mode is ReadMode.BACKFILL or plan.mode is ReadMode.BACKFILL:
        return plan.mode is mode and plan.window == window
    return plan.mode is ReadMode.FULL or mode is ReadMode.INCREMENT


def window_of(
    mode: ReadMode, task: TableTask, state: TableState, *, overlap_minutes: float, lookback: datetime | None
) -> Window:
    """Return the source times that a read of `mode` asks for; a full read asks for all."""
    #   ... | overlap | bookmark ........ now, no upper end
    #       ^ since: covers clocks that differ and commits that became visible late
    if mode is ReadMode.INCREMENT and state.bookmark_at is not None:
        return Window(since=state.bookmark_at - timedelta(minutes=overlap_minutes))
    if mode is ReadMode.BACKFILL:
        since = task.request.since or lookback
        return Window(since=None if since is None else since - _SECOND, until=task.request.until)
    return Window()


def needs_count(mode: ReadMode, window: Window, now: datetime, limits: Limits) -> bool:
    """Whether the read is large enough to pay for planning; most increments are one page."""
    if mode is ReadMode.INCREMENT and window.since is not None:
        return now - window.since > timedelta(hours=limits.plan_after_hours)
    return mode is ReadMode.FULL


def chunk_size(count: int, limits: Limits, *, at_once: int) -> int:
    """Return how many rows a chunk is planned for: whole pages, as many chunks as may be under way at once, none too
    small to pay for the request that finds where it begins.
    """
    pages = ceil(count / limits.page_size / at_once)
    return min(limits.chunk_records, max(_PAGES_WORTH_A_CUT, pages) * limits.page_size)


def cut(count: int, size: int, ids_at: Callable[[list[int]], list[int | None]]) -> list[IdRange]:
    """Return id ranges of about `size` rows each, cut where the rows are; together they cover every id.

    `ids_at(positions)` tells the id of the row at each position. Rows may come and go while it is asked: ranges are
    made of the ids told, so that each id is in exactly one of them, and the last one has no upper end.
    """
    cuts: list[int] = []
    for record_id in ids_at(list(range(size, count, size))):
        if record_id is not None and (not cuts or record_id > cuts[-1]):
            cuts.append(record_id)
    edges: list[int | None] = [None, *cuts, None]
    return [IdRange(after=after, upto=upto) for after, upto in itertools.pairwise(edges)]


def split_window(window: Window, *, now: datetime, days: int) -> list[Window]:
    """Return windows of at most `days` that together are `window`; the last one keeps its end (open if it was)."""
    if window.since is None:
        return [window]
    end = now if window.until is None else min(window.until, now)
    windows: list[Window] = []
    since = window.since
    while since + timedelta(days=days) < end:
        windows.append(Window(since=since, until=since + timedelta(days=days)))
        since += timedelta(days=days)
    return [*windows, Window(since=since, until=window.until)]


def catch_up(plan: TablePlan, chunks: Sequence[Chunk], *, overlap_minutes: float) -> Chunk | None:
    """Return a chunk for what changed since an unfinished plan was begun; None when nothing of it was read yet, or its
    last catch-up waits to be read.

    Without it a run that goes on with an old plan would complete a table as it was, and as many records that came since
    as went would leave the counts equal.
    """
    begun = [chunk.read_started_at for chunk in chunks if chunk.read_started_at is not None]
    is_waiting = chunks[-1].window != plan.window and chunks[-1].read_started_at is None
    if not begun or is_waiting or plan.mode is ReadMode.BACKFILL:
        return None
    since = min([*begun, *([plan.source_now] if plan.source_now is not None else [])])
    last = chunks[-1]
    number = len(chunks) + 1
    return Chunk(
        tenant_id=last.tenant_id,
        table_name=last.table_name,
        chunk_id=f"{plan.job_id}/{last.table_name}/{number:05d}",
        job_id=plan.job_id,
        window=Window(since=since - timedelta(minutes=overlap_minutes)),
    )


def chunks_of(task: TableTask, plan: TablePlan, parts: Sequence[tuple[Window, IdRange]]) -> list[Chunk]:
    """Return the plan's chunks, numbered in order."""
    return [
        Chunk(
            tenant_id=task.tenant_id,
            table_name=task.table_name,
            chunk_id=f"{plan.job_id}/{task.table_name}/{number:05d}",
            job_id=plan.job_id,
            window=window,
            after_id=ids.after,
            upto_id=ids.upto,
        )
        for number, (window, ids) in enumerate(parts, start=1)
    ]
