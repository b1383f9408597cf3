"""Registering a tenant: the credentials are tested against the service before anything is stored."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from avesa.application.catalog import load_catalog
from avesa.application.connection import find_tenant, source_of
from avesa.connectors.connectwise import Credentials
from avesa.domain.errors import SourceError, UsageError
from avesa.domain.model import TenantService, Window
from avesa.domain.names import check_tenant_id, secret_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.application.catalog import Catalog
    from avesa.application.context import StepContext
    from avesa.application.source import Source

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_AHEAD: Final = datetime(2999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProbe:
    """What the set-up found of one table: its size at the source, and whether its time filter can be trusted."""

    table_name: str
    records: int
    is_filter_trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupResult:
    """What was registered."""

    tenant: TenantService
    is_new: bool
    tables: tuple[TableProbe, ...]


def setup_service(
    context: StepContext, *, tenant_id: str, service: str, company_name: str, values: Mapping[str, str]
) -> SetupResult:
    """Test the credentials on every enabled table, then store them and register the tenant; nothing is stored if
    a test fails.

    Raises UsageError for a wrong call, a SourceError that says which table refused and why.
    """
    check_tenant_id(tenant_id)
    catalog = load_catalog(context.lake)
    if service != catalog.service:
        raise UsageError(f"unknown service {service!r}; known services: {catalog.service}")
    if not company_name.strip():
        raise UsageError("--company-name must not be empty: it is how people recognise the tenant")
    if not company_name.isprintable():
        raise UsageError(f"--company-name {company_name!r} holds characters that cannot be printed; leave them out")
    credentials = Credentials.from_mapping(values)
    probes = tested(source_of(context, credentials, catalog), catalog)
    now = context.clock.now()
    known = context.registry.get(tenant_id, service)
    tenant = TenantService(
        tenant_id=tenant_id,
        service=service,
        company_name=company_name.strip(),
        is_enabled=known.is_enabled if known is not None else True,
        created_at=known.created_at if known is not None else now,
        updated_at=now,
        api_base_url=credentials.api_base_url,
        untrusted_filters=tuple(probe.table_name for probe in probes if not probe.is_filter_trusted),
    )
    # The secret first: a tenant without credentials would fail every run, a secret without a tenant harms nothing.
    context.secrets.put(secret_name(tenant_id, service, context.environment), asdict(credentials))
    context.registry.put(tenant)
    if known is not None and known.rotated_at is not None:
        # A key from before a swap that nobody finished is of no more use.
        context.secrets.settle(secret_name(tenant_id, service, context.environment), keep_new=True)
    return SetupResult(tenant=tenant, is_new=known is None, tables=probes)


def enable_service(context: StepContext, *, tenant_id: str, service: str, is_enabled: bool) -> TenantService:
    """Pause or resume a tenant's service; its data and credentials stay."""
    tenant = replace(
        find_tenant(context, check_tenant_id(tenant_id), service), is_enabled=is_enabled, updated_at=context.clock.now()
    )
    context.registry.put(tenant)
    return tenant


def tested(source: Source, catalog: Catalog) -> tuple[TableProbe, ...]:
    """Return what the source says of each enabled table; raise the first refusal, with the table's name."""
    probes = []
    for name in catalog.endpoints.enabled():
        try:
            probes.append(_probe(source, catalog, name))
        except SourceError as error:
            raise type(error)(f"the test of {name} failed, nothing was stored: {error}") from None
    if any(probe.records and not probe.is_filter_trusted for probe in probes):
        # An empty table proves nothing of its filter; beside one that does not work it is not trusted either.
        probes = [replace(probe, is_filter_trusted=probe.is_filter_trusted and probe.records > 0) for probe in probes]
    return tuple(probes)


def _probe(source: Source, catalog: Catalog, name: str) -> TableProbe:
    """Tell a filter that works from one that is ignored (all records are 'after 2999') or broken (none after 1970)."""
    endpoint, limits = catalog.endpoint(name), catalog.limits(name)
    total, _ = source.count(endpoint, limits, window=Window())
    if endpoint.incremental_field is None or total == 0:
        return TableProbe(table_name=name, records=total, is_filter_trusted=endpoint.incremental_field is not None)
    since_ever, _ = source.count(endpoint, limits, window=Window(since=_LONG_AGO))
    ahead, _ = source.count(endpoint, limits, window=Window(since=_FAR_AHEAD))
    return TableProbe(table_name=name, records=total, is_filter_trusted=since_ever > 0 and ahead < total)
