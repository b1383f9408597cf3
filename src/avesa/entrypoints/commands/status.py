"""`avesa status`: how fresh each tenant's tables are, who works on them, and what failed last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from avesa.entrypoints.options import OUTPUT, TENANT, Place, examples, placed

if TYPE_CHECKING:
    from datetime import datetime

    from avesa.domain.model import TableState, TenantService
    from avesa.entrypoints.reading import Reading

    Facts = dict[str, object]


@click.command(epilog=examples("avesa status", "avesa status --tenant-id acme --output json"))
@TENANT
@OUTPUT
@placed
def status(place: Place, tenant_id: str | None, output: str) -> int:
    """Show each tenant's tables: how fresh they are, what is under way, and the last error.

    A table is as fresh as its bookmark: the moment, by the source's own clock, at which the last complete read began.
    """
    from avesa.entrypoints.reading import reading

    with reading(place) as known:
        tables = _tables(known, tenant_id)
    if output == "json":
        where = {"home": known.where} if place.is_local else {"lake": known.where}
        print(json.dumps({**where, "tables": tables}, ensure_ascii=False))
    else:
        _show(tables)
    return 0


def _tables(reading: Reading, tenant_id: str | None) -> list[Facts]:
    from avesa.application.catalog import load_catalog
    from avesa.domain.errors import UsageError
    from avesa.domain.names import check_tenant_id

    tenants = reading.registry.list()
    if tenant_id is not None and check_tenant_id(tenant_id) not in {item.tenant_id for item in tenants}:
        known = ", ".join(sorted({item.tenant_id for item in tenants})) or "none yet"
        raise UsageError(f"unknown tenant {tenant_id!r}; registered tenants: {known}")
    enabled = load_catalog(reading.lake).endpoints.enabled()
    now = reading.clock.now()
    return [
        _facts(reading, tenant, reading.tables.get(tenant.tenant_id, name), now)
        for tenant in tenants
        if tenant_id in {None, tenant.tenant_id}
        for name in enabled
    ]


def _facts(reading: Reading, tenant: TenantService, state: TableState, now: datetime) -> Facts:
    return {
        "tenant_id": tenant.tenant_id,
        "service": tenant.service,
        "is_enabled": tenant.is_enabled,
        "table_name": state.table_name,
        "bookmark_at": _iso(state.bookmark_at),
        "age_seconds": None if state.bookmark_at is None else max(0, int((now - state.bookmark_at).total_seconds())),
        "last_success_at": _iso(state.last_success_at),
        "last_job_id": state.last_job_id,
        "plan": None if state.plan is None else {"job_id": state.plan.job_id, "mode": state.plan.mode.value},
        "lease": _lease(reading, state, now),
        "last_error": state.last_error,
    }


def _lease(reading: Reading, state: TableState, now: datetime) -> Facts | None:
    lease = state.lease
    if lease is None:
        return None
    is_alive = lease.expires_at > now and not reading.liveness.is_gone(lease.holder)
    held = {"job_id": lease.holder.job_id, "since": _iso(lease.acquired_at), "expires_at": _iso(lease.expires_at)}
    return {**held, "is_alive": is_alive}


def _iso(at: datetime | None) -> str | None:
    from avesa.entrypoints import telling

    return None if at is None else telling.time(at)


def _show(tables: list[Facts]) -> None:
    from avesa.entrypoints.terminal import columns, console, printable, show

    if not tables:
        print("no tenant is registered; register one with `avesa setup-service`, or try `avesa demo`")
        return
    out = console()
    heads = columns("tenant", "table", "fresh as of", "age#", "last success", "now")
    show(out, heads, [_row(facts) for facts in tables])
    for facts in tables:
        if facts["last_error"]:
            out.print(printable(f"{facts['tenant_id']} {facts['table_name']}: {facts['last_error']}"))


def _row(facts: Facts) -> list[str]:
    from avesa.entrypoints import telling

    seconds = facts["age_seconds"]
    return [
        str(facts["tenant_id"]),
        str(facts["table_name"]),
        str(facts["bookmark_at"] or "never loaded"),
        telling.age(seconds) if isinstance(seconds, int) else "-",
        str(facts["last_success_at"] or "-"),
        _now(facts),
    ]


def _now(facts: Facts) -> str:
    lease, plan = facts["lease"], facts["plan"]
    if isinstance(lease, dict) and lease["is_alive"]:
        return f"being loaded by {lease['job_id']}"
    if isinstance(plan, dict):
        return "interrupted: the next run goes on"
    if not facts["is_enabled"]:
        return "paused"
    return "last run failed" if facts["last_error"] else "idle"
