"""The policy that confines a worker to one tenant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avesa.adapters.aws.tenancy import TENANT_OF_SESSION, DataScope, scope_of_role, session_policy, tenant_policy
from avesa.domain.errors import ConfigError, UsageError
from avesa.domain.names import Environment

SCOPE = DataScope(
    environment=Environment.DEV, bucket="data-storage-msp-dev", region="us-east-2", account="111122223333"
)
LONGEST_TENANT = "t" * 63


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return list(policy["Statement"])


def _of(policy: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [statement for statement in _statements(policy) if action in statement["Action"]]


def test_every_statement_names_the_tenant_or_the_shared_mappings() -> None:
    for statement in _statements(tenant_policy(SCOPE, "acme")):
        assert "acme" in json.dumps(statement) or "mappings/*" in json.dumps(statement)


def test_no_action_and_no_resource_is_a_bare_wildcard() -> None:
    for statement in _statements(tenant_policy(SCOPE, "acme")):
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"])
        assert not any(resource in ("*", "arn:aws:s3:::data-storage-msp-dev/*") for resource in statement["Resource"])


def test_mappings_are_read_and_never_written() -> None:
    written = [
        resource
        for statement in _of(tenant_policy(SCOPE, "acme"), "s3:PutObject")
        for resource in statement["Resource"]
    ]

    assert written == ["arn:aws:s3:::data-storage-msp-dev/acme/*"]


def test_a_tenant_whose_id_begins_alike_is_another_tenant() -> None:
    text = json.dumps(tenant_policy(SCOPE, "acme"))

    assert "/acme/*" in text
    assert "acme*" not in text
    assert "secret:acme/*-dev-??????" in text


def test_every_right_on_tables_is_bound_to_the_tenants_own_keys() -> None:
    for statement in _statements(tenant_policy(SCOPE, "acme")):
        if any(action.startswith("dynamodb:") for action in statement["Action"]):
            assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["acme"]}}


def test_nothing_is_allowed_on_tables_that_a_condition_on_keys_does_not_hold_back() -> None:
    # A request without a key passes ForAllValues.
    keyless = {"dynamodb:Scan", "dynamodb:PartiQLSelect", "dynamodb:DescribeTable", "dynamodb:ExportTableToPointInTime"}
    allowed = {action for statement in _statements(tenant_policy(SCOPE, "acme")) for action in statement["Action"]}

    assert allowed & keyless == set()


def test_a_missing_object_of_the_tenant_is_told_as_missing() -> None:
    # S3 says 404 only to whoever might list that very key; `acme/` alone would not cover the keys below it.
    (listing,) = _of(tenant_policy(SCOPE, "acme"), "s3:ListBucket")

    assert "acme/*" in listing["Condition"]["StringLike"]["s3:prefix"]


def test_no_run_of_another_tenant_can_be_seen() -> None:
    assert "ProcessingJobs" not in json.dumps(tenant_policy(SCOPE, "acme"))


@pytest.mark.parametrize("environment", [Environment.DEV, Environment.STAGING, Environment.PROD])
def test_the_environments_of_one_account_are_apart(environment: Environment) -> None:
    scope = DataScope(environment=environment, bucket=environment.lake_name, region="us-east-2", account="111122223333")
    text = json.dumps(tenant_policy(scope, "acme"))

    assert f"table/LastUpdated{environment.suffix}" in text
    assert f"secret:acme/*{environment.suffix}-??????" in text


def test_the_policy_of_the_role_names_the_tenant_by_the_sessions_tag() -> None:
    assert "arn:aws:s3:::data-storage-msp-dev/${aws:PrincipalTag/tenant}/*" in json.dumps(
        tenant_policy(SCOPE, TENANT_OF_SESSION)
    )


def test_a_tenants_tables_in_the_catalog_are_its_own_database_and_no_other() -> None:
    (statement,) = _of(tenant_policy(SCOPE, "acme-it"), "glue:CreateTable")
    catalog = "arn:aws:glue:us-east-2:111122223333:"

    assert [resource for resource in statement["Resource"] if ":glue:" in resource] == [
        f"{catalog}catalog",
        f"{catalog}database/avesa_acme_it_dev",
        f"{catalog}table/avesa_acme_it_dev/*",
    ]
    assert not any(action.startswith("glue:Delete") for action in statement["Action"])


def test_the_role_names_the_database_by_the_sessions_tag_in_its_own_account() -> None:
    text = json.dumps(tenant_policy(SCOPE, TENANT_OF_SESSION))

    assert "arn:aws:glue:us-east-2:111122223333:table/${aws:PrincipalTag/database}/*" in text


def test_the_policy_of_the_longest_names_still_fits_a_session() -> None:
    scope = DataScope(
        environment=Environment.STAGING,
        bucket=f"{'p' * 40}-data-storage-msp-staging"[-63:],
        region="ap-southeast-2",
        account="111122223333",
        partition="aws-us-gov",
    )

    assert len(session_policy(scope, LONGEST_TENANT)) <= 2048


@pytest.mark.parametrize("tenant_id", ["*", "", "a/b", "ACME", "mappings", "all", "a?c", "${aws:username}"])
def test_what_is_no_tenant_id_gets_no_policy(tenant_id: str) -> None:
    with pytest.raises(UsageError, match="not allowed"):
        session_policy(SCOPE, tenant_id)


@pytest.mark.parametrize("arn", ["", "arn:aws:iam::1:user/x", "role/x", "arn:aws:s3:::bucket"])
def test_what_is_no_role_is_refused_by_name(arn: str) -> None:
    with pytest.raises(ConfigError, match="AVESA_TENANT_ROLE_ARN"):
        scope_of_role(arn, environment=Environment.DEV, bucket="b", region="us-east-2")


def test_the_scope_is_in_the_roles_own_account_and_partition() -> None:
    scope = scope_of_role(
        "arn:aws-cn:iam::111122223333:role/x", environment=Environment.DEV, bucket="b", region="cn-north-1"
    )

    assert (scope.account, scope.partition) == ("111122223333", "aws-cn")
