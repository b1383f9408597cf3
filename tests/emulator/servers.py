"""The servers behind tests marked `emulator`: one of each for a test session, on free ports, ended with it."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest

from avesa.adapters.aws.access import AwsAccess, AwsCredentials
from avesa.adapters.aws.tables import STATE_TABLES
from avesa.domain.names import Environment
from rehearsal.dynamodb_local import dynamodb_local
from rehearsal.emulator import ACCOUNT, REGION, ROOT_KEY, emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.adapters.aws.tables import TableShape
    from rehearsal.emulator import Emulator

ROOT: Final = AwsCredentials(access_key_id=ROOT_KEY, secret_access_key=ROOT_KEY)
_accounts: Final = itertools.count(100_000_000_001)


@pytest.fixture(scope="session")
def open_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces no policies; an access key of twelve digits is an account of its own."""
    with emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def enforcing_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces policies."""
    with emulator(tmp_path_factory.mktemp("enforcing"), is_enforcing=True) as running:
        yield running


@pytest.fixture(scope="session")
def real_dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of AWS's own DynamoDB Local."""
    with dynamodb_local(tmp_path_factory.mktemp("dynamodb")) as url:
        yield url


def fresh_access(url: str) -> AwsAccess:
    """Return access to an account in which there is nothing yet."""
    key = AwsCredentials(access_key_id=str(next(_accounts)), secret_access_key="none")
    return AwsAccess(region=REGION, endpoint_url=url, credentials=key)


def make_tables(access: AwsAccess, environment: Environment = Environment.DEV) -> None:
    """Create the state's tables as the stack does."""
    for shape in STATE_TABLES:
        _make_table(access, shape, environment)


def make_bucket(access: AwsAccess, bucket: str) -> str:
    """Create a bucket and return its name."""
    _client(access, "s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return bucket


def make_function(emulator: Emulator, name: str) -> AwsCredentials:
    """Return credentials of a function, which may assume tenant roles and do nothing else."""
    iam = client_for(emulator.url, "iam", ROOT)
    iam.create_user(UserName=name)
    may_assume = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"}],
    }
    iam.put_user_policy(UserName=name, PolicyName="assume", PolicyDocument=json.dumps(may_assume))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return AwsCredentials(access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])


def make_role(emulator: Emulator, name: str, policy: object) -> str:
    """Return the ARN of a role with this policy, which anybody of the account may assume."""
    iam = client_for(emulator.url, "iam", ROOT)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }
        ],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="data", PolicyDocument=json.dumps(policy))
    return str(role)


def _make_table(access: AwsAccess, shape: TableShape, environment: Environment) -> None:
    keys = {shape.partition_key, shape.sort_key}
    for index in shape.indexes:
        keys |= {index.partition_key, *([index.sort_key] if index.sort_key else [])}
    indexes = [
        {
            "IndexName": index.name,
            "KeySchema": _key_schema(index.partition_key, index.sort_key),
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        for index in shape.indexes
    ]
    _client(access, "dynamodb").create_table(
        TableName=shape.name(environment),
        KeySchema=_key_schema(shape.partition_key, shape.sort_key),
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in sorted(keys)],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )


def _client(access: AwsAccess, service: str) -> Any:  # noqa: ANN401 - see client_for
    """Return a client that makes what the product only uses."""
    return client_for(access.endpoint_url or "", service, access.credentials())


def client_for(url: str, service: str, credentials: AwsCredentials) -> Any:  # noqa: ANN401 - of every kind
    """Return a client of the emulator; without types, since it makes things of every kind."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
    )


def _key_schema(partition_key: str, sort_key: str | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": partition_key, "KeyType": "HASH"}]
    return [*schema, {"AttributeName": sort_key, "KeyType": "RANGE"}] if sort_key else schema
