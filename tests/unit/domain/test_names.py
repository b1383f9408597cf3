"""Names that other software holds; contracts.md sections 1 and 2 are the law."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avesa.domain import names
from avesa.domain.errors import UsageError
from avesa.domain.names import Environment


@pytest.mark.parametrize(
    ("environment", "suffix", "lake"),
    [
        ("local", "-local", "data-storage-msp-local"),
        ("dev", "-dev", "data-storage-msp-dev"),
        ("staging", "-staging", "data-storage-msp-staging"),
        ("prod", "", "data-storage-msp"),
    ],
)
def test_every_environment_but_production_has_a_suffix(environment: str, suffix: str, lake: str) -> None:
    assert Environment(environment).suffix == suffix
    assert Environment(environment).lake_name == lake


@pytest.mark.parametrize("tenant_id", ["ac", "acme-it", "0-0", "a" * 63, "9lives"])
def test_a_proper_tenant_id_is_taken_as_it_is(tenant_id: str) -> None:
    assert names.check_tenant_id(tenant_id) == tenant_id


@pytest.mark.parametrize(
    "tenant_id",
    ["", "a", "a" * 64, "Acme", "-acme", "a_b", "a.b", "../x", "a/b", "a\\b", "acme\n", "acme ", "\u00e4cme", "all",
     "mappings", "a\x00b", "%2e%2e"],
)  # fmt: skip
def test_what_may_not_become_a_path_is_refused(tenant_id: str) -> None:
    with pytest.raises(UsageError, match=r"tenant id .* is not allowed"):
        names.check_tenant_id(tenant_id)


@given(st.text())
def test_no_tenant_id_leads_out_of_its_folder(tenant_id: str) -> None:
    try:
        prefix = names.raw_prefix(tenant_id, "connectwise", "service/tickets")
    except UsageError:
        return
    assert prefix == f"{tenant_id}/raw/connectwise/service/tickets/"
    assert ".." not in prefix


def test_places_in_the_lake_are_those_of_the_contract() -> None:
    place = ("acme", "connectwise", "service/tickets")

    assert names.raw_prefix(*place) == "acme/raw/connectwise/service/tickets/"
    assert names.deletions_prefix(*place) == "acme/raw/connectwise/service/tickets/deletions/"
    assert names.quarantine_prefix(*place) == "acme/quarantine/connectwise/service/tickets/"
    assert names.canonical_prefix("acme", "tickets") == "acme/canonical/tickets/"


def test_secrets_follow_the_suffix_rule() -> None:
    assert names.secret_name("acme", "connectwise", Environment.DEV) == "acme/connectwise-dev"
    assert names.secret_name("acme", "connectwise", Environment.PROD) == "acme/connectwise"


@pytest.mark.parametrize(
    ("tenant_id", "environment", "database"),
    [
        ("acme", Environment.DEV, "avesa_acme_dev"),
        ("acme-it", Environment.STAGING, "avesa_acme_it_staging"),
        ("acme-it", Environment.PROD, "avesa_acme_it"),
    ],
)
def test_the_name_in_a_catalog_needs_no_quotes_in_sql(tenant_id: str, environment: Environment, database: str) -> None:
    assert names.catalog_database(tenant_id, environment) == database


def test_no_two_tenants_share_a_database() -> None:
    tenants = ["acme", "acme-it", "acme--it", "acmeit", "acme-", "acme-dev"]
    databases = {
        names.catalog_database(tenant, env) for tenant in tenants for env in (Environment.DEV, Environment.STAGING)
    }

    assert len(databases) == 2 * len(tenants)
