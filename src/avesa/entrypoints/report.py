"""What a run came to, for people: a row for each table, then every failure in its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.application.payloads import from_json
from avesa.domain.model import TenantResult
from avesa.entrypoints import telling
from avesa.entrypoints.terminal import columns, console, printable, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from avesa.domain.model import TableResult
    from avesa.entrypoints.running import RunEnding


_RARE: Final = ("versions_corrected", "quarantined", "coerced")


def tenants_of(result: object) -> list[TenantResult]:
    """Return the tenants of a run's JSON object."""
    return from_json(list[TenantResult], result)


def show_result(ending: RunEnding) -> None:
    """Print what a run did to each table, and how it ended."""
    out = console()
    tenants = tenants_of(ending.result["tenants"])
    show_tenants(out, tenants)
    extracted = sum(table.records_extracted for tenant in tenants for table in tenant.tables)
    out.print(
        f"job {ending.result['job_id']}: {ending.result['status']}, "
        f"{telling.count(extracted)} records in {ending.seconds:.1f} s"
    )
    if ending.is_stopped:
        out.print("stopped as you asked; what is durable stays, and `avesa run` goes on from there")


def show_tenants(out: Console, tenants: Sequence[TenantResult]) -> None:
    """Print a row for each table, and the failures below it. What is rare has a column only when it occurred."""
    pairs = [(tenant.tenant_id, table) for tenant in tenants for table in tenant.tables]
    rare = rare_counts([table for _, table in pairs])
    heads = columns("tenant", "table", "status", "extracted#", "opened#", "closed#", *_named(rare), "source#", "lake#")
    if pairs:
        show(out, heads, [_row(tenant_id, table, rare) for tenant_id, table in pairs])
    for line in failures(tenants):
        out.print(line, style="red" if out.is_terminal else "")


def rare_counts(tables: Sequence[TableResult]) -> list[str]:
    """Return which of the counts that are mostly zero are not, in any of these tables."""
    return [name for name in _RARE if any(getattr(table, name) for table in tables)]


def _named(rare: Sequence[str]) -> list[str]:
    return [f"{name.removeprefix('versions_')}#" for name in rare]


def failures(tenants: Sequence[TenantResult]) -> list[str]:
    """Return each failure in its own words, after the place that it is about."""
    found = [f"{tenant.tenant_id}: {tenant.error}" for tenant in tenants if tenant.error]
    found += [
        f"{tenant.tenant_id} {table.table_name}: {table.error}"
        for tenant in tenants
        for table in tenant.tables
        if table.error
    ]
    return [printable(line) for line in found]


def _row(tenant_id: str, table: TableResult, rare: Sequence[str]) -> list[str]:
    agreed = table.reconciled
    return [
        tenant_id,
        table.table_name,
        table.status.value,
        telling.count(table.records_extracted),
        telling.count(table.versions_opened),
        telling.count(table.versions_closed),
        *(telling.count(getattr(table, name)) for name in rare),
        "-" if agreed is None else telling.count(agreed.source),
        "-" if agreed is None else telling.count(agreed.lake),
    ]
