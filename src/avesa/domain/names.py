"""Names and places that other software relies on: environments, tenant ids, keys of the lake.

Every path and key is made here, from parts that were checked here, so that no caller joins text.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from avesa.domain.errors import UsageError

_TENANT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_RESERVED_TENANT_IDS: Final = frozenset({"all", "mappings", "receipts"})

ALL_TENANTS: Final = "ALL"
"""Partition key of the record of a run over all tenants."""
RECEIPTS_PREFIX: Final = "receipts/"
"""Where the lake has the receipts of what was erased: outside every tenant's prefix, so that they outlive it."""


class Environment(StrEnum):
    """Where a pipeline runs."""

    LOCAL = "local"  # this machine, no account
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"

    @property
    def suffix(self) -> str:
        """What every resource name ends with; production has clean names."""
        return "" if self is Environment.PROD else f"-{self.value}"

    @property
    def lake_name(self) -> str:
        """The folder or bucket that holds the lake."""
        return f"data-storage-msp{self.suffix}"


def releases_bucket(lake: str, environment: Environment) -> str:
    """The bucket of releases and of deployments' records, beside the lake's bucket and with its prefix:
    `acme-data-storage-msp-dev` to `acme-data-storage-msp-releases-dev`.
    """
    return f"{lake.removesuffix(environment.suffix)}-releases{environment.suffix}"


def check_tenant_id(tenant_id: str) -> str:
    """Return `tenant_id` if it may become part of a path or a key; raise UsageError otherwise."""
    if _TENANT_ID.fullmatch(tenant_id) is None or tenant_id in _RESERVED_TENANT_IDS:
        message = (
            f"tenant id {tenant_id!r} is not allowed: 2 to 63 characters of a-z, 0-9 and '-', beginning with a letter "
            "or digit; 'all', 'mappings' and 'receipts' are taken. Example: acme-it"
        )
        raise UsageError(message)
    return tenant_id


def raw_prefix(tenant_id: str, service: str, endpoint: str) -> str:
    """The folder of an endpoint's raw parts, with a trailing slash."""
    return f"{check_tenant_id(tenant_id)}/raw/{service}/{endpoint}/"


def deletions_prefix(tenant_id: str, service: str, endpoint: str) -> str:
    """The folder of the deletions that sweeps found, beside the raw parts."""
    return f"{raw_prefix(tenant_id, service, endpoint)}deletions/"


def projected_prefix(tenant_id: str, service: str, endpoint: str) -> str:
    """The folder of an endpoint's raw parts as columns, for as long as no commit has folded them."""
    return f"{check_tenant_id(tenant_id)}/projected/{service}/{endpoint}/"


def staged_prefix(tenant_id: str, service: str, endpoint: str) -> str:
    """The folder of what steps that are called more than once have done so far, with a trailing slash."""
    return f"{check_tenant_id(tenant_id)}/staged/{service}/{endpoint}/"


def canonical_prefix(tenant_id: str, table: str) -> str:
    """The folder of a canonical Delta table, with a trailing slash."""
    return f"{check_tenant_id(tenant_id)}/canonical/{table}/"


def quarantine_prefix(tenant_id: str, service: str, endpoint: str) -> str:
    """The folder of records that could not be read, with a trailing slash."""
    return f"{check_tenant_id(tenant_id)}/quarantine/{service}/{endpoint}/"


def tenant_prefix(tenant_id: str) -> str:
    """The folder of everything that the lake has of a tenant, with a trailing slash."""
    return f"{check_tenant_id(tenant_id)}/"


def erased_prefix(tenant_id: str, service: str, endpoint: str) -> str:
    """The folder of the marks that erased records leave, with a trailing slash; they name nobody."""
    return f"{check_tenant_id(tenant_id)}/erased/{service}/{endpoint}/"


def manifest_prefix(tenant_id: str, job_id: str) -> str:
    """The folder of what a run's state machines are told by reference, with a trailing slash."""
    return f"{check_tenant_id(tenant_id)}/runs/{job_id}/"


def forecasts_prefix(tenant_id: str) -> str:
    """The folder of what `avesa plan` foretold of a tenant's tables, with a trailing slash."""
    return f"{check_tenant_id(tenant_id)}/runs/forecasts/"


def secret_name(tenant_id: str, service: str, environment: Environment) -> str:
    """The name of a tenant's credentials for a service in a secret store."""
    return f"{check_tenant_id(tenant_id)}/{service}{environment.suffix}"


def catalog_database(tenant_id: str, environment: Environment) -> str:
    """The name of a tenant's tables in a catalog: `acme-it` to `avesa_acme_it_dev`, which SQL takes without quotes."""
    # Tenant ids have no underscore, so that two of them never become one.
    return f"avesa_{check_tenant_id(tenant_id)}{environment.suffix}".replace("-", "_")
