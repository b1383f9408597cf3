"""From a tenant's registration and secret to a Source that can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.application.source import Source
from avesa.connectors.connectwise import Credentials
from avesa.domain.errors import TenantPermanentError, UsageError
from avesa.domain.names import secret_name

if TYPE_CHECKING:
    from avesa.application.catalog import Catalog
    from avesa.application.context import StepContext
    from avesa.domain.model import TenantService


def find_tenant(context: StepContext, tenant_id: str, service: str) -> TenantService:
    """Return a registration; raise UsageError that lists the known tenants."""
    found = context.registry.get(tenant_id, service)
    if found is None:
        known = ", ".join(sorted({item.tenant_id for item in context.registry.list()})) or "none yet"
        message = (
            f"unknown tenant {tenant_id!r}; registered tenants: {known}. Register it with `avesa setup-service "
            f"--tenant-id {tenant_id} …`"
        )
        raise UsageError(message)
    return found


def connect(context: StepContext, tenant: TenantService, catalog: Catalog) -> Source:
    """Return the tenant's source; raise TenantPermanentError when its credentials are not there."""
    name = secret_name(tenant.tenant_id, tenant.service, context.environment)
    values = context.secrets.get(name)
    if values is None:
        message = (
            f"there are no credentials under {name!r}: run `avesa setup-service --tenant-id {tenant.tenant_id} …` again"
        )
        raise TenantPermanentError(message)
    return source_of(context, Credentials.from_mapping(values), catalog)


def source_of(context: StepContext, credentials: Credentials, catalog: Catalog) -> Source:
    """Return the source that these credentials open; nothing is asked yet."""
    return Source(
        credentials,
        api_version=catalog.endpoints.api_version,
        transport=context.transport,
        budget=context.budget(
            credentials.api_base_url, credentials.company_id, catalog.endpoints.limits.max_concurrency
        ),
        clock=context.clock,
        random=context.random,
        events=context.events,
        codebases=context.codebases,
        executor=context.executor,
    )
