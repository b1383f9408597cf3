"""Swapping a tenant's key: the new one is tested first, and the old one is kept until a run has proven the new one."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from avesa.application.catalog import load_catalog
from avesa.application.connection import find_tenant, source_of
from avesa.application.setup import tested
from avesa.connectors.connectwise import Credentials
from avesa.domain.errors import SourceError, UsageError
from avesa.domain.model import Status
from avesa.domain.names import check_tenant_id, secret_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from avesa.application.context import StepContext
    from avesa.domain.model import TenantService

_RECENT_JOBS: Final = 100
_PLACE: Final = ("company_id", "api_base_url")
"""What says whose data it is: a rotation never changes it."""


def rotate(context: StepContext, *, tenant_id: str, service: str, values: Mapping[str, str]) -> TenantService:
    """Test `values` (what they lack is as before) on every table, then put them in use; the old ones are kept.

    Raises UsageError for a wrong call, a SourceError that says which table refused; then nothing is changed.
    """
    tenant = find_tenant(context, check_tenant_id(tenant_id), service)
    if tenant.rotated_at is not None:
        raise UsageError(
            f"the key of {tenant_id!r} was swapped at {tenant.rotated_at.isoformat()} and is not proven yet: run "
            f"`avesa run --tenant-id {tenant_id}`, then `avesa rotate-secret --tenant-id {tenant_id} --finish`; or "
            "take the old one back with --rollback"
        )
    name = secret_name(tenant_id, service, context.environment)
    present = context.secrets.get(name)
    if present is None:
        raise UsageError(f"there is no key of {tenant_id!r} to swap; store one with `avesa setup-service`")
    credentials = Credentials.from_mapping({**present, **values})
    _check_same_place(tenant_id, present, asdict(credentials))
    catalog = load_catalog(context.lake)
    tested(source_of(context, credentials, catalog), catalog)
    # The secret first: a mark without a swap would let a rollback take back what was never replaced.
    context.secrets.rotate(name, asdict(credentials))
    marked = replace(tenant, rotated_at=context.clock.now(), updated_at=context.clock.now())
    context.registry.put(marked)
    return marked


def finish(context: StepContext, *, tenant_id: str, service: str) -> str | None:
    """Forget the old key if a run that began after the swap completed for the tenant; return that job, else None."""
    tenant = _swapped(context, tenant_id, service)
    job_id = _proof(context, tenant)
    if job_id is not None:
        context.secrets.settle(secret_name(tenant_id, service, context.environment), keep_new=True)
        context.registry.put(replace(tenant, rotated_at=None, updated_at=context.clock.now()))
    return job_id


def finish_proven(context: StepContext, tenants: Iterable[str]) -> list[str]:
    """Forget the old keys of those tenants whose new one is proven; return whose."""
    found = []
    for tenant in context.registry.list():
        if tenant.tenant_id in set(tenants) and tenant.rotated_at is not None:
            job_id = finish(context, tenant_id=tenant.tenant_id, service=tenant.service)
            found += [tenant.tenant_id] if job_id is not None else []
    return found


def rollback(context: StepContext, *, tenant_id: str, service: str) -> None:
    """Take the old key back into use and forget the new one. Raises SourceError, and changes nothing, when the old one
    no longer works.
    """
    tenant = _swapped(context, tenant_id, service)
    name = secret_name(tenant_id, service, context.environment)
    old = context.secrets.previous(name)
    if old is None:
        raise UsageError(f"the old key of {tenant_id!r} is gone; store a working one with `avesa setup-service`")
    catalog = load_catalog(context.lake)
    try:
        tested(source_of(context, Credentials.from_mapping(old), catalog), catalog)
    except SourceError as error:
        raise type(error)(f"the old key does not work any more, so the new one stays in use: {error}") from None
    context.secrets.settle(name, keep_new=False)
    context.registry.put(replace(tenant, rotated_at=None, updated_at=context.clock.now()))


def _swapped(context: StepContext, tenant_id: str, service: str) -> TenantService:
    tenant = find_tenant(context, check_tenant_id(tenant_id), service)
    if tenant.rotated_at is None:
        raise UsageError(f"the key of {tenant_id!r} was not swapped, or its swap is finished: there is nothing to do")
    return tenant


def _proof(context: StepContext, tenant: TenantService) -> str | None:
    for job in context.jobs.list(limit=_RECENT_JOBS, tenant_id=tenant.tenant_id):
        is_after = tenant.rotated_at is not None and job.started_at > tenant.rotated_at
        # A rebuild asks the source for nothing, so it proves nothing.
        if is_after and not job.request.get("rebuild"):
            for result in job.tenants:
                if result.tenant_id == tenant.tenant_id and result.status is Status.COMPLETED:
                    return job.job_id
    return None


def _check_same_place(tenant_id: str, present: Mapping[str, str], new: Mapping[str, str]) -> None:
    moved = [part for part in _PLACE if present.get(part) != new[part]]
    if moved:
        raise UsageError(
            f"{' and '.join(moved)} differ from those of {tenant_id!r}: a rotation swaps a key, never whose data is "
            "read; unset the variables, or set the tenant up again with `avesa setup-service`"
        )
    if dict(present) == dict(new):
        raise UsageError(f"this is the key that {tenant_id!r} uses already; make a new one at the service first")
