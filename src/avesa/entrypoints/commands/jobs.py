"""`avesa jobs` and `avesa job`: what ran, what it did, and why something failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from avesa.entrypoints.options import OUTPUT, TENANT, Place, examples, placed

if TYPE_CHECKING:
    from avesa.application.forecasts import Compared
    from avesa.domain.model import Job

_SHOWN_EVENTS = 40


@click.command(epilog=examples("avesa jobs", "avesa jobs --limit 5 --tenant-id acme --output json"))
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many, newest first.")
@TENANT
@OUTPUT
@placed
def jobs(place: Place, limit: int, tenant_id: str | None, output: str) -> int:
    """List the latest runs, newest first."""
    from avesa.application.payloads import to_json
    from avesa.entrypoints.reading import reading

    with reading(place) as known:
        found = known.jobs.list(limit=limit, tenant_id=tenant_id)
    if output == "json":
        print(json.dumps({"jobs": [to_json(item) for item in found]}, ensure_ascii=False))
    elif found:
        _show(found)
    else:
        print("nothing has run yet; start with `avesa run`")
    return 0


@click.command(epilog=examples("avesa job 20261123T150405Z-k3x9qa", "avesa job 20261123T150405Z-k3x9qa --output json"))
@click.argument("job_id", metavar="ID")
@OUTPUT
@placed
def job(place: Place, job_id: str, output: str) -> int:
    """Show one run: what was asked, each table's numbers and counts, every error, and what went wrong on the way.

    What went wrong on the way are retries, repairs and unforeseen errors, from the events kept in logs/events.jsonl;
    those of an environment on AWS are in the logs of its functions.

    When `avesa plan` foretold such a run within the day before, what it foretold stands beside what the run took.
    """
    from avesa.application.forecasts import compared
    from avesa.application.payloads import to_json
    from avesa.domain.errors import UsageError
    from avesa.entrypoints.reading import reading

    with reading(place) as known:
        found = known.jobs.get(job_id)
        if found is None:
            raise UsageError(f"there is no job {job_id!r}; `avesa jobs` lists those that there are")
        events = known.events(found)
        forecasts = compared(known.lake, known.tables.get, found)
    if output == "json":
        told = {**to_json(found), "events": events, "forecasts": [to_json(item) for item in forecasts]}
        print(json.dumps(told, ensure_ascii=False))
    else:
        _show_one(found, events)
        _show_forecasts(forecasts)
    return 0


def _show(found: list[Job]) -> None:
    from avesa.entrypoints import telling
    from avesa.entrypoints.terminal import columns, console, show

    rows = [
        [
            item.job_id,
            item.tenant_id,
            _asked(item),
            item.status.value,
            telling.time(item.started_at),
            _length(item),
            telling.count(sum(table.records_extracted for tenant in item.tenants for table in tenant.tables)),
        ]
        for item in found
    ]
    show(console(), columns("job", "tenant", "asked for", "status", "started", "took#", "extracted#"), rows)


def _show_one(found: Job, events: list[dict[str, object]]) -> None:
    from avesa.entrypoints import telling
    from avesa.entrypoints.progress import line_of
    from avesa.entrypoints.report import show_tenants
    from avesa.entrypoints.terminal import console, printable

    out = console()
    out.print(f"job {found.job_id}: {found.status.value}")
    out.print(f"asked for {_asked(found)}, tenant {found.tenant_id}")
    out.print(f"started {telling.time(found.started_at)}, took {_length(found)}")
    if found.error:
        out.print(printable(found.error))
    show_tenants(out, found.tenants)
    for event in events[:_SHOWN_EVENTS]:
        out.print(printable(f"{event['at']} {line_of(str(event['event']), event) or event['event']}"))
    if len(events) > _SHOWN_EVENTS:
        out.print(f"… and {len(events) - _SHOWN_EVENTS} more events; --output json has all of them")


def _show_forecasts(forecasts: list[Compared]) -> None:
    """Print what was foretold beside what was taken."""
    from avesa.entrypoints import telling
    from avesa.entrypoints.terminal import columns, console, show

    if not forecasts:
        return
    rows = [
        [
            item.tenant_id,
            item.table_name,
            *_beside(item.forecast.requests, item.actual.usage.requests),
            *_beside(item.forecast.records, item.actual.records),
            f"{item.forecast.seconds:.1f}",
            f"{item.actual.seconds:.1f}",
            _error(item.forecast.seconds, item.actual.seconds),
        ]
        for item in forecasts
    ]
    heads = columns(
        *("tenant", "table", "requests#", "were#", "error#", "records#", "were#", "error#"),
        *("seconds#", "were#", "error#"),
    )
    show(console(), heads, rows, title=f"As planned at {telling.time(forecasts[0].made_at)}, and as it was:")


def _beside(foretold: int, was: int) -> list[str]:
    from avesa.entrypoints import telling

    return [telling.count(foretold), telling.count(was), _error(foretold, was)]


def _error(foretold: float, was: float) -> str:
    """Return by how much the forecast was over (+) or under (-), of what was."""
    return "-" if was == 0 else f"{(foretold - was) / was * 100:+.0f} %"


def _asked(item: Job) -> str:
    wishes = [
        name if value is True else f"{name}={value}"
        for name, value in item.request.items()
        if value and name not in {"tenant_id", "job_id"}
    ]
    return " ".join(wishes) or "what is new"


def _length(item: Job) -> str:
    from avesa.entrypoints import telling

    if item.finished_at is None:
        return "-"
    return telling.age((item.finished_at - item.started_at).total_seconds())
