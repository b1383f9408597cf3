"""A source that the environment brings itself, for a test of the whole pipeline: a tenant of the simulated site."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from avesa.adapters.aws.access import AwsAccess
from avesa.application.setup import enable_service, setup_service
from avesa.bootstrap.deployed import deployed_application
from avesa.bootstrap.simulated import COMPANY, simulated_credentials, simulated_site
from avesa.domain.names import Environment
from avesa.entrypoints.deployment.validation import SIMULATOR, function_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.bootstrap.account import Site

TENANT: Final = "avesa-test"
SERVICE: Final = "connectwise"


class OwnSource:
    """The tenant, and what its source holds."""

    def __init__(self, site: Site) -> None:
        access = AwsAccess(region=site.region, endpoint_url=site.settings.endpoint_url, profile=site.settings.profile)
        self.tenant_id = TENANT
        self._site = simulated_site(access, site.environment)
        self.url = site.account.function_url(function_name(site, SIMULATOR))
        self.credentials = simulated_credentials(self._site, self.url)

    def ids(self, table_name: str) -> set[str]:
        """Return the ids of all records of a table: made here of the same token, not asked of the function."""
        return {str(record_id) for record_id in self._site.company(COMPANY).records(table_name)}


def brings_a_source(site: Site) -> bool:
    """Whether the environment has a simulated site."""
    return site.environment is Environment.DEV


@contextmanager
def own_source(site: Site) -> Iterator[OwnSource]:
    """Give the source with its tenant set up; afterwards the tenant is paused, so that no schedule works for it.

    Raises ConfigError where the environment brings none, StorageError where its function is not deployed.
    """
    source = OwnSource(site)
    with deployed_application(site.settings) as application:
        context = application.context
        setup_service(
            context,
            tenant_id=TENANT,
            service=SERVICE,
            company_name="Made-up records of a test",
            values=source.credentials,
        )
        enable_service(context, tenant_id=TENANT, service=SERVICE, is_enabled=True)
        try:
            yield source
        finally:
            enable_service(context, tenant_id=TENANT, service=SERVICE, is_enabled=False)
