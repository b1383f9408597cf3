"""What a run will take, told beforehand: one count for each table, what its past runs took, and arithmetic.

Every number says what it rests on. A table that was never read is asked for a page of a few records as well, to learn
how large they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from avesa.application import planning
from avesa.application.catalog import load_catalog
from avesa.application.connection import connect, find_tenant
from avesa.application.demand import Demand, Read, demand_of
from avesa.application.operations import table_operations
from avesa.application.payloads import TableTask, parse_request
from avesa.application.rates import Rates, rates_of
from avesa.application.source import IdRange
from avesa.application.steps.run import tenant_tasks
from avesa.connectors.pages import split_page
from avesa.domain.errors import SourceError
from avesa.domain.model import ReadMode, Usage, Window
from avesa.domain.prices import Operations, Prices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from avesa.application.catalog import Catalog
    from avesa.application.context import StepContext
    from avesa.application.payloads import TenantTask
    from avesa.application.source import Source
    from avesa.connectors.settings import Endpoint, Limits
    from avesa.domain.model import TableState, TenantService

_SAMPLE_RECORDS: Final = 25
STORED_SHARE: Final = 0.1
"""Bytes in raw and canonical for each byte received, on the simulator's records; real ones may pack half as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableForecast:
    """What a run is expected to take for one table; `error` says why there is no forecast."""

    tenant_id: str
    table_name: str
    mode: ReadMode | None = None
    is_swept: bool = False
    window: Window = field(default_factory=Window)
    records: int = 0
    chunks: int = 0
    requests: int = 0
    seconds: float = 0.0
    received_bytes: int = 0
    stored_bytes: int = 0
    dollars: float = 0.0
    operations: Operations = field(default_factory=Operations)
    """What AWS would bill, whose price `dollars` is."""
    guesses: tuple[str, ...] = ()
    """What is not counted or measured, in words."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A tenant's source and what is known of it: whom to ask for counts."""

    context: StepContext
    catalog: Catalog
    tenant: TenantService
    source: Source
    prices: Prices


def forecast_run(context: StepContext, request: Mapping[str, object], prices: Prices) -> Iterator[TableForecast]:
    """Yield what each table of the run will take; a table that the source refuses has the reason in its place.

    Nothing is stored and no lease is taken. Raises UsageError for a request that a run would refuse.
    """
    checked = parse_request(request)
    catalog = load_catalog(context.lake)
    if checked.table_name is not None:
        checked = replace(checked, table_name=catalog.resolve(checked.table_name))
    for task in tenant_tasks(context, checked, catalog):
        yield from _of_tenant(context, catalog, task, prices)


def _of_tenant(context: StepContext, catalog: Catalog, task: TenantTask, prices: Prices) -> Iterator[TableForecast]:
    request = task.request
    names = (request.table_name,) if request.table_name is not None else catalog.endpoints.enabled()
    tenant = find_tenant(context, task.tenant_id, task.service)
    for name in names:
        wanted = TableTask(job_id="", tenant_id=task.tenant_id, service=task.service, table_name=name, request=request)
        try:
            source = connect(context, tenant, catalog)
            asker = Asker(context=context, catalog=catalog, tenant=tenant, source=source, prices=prices)
            yield _of_table(asker, wanted)
        except SourceError as error:
            yield TableForecast(tenant_id=task.tenant_id, table_name=name, error=str(error))


def _of_table(asker: Asker, task: TableTask) -> TableForecast:
    context, name = asker.context, task.table_name
    endpoint, limits = asker.catalog.endpoint(name), asker.catalog.limits(name)
    state = context.tables.get(task.tenant_id, name)
    mode = planning.read_mode(task, state, endpoint, asker.tenant)
    lookback = context.clock.now() - timedelta(days=asker.catalog.backfill.rule(task.service, task.tenant_id)[0])
    window = planning.window_of(mode, task, state, overlap_minutes=limits.overlap_minutes, lookback=lookback)
    guesses: list[str] = []
    read = _read(asker, task, endpoint, limits, mode, window, guesses)
    if state.plan is not None and planning.can_adopt(state.plan, mode, window):
        read = _remaining(context, state, read, guesses)
    rates = rates_of(state, mode, sampled=_sampled(asker, endpoint, limits, window, state, read), guesses=guesses)
    demand = demand_of(read, limits, chunks_at_once=asker.context.bounds.chunks_at_once(limits.max_concurrency))
    is_new = state.bookmark_at is None
    operations = table_operations(
        demand, records=read.records, answer_seconds=rates.answer_seconds, is_new=is_new, is_swept=read.is_swept
    )
    told = _told(asker, task, window, read, demand, rates, guesses)
    return replace(told, operations=operations, dollars=asker.prices.of(operations))


def _read(
    asker: Asker,
    task: TableTask,
    endpoint: Endpoint,
    limits: Limits,
    mode: ReadMode,
    window: Window,
    guesses: list[str],
) -> Read:
    now = asker.context.clock.now()
    records, _ = asker.source.count(endpoint, limits, window=window)
    windows = 1
    if mode is ReadMode.BACKFILL and endpoint.incremental_field is not None:
        days = asker.catalog.backfill.rule(task.service, task.tenant_id)[1]
        windows = len(planning.split_window(window, now=now, days=days))
        if windows > 1:
            guesses.append("requests: records are taken to lie evenly over the range's windows")
    is_swept = task.request.detect_deletes
    everything = records
    if is_swept and mode is not ReadMode.FULL:
        everything, _ = asker.source.count(endpoint, limits, window=Window())
    return Read(
        mode=mode,
        records=records,
        is_counted=planning.needs_count(mode, window, now, limits),
        windows=windows,
        is_swept=is_swept,
        table_records=everything,
    )


def _remaining(context: StepContext, state: TableState, read: Read, guesses: list[str]) -> Read:
    """Return what an interrupted read still has before it: its durable pages are not asked for again."""
    if state.plan is None:
        return read
    done = sum(chunk.records for chunk in context.chunks.list(state.tenant_id, state.table_name, state.plan.job_id))
    guesses.append(
        f"the read of job {state.plan.job_id} goes on: {done} records are durable, and what changed since is asked for"
    )
    return replace(read, records=max(0, read.records - done), is_counted=False)


def _sampled(
    asker: Asker, endpoint: Endpoint, limits: Limits, window: Window, state: TableState, read: Read
) -> Usage | None:
    """Return what a page of a few records took, per record; None when past runs know better or there is none."""
    if state.runs or read.records == 0:
        return None
    asker.source.tally.take()
    few = limits.model_copy(update={"page_size": _SAMPLE_RECORDS})
    page = asker.source.page(endpoint, few, window=window, ids=IdRange(), split=split_page).page
    taken = asker.source.tally.take()
    return replace(taken, received_bytes=taken.received_bytes // max(1, len(page.ids)))


def _told(
    asker: Asker,
    task: TableTask,
    window: Window,
    read: Read,
    demand: Demand,
    rates: Rates,
    guesses: list[str],
) -> TableForecast:
    limits = asker.catalog.limits(task.table_name)
    at_once = min(limits.max_concurrency, asker.context.bounds.chunks)
    received = round(read.records * rates.record_bytes)
    return TableForecast(
        tenant_id=task.tenant_id,
        table_name=task.table_name,
        mode=read.mode,
        is_swept=read.is_swept,
        window=window,
        records=read.records,
        chunks=demand.chunks,
        requests=demand.requests,
        seconds=rates.seconds(rounds=demand.rounds(at_once), records=read.records),
        received_bytes=received,
        stored_bytes=math.ceil(received * STORED_SHARE),
        guesses=tuple(guesses),
    )
