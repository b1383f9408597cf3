"""The step that leases and plans one table, and the one that lets go of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from avesa.application import planning
from avesa.application.catalog import load_catalog
from avesa.application.connection import connect, find_tenant
from avesa.application.payloads import TableEnd, TableTask, TableWork, from_json, to_json
from avesa.application.source import IdRange
from avesa.domain.errors import LeaseHeld, LeaseLost
from avesa.domain.model import Chunk, ReadMode, Status, TablePlan, Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from avesa.application.catalog import Catalog
    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.application.source import Source
    from avesa.domain.model import Lease, TableState

_WAIT_SLICE_SECONDS = 2.0


def process_table(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Lease the table and plan its chunks, or go on with an unfinished plan. Raises LeaseHeld when another run
    has it.
    """
    task = from_json(TableTask, payload)
    lease = _lease(context, task)
    state = context.tables.get(task.tenant_id, task.table_name)
    if task.request.rebuild:
        return to_json(TableWork(task=task, lease=lease))
    catalog = load_catalog(context.lake)
    limits = catalog.limits(task.table_name)
    plan, chunks = _planned(context, task, lease, state, catalog)
    context.events.emit(
        "table_planned",
        tenant_id=task.tenant_id,
        table=task.table_name,
        mode=plan.mode,
        chunks=len(chunks),
        expected_records=plan.expected_records,
        resumed=plan.job_id != task.job_id,
    )
    windows = catalog.backfill.rule(task.service, task.tenant_id)[2]
    concurrency = windows if plan.mode is ReadMode.BACKFILL else limits.max_concurrency
    ids = tuple(chunk.chunk_id for chunk in chunks)
    return to_json(TableWork(task=task, lease=lease, plan=plan, chunk_ids=ids, concurrency=concurrency))


def _lease(context: StepContext, task: TableTask) -> Lease:
    """Return the lease; wait for another run as long as the request allows."""
    holder = context.liveness.holder(task.job_id)
    patience = task.request.wait_seconds
    while True:
        try:
            return context.tables.acquire(
                task.tenant_id,
                task.table_name,
                holder=holder,
                now=context.clock.now(),
                ttl_seconds=context.bounds.lease_ttl_seconds,
                is_gone=context.liveness.is_gone,
            )
        except LeaseHeld:
            if patience <= 0 or context.is_stopping():
                raise
        nap = min(_WAIT_SLICE_SECONDS, patience)
        context.clock.sleep(nap)
        patience -= nap


def _planned(
    context: StepContext, task: TableTask, lease: Lease, state: TableState, catalog: Catalog
) -> tuple[TablePlan, list[Chunk]]:
    tenant = find_tenant(context, task.tenant_id, task.service)
    endpoint, limits = catalog.endpoint(task.table_name), catalog.limits(task.table_name)
    mode = planning.read_mode(task, state, endpoint, tenant)
    lookback = context.clock.now() - timedelta(days=catalog.backfill.rule(task.service, task.tenant_id)[0])
    window = planning.window_of(mode, task, state, overlap_minutes=limits.overlap_minutes, lookback=lookback)
    if state.plan is not None and planning.can_adopt(state.plan, mode, window):
        chunks = context.chunks.list(task.tenant_id, task.table_name, state.plan.job_id)
        if len(chunks) == state.plan.chunk_count:
            return state.plan, chunks
    source = connect(context, tenant, catalog)
    plan, parts = _cut(context, task, catalog, source, mode, window)
    chunks = planning.chunks_of(task, plan, parts)
    # The plan is stored after its chunks: a crash in between leaves chunks that nobody follows, never a plan
    # without them.
    context.chunks.add(lease, chunks)
    context.tables.save(lease, replace(state, plan=plan, last_job_id=task.job_id))
    return plan, chunks


def _cut(
    context: StepContext, task: TableTask, catalog: Catalog, source: Source, mode: ReadMode, window: Window
) -> tuple[TablePlan, list[tuple[Window, IdRange]]]:
    endpoint, limits = catalog.endpoint(task.table_name), catalog.limits(task.table_name)
    now = context.clock.now()
    if mode is ReadMode.BACKFILL:
        days = catalog.backfill.rule(task.service, task.tenant_id)[1]
        parts = [(part, IdRange()) for part in planning.split_window(window, now=now, days=days)]
        return TablePlan(job_id=task.job_id, mode=mode, window=window, chunk_count=len(parts)), parts
    source_now: datetime | None = None
    expected: int | None = None
    ranges = [IdRange()]
    if planning.needs_count(mode, window, now, limits):
        expected, source_now = source.count(endpoint, limits, window=window)
        ranges = planning.cut(
            expected,
            limits.chunk_records,
            lambda position: source.id_at(endpoint, limits, window=window, position=position),
        )
    plan = TablePlan(
        job_id=task.job_id,
        mode=mode,
        window=window,
        source_now=source_now,
        chunk_count=len(ranges),
        expected_records=expected,
    )
    return plan, [(window, ids) for ids in ranges]


def finish_table(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Let go of the table, remembering why it failed if it did; a lease that is lost already is left to its new
    holder.
    """
    end = from_json(TableEnd, payload)
    task, lease = end.work.task, end.work.lease
    if end.result.status is not Status.COMPLETED:
        state = context.tables.get(task.tenant_id, task.table_name)
        try:
            context.tables.save(lease, replace(state, last_job_id=task.job_id, last_error=end.result.error))
        except LeaseLost:
            context.events.emit("lease_lost", tenant_id=task.tenant_id, table=task.table_name)
    context.tables.release(lease)
    context.events.emit(
        "table_finished",
        tenant_id=task.tenant_id,
        table=task.table_name,
        status=end.result.status,
        records=end.result.records_extracted,
        opened=end.result.versions_opened,
        closed=end.result.versions_closed,
        error=end.result.error,
    )
    return to_json(end.result)
