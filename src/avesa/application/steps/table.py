"""The step that leases and plans one table, and the one that lets go of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from avesa.application import planning
from avesa.application.catalog import load_catalog
from avesa.application.connection import connect, find_tenant
from avesa.application.history import run_of, with_run
from avesa.application.leasing import acquire, seen_at
from avesa.application.operations import operations_of
from avesa.application.payloads import StepFailure, TableEnd, TableTask, TableWork, from_json, to_json
from avesa.application.source import IdRange
from avesa.domain.errors import IncompleteError, LeaseHeld, LeaseLost
from avesa.domain.model import Chunk, ReadMode, Status, TablePlan, TableResult, Usage, Window
from avesa.domain.names import manifest_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from avesa.application.catalog import Catalog
    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.application.source import Source
    from avesa.connectors.settings import Endpoint, Limits
    from avesa.domain.model import Lease, TableState

_WAIT_SLICE_SECONDS = 2.0
_RESUMED_WITHIN = timedelta(hours=24)


def process_table(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Lease the table and plan its chunks, or go on with an unfinished plan. Raises LeaseHeld when another run
    has it.
    """
    task = from_json(TableTask, payload)
    work = TableWork(task=task, lease=_lease(context, task))
    if task.request.is_offline:
        return to_json(work)
    try:
        return to_json(_with_plan(context, work))
    except Exception as error:
        # Nobody else has the lease to let go of.
        _remember_failure(context, work, str(error))
        context.tables.release(work.lease)
        raise


def _with_plan(context: StepContext, work: TableWork) -> TableWork:
    task = work.task
    state = context.tables.get(task.tenant_id, task.table_name)
    catalog = load_catalog(context.lake)
    limits = catalog.limits(task.table_name)
    plan, chunks, usage = _planned(context, task, work.lease, state, catalog)
    context.events.emit(
        "table_planned",
        tenant_id=task.tenant_id,
        table=task.table_name,
        mode=plan.mode,
        chunks=len(chunks),
        expected_records=plan.expected_records,
        resumed=plan.job_id != task.job_id,
    )
    if (plan.expected_records or 0) > context.bounds.inline_fold_rows:
        context.executor.prepare(context.canonical.fold)
    windows = catalog.backfill.rule(task.service, task.tenant_id)[2]
    at_once = context.bounds.chunks_at_once(limits.max_concurrency)
    concurrency = windows if plan.mode is ReadMode.BACKFILL else at_once
    planned = replace(work, plan=plan, concurrency=concurrency, usage=usage)
    return _with_chunks(context, planned, [chunk.chunk_id for chunk in chunks])


def _with_chunks(context: StepContext, work: TableWork, chunk_ids: list[str]) -> TableWork:
    """Return the work with its chunk ids, or with the key under which the lake has them."""
    if len(chunk_ids) <= context.bounds.inline_chunks:
        return replace(work, chunk_ids=tuple(chunk_ids))
    task = work.task
    key = f"{manifest_prefix(task.tenant_id, task.job_id)}{task.table_name}/f{work.lease.fence}.json"
    content = json.dumps([{"chunk_id": chunk_id} for chunk_id in chunk_ids]).encode()
    context.lake.put(key, content, overwrite=True)
    return replace(work, manifest_key=key)


def cut_ranges(
    context: StepContext, source: Source, endpoint: Endpoint, limits: Limits, window: Window, count: int
) -> list[IdRange]:
    """Return the id ranges in which `count` rows of a window are read side by side."""

    def ids_at(positions: list[int]) -> list[int | None]:
        def id_at(position: int) -> int | None:
            return source.id_at(endpoint, limits, window=window, position=position)

        return context.executor.map(id_at, positions, limit=limits.max_concurrency)

    at_once = context.bounds.chunks_at_once(limits.max_concurrency)
    return planning.cut(count, planning.chunk_size(count, limits, at_once=at_once), ids_at)


def _lease(context: StepContext, task: TableTask) -> Lease:
    """Return the lease; wait for another run as long as the request allows."""
    holder = context.liveness.holder(task.job_id)
    patience = task.request.wait_seconds
    while True:
        try:
            return acquire(context, task.tenant_id, task.table_name, holder)
        except LeaseHeld:
            if patience <= 0 or context.is_stopping():
                raise
        nap = min(_WAIT_SLICE_SECONDS, patience)
        context.clock.sleep(nap)
        patience -= nap


def _planned(
    context: StepContext, task: TableTask, lease: Lease, state: TableState, catalog: Catalog
) -> tuple[TablePlan, list[Chunk], Usage]:
    tenant = find_tenant(context, task.tenant_id, task.service)
    endpoint, limits = catalog.endpoint(task.table_name), catalog.limits(task.table_name)
    mode = planning.read_mode(task, state, endpoint, tenant)
    lookback = context.clock.now() - timedelta(days=catalog.backfill.rule(task.service, task.tenant_id)[0])
    window = planning.window_of(mode, task, state, overlap_minutes=limits.overlap_minutes, lookback=lookback)
    not_before = None if state.bookmark_at is None else context.clock.now() - _RESUMED_WITHIN
    if state.plan is not None and planning.can_adopt(state.plan, mode, window, not_before=not_before):
        chunks = context.chunks.list(task.tenant_id, task.table_name, state.plan.job_id)
        # One more than planned: a crash came between a catch-up and its plan.
        if len(chunks) >= state.plan.chunk_count:
            has_filter = endpoint.incremental_field is not None and task.table_name not in tenant.untrusted_filters
            overlap = limits.overlap_minutes
            late = planning.catch_up(state.plan, chunks, overlap_minutes=overlap) if has_filter else None
            chunks += [late] if late is not None else []
            return _resumed(context, task, lease, state, state.plan, chunks), chunks, Usage()
    source = connect(context, tenant, catalog)
    plan, parts = _cut(context, task, catalog, source, mode, window)
    chunks = planning.chunks_of(task, plan, parts)
    # The plan is stored after its chunks: a crash in between leaves chunks that nobody follows, never a plan
    # without them.
    context.chunks.add(lease, chunks)
    latest_at = seen_at(context, lease)
    context.tables.save(lease, replace(state, plan=plan, last_job_id=task.job_id, latest_at=latest_at))
    return plan, chunks, source.tally.take()


def _resumed(
    context: StepContext, task: TableTask, lease: Lease, state: TableState, plan: TablePlan, chunks: list[Chunk]
) -> TablePlan:
    """Take over an unfinished plan, with the chunks that it has by now."""
    if len(chunks) != plan.chunk_count:
        context.chunks.add(lease, chunks[plan.chunk_count :])
        plan = replace(plan, chunk_count=len(chunks))
        context.tables.save(lease, replace(state, plan=plan, last_job_id=task.job_id))
    return plan


def _cut(
    context: StepContext, task: TableTask, catalog: Catalog, source: Source, mode: ReadMode, window: Window
) -> tuple[TablePlan, list[tuple[Window, IdRange]]]:
    endpoint, limits = catalog.endpoint(task.table_name), catalog.limits(task.table_name)
    now = context.clock.now()
    if mode is ReadMode.BACKFILL:
        days = catalog.backfill.rule(task.service, task.tenant_id)[1]
        # Without a filter every window would bring the whole table.
        windows = planning.split_window(window, now=now, days=days) if endpoint.incremental_field else [window]
        parts = [(part, IdRange()) for part in windows]
        return TablePlan(job_id=task.job_id, mode=mode, window=window, chunk_count=len(parts)), parts
    source_now: datetime | None = None
    expected: int | None = None
    ranges = [IdRange()]
    if planning.needs_count(mode, window, now, limits):
        expected, source_now = source.count(endpoint, limits, window=window)
        ranges = cut_ranges(context, source, endpoint, limits, window, expected)
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
    """Let go of the table and give its result; a failure is remembered, and becomes the result.

    A lease that is lost already is left to its new holder.
    """
    end = from_json(TableEnd, payload)
    # A fold that failed in a later call leaves the word of the call before, that it is under way.
    is_told = end.result is not None and end.result.status is not Status.PROCESSING
    result = end.result if end.result is not None and is_told else _result_of_failure(context, end)
    if end.work is not None:
        if result.status is not Status.COMPLETED:
            _remember_failure(context, end.work, result.error)
        context.tables.release(end.work.lease)
    _tell(context, end, result)
    return to_json(result)


def _tell(context: StepContext, end: TableEnd, result: TableResult) -> None:
    """Say how the table ended, and what that took."""
    run = None if end.work is None else run_of(context, end.work, result.status)
    context.events.emit(
        "table_finished",
        tenant_id=end.task.tenant_id,
        table=end.task.table_name,
        status=result.status,
        records=result.records_extracted,
        opened=result.versions_opened,
        closed=result.versions_closed,
        quarantined=result.quarantined,
        coerced=result.coerced,
        seconds=None if run is None else round(run.seconds, 3),
        requests=None if run is None else run.usage.requests,
        dollars=None if run is None or context.prices is None else context.prices.of(operations_of(run)),
        error=result.error,
    )
    if end.error is not None and end.error.Error == IncompleteError.__name__:
        context.events.emit("table_incomplete", tenant_id=end.task.tenant_id, table=end.task.table_name)


def _result_of_failure(context: StepContext, end: TableEnd) -> TableResult:
    error = end.error or StepFailure(Error="AvesaError", Cause="the table's work ended without a result")
    canonical = load_catalog(context.lake).endpoint(end.task.table_name).canonical_table
    return TableResult(
        table_name=end.task.table_name,
        canonical_table=canonical or "",
        status=Status.SKIPPED if error.Error == LeaseHeld.__name__ else Status.FAILED,
        error=error.words,
    )


def _remember_failure(context: StepContext, work: TableWork, error: str | None) -> None:
    task = work.task
    state = context.tables.get(task.tenant_id, task.table_name)
    try:
        latest_at = seen_at(context, work.lease)
        known = with_run(context, work, state, Status.FAILED)
        context.tables.save(work.lease, replace(known, last_job_id=task.job_id, last_error=error, latest_at=latest_at))
    except LeaseLost:
        context.events.emit("lease_lost", tenant_id=task.tenant_id, table=task.table_name)
