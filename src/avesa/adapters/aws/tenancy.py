"""A tenant's worker signs with credentials that open that tenant's data and nobody else's; AWS refuses the rest.

The function's own role may do nothing but assume the tenant role. That role's policy names the tenant by the session's
tag, and each session is narrowed once more by a policy of its own, so that a mistake in one of the two opens nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from avesa.adapters.aws.access import AwsCredentials
from avesa.adapters.aws.refusals import refusals
from avesa.adapters.aws.tables import CHUNK_PROGRESS, LAST_UPDATED, TENANT_SERVICES
from avesa.domain.errors import ConfigError
from avesa.domain.names import catalog_database, check_tenant_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_sts import STSClient

    from avesa.domain.names import Environment

TENANT_TAG: Final = "tenant"
TENANT_OF_SESSION: Final = f"${{aws:PrincipalTag/{TENANT_TAG}}}"
"""Stands for the tenant in the role's own policy; a session without the tag matches nothing."""
DATABASE_TAG: Final = "database"
"""Names the tenant's database in Glue: a name that SQL takes has no hyphen, so it is not the tenant's id."""
DATABASE_OF_SESSION: Final = f"${{aws:PrincipalTag/{DATABASE_TAG}}}"
SESSION_SECONDS: Final = 3600
"""The longest that AWS gives to a role that assumes another one."""
_CATALOG_ACTIONS: Final = ("glue:GetTable", "glue:CreateTable", "glue:UpdateTable", "glue:CreateDatabase")
_LONGEST_POLICY: Final = 2048
_PARTS_OF_AN_ARN: Final = 6

Policy = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataScope:
    """The data of one environment as policies name it."""

    environment: Environment
    bucket: str
    region: str
    account: str
    partition: str = "aws"


def tenant_policy(scope: DataScope, tenant: str, *, is_brief: bool = False) -> Policy:
    """Return the policy that opens one tenant's data: an id, or TENANT_OF_SESSION for the role itself.

    `is_brief` leaves region and account of Glue's names to the role's own policy, which names them: a session's policy
    has little room.

    Listing is allowed below the tenant's prefix only. S3 answers a read of a missing key with 404 (and not 403, which
    readers of Delta tables take for an error) when a listing of that very key would be allowed: hence `/*`.
    No action without a key (Scan) is among those on tables: a condition on leading keys would not hold it back.
    """
    bucket = f"arn:{scope.partition}:s3:::{scope.bucket}"
    tables = f"arn:{scope.partition}:dynamodb:{scope.region}:{scope.account}:table/"
    secrets = f"arn:{scope.partition}:secretsmanager:{scope.region}:{scope.account}:secret:"
    own_keys = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [tenant]}}
    written = [tables + shape.name(scope.environment) for shape in (LAST_UPDATED, CHUNK_PROGRESS)]
    read_items = ["dynamodb:GetItem", "dynamodb:Query"]
    write_items = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"]
    prefixes = {"StringLike": {"s3:prefix": [f"{tenant}/*", "mappings/*"]}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], [f"{bucket}/{tenant}/*"]),
            _allow(["s3:GetObject"], [f"{bucket}/mappings/*"]),
            _allow(["s3:ListBucket"], [bucket], prefixes),
            _allow(read_items, [tables + TENANT_SERVICES.name(scope.environment)], own_keys),
            _allow(read_items + write_items, written, own_keys),
            # Together, since neither needs a condition, and a session's policy has little room. Secrets Manager ends
            # every ARN with a hyphen and six characters of its own.
            _allow(
                ["secretsmanager:GetSecretValue", *_CATALOG_ACTIONS],
                [f"{secrets}{tenant}/*{scope.environment.suffix}-??????", *_catalog(scope, tenant, is_brief=is_brief)],
            ),
        ],
    }


def session_policy(scope: DataScope, tenant_id: str) -> str:
    """Return the policy of a tenant's session as text. Raises UsageError for what is no tenant id."""
    text = json.dumps(tenant_policy(scope, check_tenant_id(tenant_id), is_brief=True), separators=(",", ":"))
    if len(text) > _LONGEST_POLICY:
        raise ConfigError(
            f"the session policy of {tenant_id} has {len(text)} characters, AWS takes {_LONGEST_POLICY}: "
            f"shorten the bucket's name ({scope.bucket})"
        )
    return text


def _catalog(scope: DataScope, tenant: str, *, is_brief: bool) -> list[str]:
    """Return what Glue asks for when a table is looked up or entered: the catalog, its database and the table."""
    place = "*:*" if is_brief else f"{scope.region}:{scope.account}"
    names = f"arn:{scope.partition}:glue:{place}:"
    database = DATABASE_OF_SESSION if tenant == TENANT_OF_SESSION else catalog_database(tenant, scope.environment)
    return [f"{names}catalog", f"{names}database/{database}", f"{names}table/{database}/*"]


def scope_of_role(role_arn: str, *, environment: Environment, bucket: str, region: str) -> DataScope:
    """Return the scope in the account of the role. Raises ConfigError for what is no role's ARN."""
    parts = role_arn.split(":")
    if len(parts) != _PARTS_OF_AN_ARN or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise ConfigError(f"AVESA_TENANT_ROLE_ARN is {role_arn!r}; it must be arn:aws:iam::ACCOUNT:role/NAME")
    return DataScope(environment=environment, bucket=bucket, region=region, account=parts[4], partition=parts[1])


def tenant_session(sts: STSClient, role_arn: str, scope: DataScope, tenant_id: str) -> AwsCredentials:
    """Return credentials for SESSION_SECONDS that open this tenant's data only.

    Raises StorageError when AWS refuses to give them; nothing else is tried then.
    """
    policy = session_policy(scope, tenant_id)
    with refusals(f"the session of tenant {tenant_id} ({role_arn})"):
        given = sts.assume_role(
            RoleArn=role_arn,
            RoleSessionName=tenant_id,
            DurationSeconds=SESSION_SECONDS,
            Policy=policy,
            Tags=[
                {"Key": TENANT_TAG, "Value": tenant_id},
                {"Key": DATABASE_TAG, "Value": catalog_database(tenant_id, scope.environment)},
            ],
        )["Credentials"]
    return AwsCredentials(
        access_key_id=given["AccessKeyId"],
        secret_access_key=given["SecretAccessKey"],
        session_token=given["SessionToken"],
        expires_at=given["Expiration"],
    )


def _allow(actions: list[str], resources: list[str], condition: Mapping[str, object] | None = None) -> Policy:
    statement: Policy = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement if condition is None else {**statement, "Condition": condition}
