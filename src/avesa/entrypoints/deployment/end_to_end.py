"""Runs the deployed pipeline once, and looks at each place where the run must have left something."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from avesa.bootstrap.deployed import await_run, deployed_reading, deployed_sql, start_run
from avesa.domain.errors import UsageError
from avesa.domain.names import canonical_prefix, raw_prefix
from avesa.entrypoints.deployment.own_source import brings_a_source, own_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.bootstrap.account import Site
    from avesa.entrypoints.deployment.own_source import OwnSource

    Check = tuple[bool, str]


def check_pipeline(site: Site, *, tenant_id: str | None, table_name: str | None, brings_source: bool) -> int:
    """Print a line for each check; return the exit status: 1 when one fails.

    Without a tenant it takes the first that is enabled. Where none is set up, and where `brings_source` asks for it,
    dev brings a tenant with a source of made-up records itself.
    """
    chosen = tenant_id or (None if brings_source else _first_tenant(site))
    if chosen is not None:
        return _check(site, chosen, {"table_name": table_name}, None)
    if not brings_a_source(site):
        raise UsageError(
            f"no tenant is set up in {site.environment.value}: python scripts/setup-service.py --tenant-id ID "
            f"--company-name NAME --service connectwise --environment {site.environment.value}"
        )
    with own_source(site) as source:
        print(f"the environment's own source: {source.url}, tenant {source.tenant_id}", flush=True)
        return _check(site, source.tenant_id, {"table_name": table_name, "full_sync": True}, source)


def _check(site: Site, tenant_id: str, request: dict[str, object], source: OwnSource | None) -> int:
    started = time.monotonic()
    run = start_run(site.settings, {"tenant_id": tenant_id, **request})
    print(f"started job {run['job_id']} for {tenant_id}: {run['execution_arn']}", flush=True)
    result = await_run(site.settings, run["execution_arn"])
    print(f"it ended {result['status']} after {time.monotonic() - started:.0f} s", flush=True)
    results = list(_checks(site, tenant_id, run["job_id"], result, source))
    for is_fine, text in results:
        print(f"{'ok    ' if is_fine else 'FAILED'} {text}")
    failed = sum(not is_fine for is_fine, _ in results)
    print(f"{len(results) - failed} of {len(results)} checks passed")
    return 1 if failed else 0


def _first_tenant(site: Site) -> str | None:
    with deployed_reading(site.settings) as reading:
        tenants = sorted(tenant.tenant_id for tenant in reading.registry.list() if tenant.is_enabled)
    return tenants[0] if tenants else None


def _checks(
    site: Site, tenant_id: str, job_id: str, result: dict[str, object], source: OwnSource | None
) -> Iterator[Check]:
    tables = [table for tenant in cast("list[Any]", result["tenants"]) for table in tenant["tables"]]
    yield result["status"] == "completed", f"the run completed: {result['status']}"
    yield bool(tables), f"it took {len(tables)} tables"
    with deployed_reading(site.settings) as reading:
        job = reading.jobs.get(job_id)
        yield job is not None and job.status == result["status"], f"ProcessingJobs has job {job_id} with that status"
        for table in tables:
            yield from _table(site, tenant_id, table)
            state = reading.tables.get(tenant_id, table["table_name"])
            yield (
                state.bookmark_at is not None and state.lease is None,
                f"its bookmark is {state.bookmark_at}, unleased",
            )
    with deployed_sql(site.settings, tenant_id=tenant_id) as session:
        for table in tables:
            name = table["canonical_table"]
            if not name:
                continue
            current = [row[0] for row in session.run(f"SELECT id FROM {name} WHERE is_current").rows]  # noqa: S608 - a table of the mappings
            yield len(current) == len(set(current)), f"{name}: no record has two current versions"
            if source is not None:
                wanted = source.ids(table["table_name"])
                yield set(current) == wanted, f"{name}: exactly the source's {len(wanted)} records are current"


def _table(site: Site, tenant_id: str, table: dict[str, Any]) -> Iterator[Check]:
    name, counts = table["table_name"], table["reconciled"] or {}
    is_equal = counts.get("source") == counts.get("lake")
    told = f"{name}: {table['status']}, {table['records_extracted']} records extracted"
    yield (
        table["status"] == "completed" and is_equal,
        f"{told}, source {counts.get('source')}, lake {counts.get('lake')}",
    )
    bucket = site.settings.bucket
    raw = site.account.object_keys(bucket, raw_prefix(tenant_id, "connectwise", name), most=1)
    yield bool(raw), f"{name}: raw parts lie in the lake"
    if table["canonical_table"]:
        log = canonical_prefix(tenant_id, table["canonical_table"]) + "_delta_log/"
        yield bool(site.account.object_keys(bucket, log, most=1)), f"{name}: the canonical table has its log"
