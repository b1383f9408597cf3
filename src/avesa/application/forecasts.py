"""Forecasts, kept beside the tenant's data until a run shows how good they were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from avesa.application.forecast import TableForecast
from avesa.application.operations import run_operations, tenant_operations
from avesa.domain.names import forecasts_prefix
from avesa.ports.decoding import decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from avesa.application.context import Bounds
    from avesa.domain.model import Job, TableRun, TableState
    from avesa.domain.prices import Prices
    from avesa.ports.lake import Lake

_KEPT: Final = 20
_BELIEVED_FOR: Final = timedelta(hours=24)
_NAME: Final = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What a whole run is expected to take."""

    tables: int
    requests: int
    records: int
    seconds: float
    received_bytes: int
    stored_bytes: int
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was foretold of a table and what its run took."""

    tenant_id: str
    table_name: str
    made_at: datetime
    forecast: TableForecast
    actual: TableRun


def total_of(tables: Sequence[TableForecast], bounds: Bounds, prices: Prices) -> Total:
    """Return what the tables take together: a tenant's side by side, and some tenants side by side."""
    by_tenant: dict[str, list[float]] = {}
    for table in tables:
        if table.error is None:
            by_tenant.setdefault(table.tenant_id, []).append(table.seconds)
    tenants = [_side_by_side(seconds, bounds.tables) for seconds in by_tenant.values()]
    shared = run_operations() + tenant_operations().times(len(tenants)) if tenants else run_operations().times(0)
    return Total(
        tables=sum(map(len, by_tenant.values())),
        requests=sum(table.requests for table in tables) + len(tenants),
        records=sum(table.records for table in tables),
        seconds=_side_by_side(tenants, bounds.tenants),
        received_bytes=sum(table.received_bytes for table in tables),
        stored_bytes=sum(table.stored_bytes for table in tables),
        dollars=sum(table.dollars for table in tables) + prices.of(shared),
    )


def _side_by_side(seconds: Sequence[float], places: int) -> float:
    """Return when the last is done if each free place takes the next one."""
    ends = [0.0] * places
    for length in seconds:
        ends[ends.index(min(ends))] += length
    return max(ends)


def keep(lake: Lake, tables: Sequence[TableForecast], *, at: datetime) -> None:
    """Store each tenant's forecast; the oldest of more than twenty go."""
    for tenant_id in sorted({table.tenant_id for table in tables if table.error is None}):
        own = [table for table in tables if table.tenant_id == tenant_id and table.error is None]
        prefix = forecasts_prefix(tenant_id)
        lake.put(f"{prefix}{at.astimezone(UTC):{_NAME}}.json", msgspec.json.encode(own), overwrite=True)
        lake.delete([info.key for info in lake.list(prefix)][:-_KEPT])


def compared(lake: Lake, state_of: Callable[[str, str], TableState], job: Job) -> list[Compared]:
    """Return, for each table of the job that read something, the last forecast of such a read in the day before."""
    found: list[Compared] = []
    for tenant in job.tenants:
        forecasts = _before(lake, tenant.tenant_id, job.started_at)
        for result in tenant.tables if forecasts else ():
            state = state_of(tenant.tenant_id, result.table_name)
            actual = next((run for run in state.runs if run.job_id == job.job_id), None)
            match = None if actual is None else _of_run(forecasts, result.table_name, actual)
            if actual is not None and match is not None:
                at, told = match
                found.append(
                    Compared(
                        tenant_id=tenant.tenant_id,
                        table_name=result.table_name,
                        made_at=at,
                        forecast=told,
                        actual=actual,
                    )
                )
    return found


def _of_run(
    forecasts: list[tuple[datetime, list[TableForecast]]], table_name: str, actual: TableRun
) -> tuple[datetime, TableForecast] | None:
    """Return the newest forecast of such a read of the table, and when it was made."""
    for at, tables in forecasts:
        for told in tables:
            if (told.table_name, told.mode, told.is_swept) == (table_name, actual.mode, actual.is_swept):
                return at, told
    return None


def _before(lake: Lake, tenant_id: str, moment: datetime) -> list[tuple[datetime, list[TableForecast]]]:
    """Return the tenant's forecasts of the day before a moment, newest first."""
    prefix = forecasts_prefix(tenant_id)
    made = []
    for info in reversed(lake.list(prefix)):
        at = datetime.strptime(info.key.removeprefix(prefix).removesuffix(".json"), _NAME).replace(tzinfo=UTC)
        if moment - _BELIEVED_FOR <= at <= moment:
            made.append((at, decoder(list[TableForecast]).decode(lake.get(info.key))))
    return made
