"""The steps around the tables: which tenants and tables a run takes, and what it all came to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.connection import connect, find_tenant
from avesa.application.mattering import reasons_of
from avesa.application.payloads import (
    RunEnd,
    TableTask,
    TenantEnd,
    TenantTask,
    from_json,
    parse_request,
    to_json,
)
from avesa.domain.errors import UsageError
from avesa.domain.model import Job, Status, TenantResult, overall
from avesa.domain.names import ALL_TENANTS, check_tenant_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.application.catalog import Catalog
    from avesa.application.context import StepContext
    from avesa.application.payloads import Json, RunRequest

_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_RANDOM_LENGTH = 6
_RECENT_JOBS = 20


def orchestrate_pipeline(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Take a run's request; give its job id and the tenants to process. Nothing is stored when the request is wrong."""
    request = parse_request(payload)
    catalog = load_catalog(context.lake)
    if request.table_name is not None:
        request = replace(request, table_name=catalog.resolve(request.table_name))
    tasks = tenant_tasks(context, request, catalog)
    _close_dead_jobs(context)
    job_id = request.job_id or new_job_id(context)
    job = Job(
        tenant_id=request.tenant_id or ALL_TENANTS,
        job_id=job_id,
        status=Status.PROCESSING,
        holder=context.liveness.holder(job_id),
        request=to_json(request),
        started_at=context.clock.now(),
    )
    context.jobs.put(job)
    context.events.emit("job_started", job_id=job.job_id, tenants=len(tasks))
    return {"job_id": job.job_id, "tenants": [to_json(replace(task, job_id=job.job_id)) for task in tasks]}


def _close_dead_jobs(context: StepContext) -> None:
    """Say of recent jobs whose process is gone that they have failed: nobody else will."""
    for job in context.jobs.list(limit=_RECENT_JOBS):
        if job.status is Status.PROCESSING and job.holder is not None and context.liveness.is_gone(job.holder):
            error = "its process ended before the run did; what was durable stays, and a later run goes on from there"
            context.jobs.put(replace(job, status=Status.FAILED, error=error))
            context.events.emit("dead_job_closed", job_id=job.job_id)


def check_request(context: StepContext, payload: Mapping[str, object]) -> None:
    """Raise the UsageError with which orchestrate_pipeline would refuse the request; store and start nothing."""
    request = parse_request(payload)
    catalog = load_catalog(context.lake)
    if request.table_name is not None:
        catalog.resolve(request.table_name)
    tenant_tasks(context, request, catalog)


def tenant_tasks(context: StepContext, request: RunRequest, catalog: Catalog) -> list[TenantTask]:
    """Return the tenants that a checked request is for. Raises UsageError when there is none, or it is paused."""
    service = catalog.service
    if request.tenant_id is not None:
        tenant = find_tenant(context, check_tenant_id(request.tenant_id), service)
        if not tenant.is_enabled:
            message = (
                f"tenant {tenant.tenant_id!r} is paused; resume it with `avesa setup-service --tenant-id "
                f"{tenant.tenant_id} --enabled`"
            )
            raise UsageError(message)
        return [TenantTask(job_id="", tenant_id=tenant.tenant_id, service=service, request=request)]
    registered = [item for item in context.registry.list() if item.service == service]
    tenants = [item for item in registered if item.is_enabled]
    if registered and not tenants:
        message = (
            "no tenant is enabled, all are paused; resume one with `avesa setup-service --tenant-id "
            f"{registered[0].tenant_id} --enabled`"
        )
        raise UsageError(message)
    if not tenants:
        message = "no tenant is registered; register one with `avesa setup-service`, or try `avesa demo`"
        raise UsageError(message)
    most = context.bounds.run_tenants
    if len(tenants) > most:
        message = (
            f"{len(tenants)} tenants are enabled and one run over all takes no more than {most} here: start a run for "
            "each tenant (tenant_id), or pause some with `avesa setup-service --tenant-id ID --disabled`"
        )
        raise UsageError(message)
    return [TenantTask(job_id="", tenant_id=item.tenant_id, service=service, request=request) for item in tenants]


def new_job_id(context: StepContext) -> str:
    """Return an id that sorts by time: 20261123T150405Z-k3x9qa."""
    tail = "".join(_ID_ALPHABET[int(context.random() * len(_ID_ALPHABET))] for _ in range(_ID_RANDOM_LENGTH))
    return f"{context.clock.now():%Y%m%dT%H%M%SZ}-{tail}"


def process_tenant(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Give the tables of one tenant to process, in order of priority. Raises TenantPermanentError without
    credentials.
    """
    task = from_json(TenantTask, payload)
    catalog = load_catalog(context.lake)
    tenant = find_tenant(context, task.tenant_id, task.service)
    if not task.request.is_offline:
        connect(context, tenant, catalog)
    names = (task.request.table_name,) if task.request.table_name is not None else catalog.endpoints.enabled()
    last = len(catalog.backfill.priorities) + max(catalog.backfill.priorities.values(), default=0)
    ordered = sorted(names, key=lambda name: catalog.backfill.priorities.get(name, last))
    tables = [
        TableTask(
            job_id=task.job_id, tenant_id=task.tenant_id, service=task.service, table_name=name, request=task.request
        )
        for name in ordered
        if not task.request.is_offline or catalog.mapping(name) is not None
    ]
    return {"tables": [to_json(table) for table in tables]}


def finish_tenant(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Give the tenant's result from those of its tables, or from the failure that kept them from being begun."""
    end = from_json(TenantEnd, payload)
    if end.error is not None:
        context.events.emit("tenant_failed", tenant_id=end.task.tenant_id, status=Status.FAILED, error=end.error.words)
        return to_json(TenantResult(tenant_id=end.task.tenant_id, status=Status.FAILED, error=end.error.words))
    status = overall([table.status for table in end.tables])
    return to_json(TenantResult(tenant_id=end.task.tenant_id, status=status, tables=end.tables))


def aggregate_results(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Close the job's record with what its tenants came to; give the object that `avesa run --output json` prints."""
    end = from_json(RunEnd, payload)
    job = context.jobs.get(end.job_id)
    if job is None:
        raise UsageError(f"there is no job {end.job_id!r}; list the jobs with `avesa jobs`")
    status = overall([tenant.status for tenant in end.tenants])
    finished_at = context.clock.now()
    context.jobs.put(replace(job, status=status, finished_at=finished_at, tenants=end.tenants))
    seconds = max(0.0, (finished_at - job.started_at).total_seconds())
    context.events.emit("job_finished", job_id=job.job_id, status=status, seconds=round(seconds, 3))
    reasons = reasons_of(end.tenants)
    if reasons:
        context.events.emit("run_matters", job_id=job.job_id, status=status, reasons=reasons)
    return {"job_id": job.job_id, "status": status.value, "tenants": [to_json(tenant) for tenant in end.tenants]}
