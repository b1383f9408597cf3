"""`avesa status`: how fresh each tenant's tables are, who works on them, and what failed last."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from avesa.domain.errors import UsageError
from avesa.entrypoints.options import OUTPUT, TENANT, Place, examples, placed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rich.console import Console

    from avesa.application.freshness import Freshness
    from avesa.domain.model import TableState
    from avesa.entrypoints.reading import Reading

    Facts = dict[str, object]


@click.command(
    epilog=examples(
        "avesa status",
        "avesa status --watch                            look on, a terminal's full screen",
        "avesa status --check || echo 'something is stale'",
        "avesa status --tenant-id acme --output json | jq '.tables[] | select(.is_stale)'",
    )
)
@TENANT
@click.option("--check", is_flag=True, help="Exit with status 1 when a table is stale; for schedulers and probes.")
@click.option("--watch", is_flag=True, help="Show it again and again, stale tables first, until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.5, max=3600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How often --watch looks.",
)
@OUTPUT
@placed
def status(place: Place, *, tenant_id: str | None, check: bool, watch: bool, every: float, output: str) -> int:
    """Show each tenant's tables: how fresh they are against their target, what is under way, and the last error.

    A table is as fresh as its bookmark: the moment, by the source's own clock, at which the last complete read began.
    It is stale when it is older than its target: freshness_minutes in mappings/backfill_config.json, which a table, a
    service or a tenant may have for itself. A tenant that is paused has no stale tables.

    Exit status: 0, also when something is stale; with --check 1 then; 2 the call was wrong.
    """
    from avesa.entrypoints.reading import reading
    from avesa.entrypoints.terminal import console

    if watch:
        _check_watch(check=check, output=output)
        with reading(place) as known:
            return watch_tables(console(), lambda: _tables(known, tenant_id), pause=lambda: time.sleep(every))
    with reading(place) as known:
        tables = _tables(known, tenant_id)
    stale = sum(bool(facts["is_stale"]) for facts in tables)
    if output == "json":
        where = {"home": known.where} if place.is_local else {"lake": known.where}
        print(json.dumps({**where, "stale": stale, "tables": tables}, ensure_ascii=False))
    else:
        _show(tables, stale)
    return 1 if check and stale else 0


def _check_watch(*, check: bool, output: str) -> None:
    from avesa.entrypoints.terminal import console

    if check or output != "text":
        raise UsageError("--watch is for people: leave out --check and --output json, or call without --watch")
    if not console().is_terminal:
        raise UsageError("--watch needs a terminal; for a program, call `avesa status --output json` again and again")


def _tables(reading: Reading, tenant_id: str | None) -> list[Facts]:
    from avesa.application.catalog import load_catalog
    from avesa.application.freshness import freshness
    from avesa.domain.names import check_tenant_id

    tenants = reading.registry.list()
    if tenant_id is not None and check_tenant_id(tenant_id) not in {item.tenant_id for item in tenants}:
        known = ", ".join(sorted({item.tenant_id for item in tenants})) or "none yet"
        raise UsageError(f"unknown tenant {tenant_id!r}; registered tenants: {known}")
    chosen = [tenant for tenant in tenants if tenant_id in {None, tenant.tenant_id}]
    now = reading.clock.now()
    found = freshness(chosen, reading.tables.get, load_catalog(reading.lake), now=now)
    return [_facts(reading, item, now) for item in found]


def _facts(reading: Reading, item: Freshness, now: datetime) -> Facts:
    state = item.state
    return {
        "tenant_id": item.tenant.tenant_id,
        "service": item.tenant.service,
        "is_enabled": item.tenant.is_enabled,
        "table_name": state.table_name,
        "bookmark_at": _iso(state.bookmark_at),
        "age_seconds": None if state.bookmark_at is None else item.age_seconds,
        "target_seconds": item.target_seconds,
        "is_stale": item.is_stale,
        "freshness": item.word,
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


_HEADS = ("tenant", "table", "fresh as of", "age#", "may be#", "is", "now")
_WATCHED = tuple(name for name in _HEADS if name != "fresh as of")  # what fits a line of 80 cells, while runs go on
_NOBODY = "no tenant is registered; register one with `avesa setup-service`, or try `avesa demo`"


def _show(tables: list[Facts], stale: int) -> None:
    from avesa.entrypoints.terminal import columns, console, printable, show

    if not tables:
        print(_NOBODY)
        return
    out = console()
    show(out, columns(*_HEADS), [_row(facts) for facts in tables])
    for facts in tables:
        if facts["last_error"]:
            out.print(printable(f"{facts['tenant_id']} {facts['table_name']}: {facts['last_error']}"))
    if stale:
        out.print(f"{stale} of {len(tables)} tables are stale: what to do is in docs/how-to/a-table-is-stale.md")


def watch_tables(out: Console, look: Callable[[], list[Facts]], *, pause: Callable[[], None]) -> int:
    """Show what `look` finds, stale tables first, and again after each pause; returns 0 when interrupted."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from avesa.entrypoints.terminal import columns, lined

    with Live(console=out, auto_refresh=False, screen=True, vertical_overflow="ellipsis") as live:
        try:
            while True:
                tables = sorted(look(), key=lambda facts: not facts["is_stale"])
                stale = sum(bool(facts["is_stale"]) for facts in tables)
                head = Text(f"{len(tables)} tables, {stale} stale; Ctrl-C ends", style="red" if stale else "green")
                rows = [dict(zip(_HEADS, _row(facts), strict=True)) for facts in tables]
                shown = lined(out, columns(*_WATCHED), [[row[name] for name in _WATCHED] for row in rows])
                live.update(Group(head, shown) if tables else Text(_NOBODY), refresh=True)
                pause()
        except KeyboardInterrupt:
            return 0


def _row(facts: Facts) -> list[str]:
    from avesa.entrypoints import telling

    seconds, target = facts["age_seconds"], facts["target_seconds"]
    return [
        str(facts["tenant_id"]),
        str(facts["table_name"]),
        str(facts["bookmark_at"] or "never loaded"),
        telling.age(seconds) if isinstance(seconds, int) else "-",
        telling.age(target) if isinstance(target, int) else "-",
        str(facts["freshness"]),
        _now(facts),
    ]


def _now(facts: Facts) -> str:
    lease, plan = facts["lease"], facts["plan"]
    if isinstance(lease, dict) and lease["is_alive"]:
        return f"run {lease['job_id']}"
    if isinstance(plan, dict):
        return "interrupted; goes on next"
    if not facts["is_enabled"]:
        return "paused"
    return "last run failed" if facts["last_error"] else "idle"
