"""`avesa quarantine`: what could not be read, bringing it back, and values that did not fit their column."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from avesa.entrypoints.options import OUTPUT, TABLE, TENANT, Place, examples, placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.application.pipeline import Application
    from avesa.application.quarantine import QuarantinedLine
    from avesa.domain.model import TenantService
    from avesa.entrypoints.reading import Reading

_DROPPED = "empty: its bytes are in raw, or might have held a field that is never stored"


@click.group()
def quarantine() -> None:
    """Look at records that could not be read, bring them back, and find values that did not fit."""


@quarantine.command(
    "list",
    epilog=examples(
        "avesa quarantine list",
        "avesa quarantine list --tenant-id acme --table-name tickets --show 3",
        "avesa quarantine list --output json | jq '.records[] | {id, reason}'",
    ),
)
@TENANT
@TABLE
@click.option("--all", "is_all", is_flag=True, help="Also those that were brought back.")
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Print the content of the first N records. It may be personal data; without this nothing of it is shown.",
)
@OUTPUT
@placed
def list_quarantine(
    place: Place, tenant_id: str | None, table_name: str | None, *, is_all: bool, show: int, output: str
) -> int:
    """List what lies in quarantine: the reason, the id where it is known, since when, and the job that put it there.

    The same record is put there by every read that meets it; it is listed once, with the times it came.
    """
    from avesa.entrypoints.reading import reading

    with reading(place) as known:
        records = [
            record
            for tenant, name in _asked(known, tenant_id, table_name)
            for record in _records(known, tenant, name, is_all=is_all)
        ]
    told = [
        {**facts, **({"content": _content(line)} if number < show else {})}
        for number, (facts, line) in enumerate(records)
    ]
    if output == "json":
        print(json.dumps({"records": told}, ensure_ascii=False))
    else:
        _show_records(told)
    return 0


@quarantine.command(
    "retry",
    epilog=examples("avesa quarantine retry", "avesa quarantine retry --tenant-id acme --table-name tickets"),
)
@TENANT
@TABLE
@OUTPUT
@placed
def retry_quarantine(place: Place, tenant_id: str | None, table_name: str | None, output: str) -> int:
    """Read what lies in quarantine again with this version; what it can read becomes raw, and is folded.

    The quarantine itself is kept, with a mark beside it; what still cannot be read stays as it is. A table that a run
    is working on is left alone, and said so.

    Exit status: 0 done, also when something stays, 1 something failed or was skipped, 2 the call was wrong.
    """
    from avesa.domain.errors import AvesaError, UsageError
    from avesa.entrypoints.working import working

    results: list[Json] = []
    failures: list[Json] = []
    with working(place) as application:
        for tenant, name in _asked(application.context, tenant_id, table_name):
            try:
                results.append(_retried(application, tenant, name))
            except UsageError:
                raise
            except AvesaError as error:
                failures.append({"tenant_id": tenant.tenant_id, "table_name": name, "error": str(error)})
    if output == "json":
        print(json.dumps({"tables": results, "failures": failures}, ensure_ascii=False))
    else:
        _show_retried(results)
    for failure in failures if output == "text" else ():
        print(f"{failure['tenant_id']} {failure['table_name']}: {failure['error']}", file=sys.stderr)
    return 1 if failures else 0


@quarantine.command(
    "coerced",
    epilog=examples(
        "avesa quarantine coerced --tenant-id acme --table-name tickets",
        "avesa quarantine coerced --output json > coerced.jsonl",
    ),
)
@TENANT
@TABLE
@OUTPUT
@placed
def coerced(place: Place, tenant_id: str | None, table_name: str | None, output: str) -> int:
    """List the records with a value that does not fit its column: id, columns, and the raw part with the original.

    Such a value is null in the canonical table, and the record is counted as coerced. One line for each state of a
    record, written as it is found; json gives one object a line. Values are not shown.
    """
    from avesa.application.catalog import load_catalog
    from avesa.application.leasing import upkeep_of
    from avesa.application.quarantine import coerced_records
    from avesa.entrypoints.telling import time
    from avesa.entrypoints.working import working

    count = 0
    with working(place) as application:
        context = application.context
        catalog, reader = load_catalog(context.lake), upkeep_of(context).raw
        for tenant, name in _asked(context, tenant_id, table_name):
            mapping = catalog.mapping(name)
            if mapping is None:
                continue
            for found in coerced_records(reader, context.raw.list(tenant.tenant_id, tenant.service, name), mapping):
                facts = {
                    "tenant_id": tenant.tenant_id,
                    "table_name": name,
                    "id": str(found.record_id),
                    "columns": list(found.columns),
                    "last_updated": time(found.last_updated) if found.last_updated else None,
                    "raw_part": found.part,
                }
                text = " ".join([tenant.tenant_id, name, str(found.record_id), ",".join(found.columns), found.part])
                print(json.dumps(facts) if output == "json" else text)
                count += 1
    if not count:
        print("every value fits its column", file=sys.stderr)
    return 0


def _asked(
    known: Reading | StepContext, tenant_id: str | None, table_name: str | None
) -> Iterator[tuple[TenantService, str]]:
    """Yield the registrations and endpoints that a call is about. Raises UsageError for an unknown one."""
    from avesa.application.catalog import load_catalog
    from avesa.application.quarantine import asked_tables
    from avesa.application.verify import registered

    tables = asked_tables(load_catalog(known.lake), table_name)
    for tenant in registered(known.registry.list(), tenant_id):
        for name in tables:
            yield tenant, name


def _records(
    known: Reading, tenant: TenantService, name: str, *, is_all: bool
) -> list[tuple[dict[str, object], QuarantinedLine]]:
    """Return what is told of each record, oldest first, with one line that holds it."""
    from avesa.application.quarantine import fingerprint, quarantined

    same: dict[tuple[object, ...], list[QuarantinedLine]] = {}
    for line in quarantined(known.lake, tenant.tenant_id, tenant.service, name):
        if is_all or not line.is_resolved:
            same.setdefault((line.record_id, fingerprint(line.content), line.reason), []).append(line)
    found = []
    for lines in same.values():
        first, last = min(lines, key=_since), max(lines, key=_since)
        facts: dict[str, object] = {
            "tenant_id": tenant.tenant_id,
            "table_name": name,
            "id": None if last.record_id is None else str(last.record_id),
            "reason": last.reason,
            "since": first.quarantined_at.isoformat(),
            "job_id": last.job_id,
            "times": len(lines),
            "size_bytes": len(last.content),
            "is_resolved": all(line.is_resolved for line in lines),
            "key": last.key,
        }
        found.append((facts, last))
    return sorted(found, key=lambda pair: _since(pair[1]))


def _since(line: QuarantinedLine) -> tuple[object, ...]:
    return line.quarantined_at, line.key, line.number


def _content(line: QuarantinedLine) -> str:
    return line.content.decode("utf-8", "replace") if line.content else f"({_DROPPED})"


def _show_records(records: list[dict[str, object]]) -> None:
    from avesa.entrypoints.terminal import columns, console, printable, show

    if not records:
        print("nothing lies in quarantine")
        return
    out = console()
    heads = columns("tenant", "table", "id", "since", "job", "times#", "bytes#", "reason")
    names = ("tenant_id", "table_name", "id", "since", "job_id", "times", "size_bytes", "reason")
    show(out, heads, [["-" if record[name] is None else str(record[name]) for name in names] for record in records])
    for record in records:
        if "content" in record:
            out.print(printable(f"{record['tenant_id']} {record['table_name']} {record['id'] or '-'}:"))
            out.print(printable(str(record["content"])))


def _retried(application: Application, tenant: TenantService, name: str) -> Json:
    from avesa.application.payloads import RunRequest, TableTask, to_json
    from avesa.application.steps.run import new_job_id

    task = TableTask(
        job_id=new_job_id(application.context),
        tenant_id=tenant.tenant_id,
        service=tenant.service,
        table_name=name,
        request=RunRequest(),
    )
    return application.run_step("retry_quarantine", to_json(task))


def _show_retried(results: list[Json]) -> None:
    from avesa.entrypoints.terminal import columns, console, show

    names = ("tenant_id", "table_name", "readable", "unreadable", "versions_opened")
    heads = columns("tenant", "table", "brought back#", "stays#", "opened#")
    show(console(), heads, [[str(result[name]) for name in names] for result in results])
