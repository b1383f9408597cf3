"""Homes on AWS: each is an account of one emulator, with a bucket, the state's tables, secrets and executions.

The emulator takes an access key of twelve digits for an account. Whoever works in a home is an execution of a state
machine there, so that a takeover asks whether it still runs, as in a deployment. The parent of the deaths copies homes
through boto3 alone: it forks, and the engines that the pipeline uses for S3 keep threads.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore.loaders
import botocore.session

from avesa.adapters.aws.access import AwsAccess, AwsCredentials
from avesa.adapters.aws.liveness import ExecutionLiveness
from avesa.adapters.aws.tables import STATE_TABLES
from avesa.application.context import Bounds
from avesa.application.pipeline import Application
from avesa.bootstrap.aws import LEASE_SECONDS, aws_application, publish_mappings
from avesa.bootstrap.aws_settings import AwsSettings
from avesa.domain.names import Environment
from rehearsal.emulator import REGION
from reliability.scenario import mappings
from tests.emulator.servers import client_for, make_bucket, make_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.emulator import Emulator

_ENVIRONMENT: Final = Environment.DEV
_DIGITS: Final = 10**11
_MACHINE: Final = "work"
_WAITING: Final = {"StartAt": "Work", "States": {"Work": {"Type": "Wait", "Seconds": 86_400, "End": True}}}
_MOST_ITEMS: Final = 25


@dataclass(frozen=True)
class _Content:
    """All that an account holds of a home."""

    objects: dict[str, bytes] = field(default_factory=dict)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


class AwsBackend:
    """Accounts of one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        # What AWS's interfaces look like is read once and inherited by each child, not read by all of them.
        botocore.session.create_loader = cache(botocore.loaders.create_loader)
        for service in ("s3", "dynamodb", "secretsmanager", "stepfunctions", "sts", "glue"):
            client_for(emulator.url, service, _credentials(Path()))
        self._clients: dict[tuple[int, Path, str], Any] = {}
        self._contents: dict[Path, _Content] = {}
        """Of homes that nobody changes any more."""

    @contextmanager
    def opened(self, home: Path) -> Iterator[Application]:
        # In a process of its own, as every caller of this is.
        os.environ.update({"AWS_ACCESS_KEY_ID": _account(home), "AWS_SECRET_ACCESS_KEY": "none"})
        if not _mark(home).exists():
            self._make(home)
            publish_mappings(self._settings(home), mappings())
        arn = self._begun(home)
        with aws_application(self._settings(home)) as application:
            access = AwsAccess(region=REGION, endpoint_url=self._emulator.url)
            liveness = ExecutionLiveness(access.stepfunctions(), ttl_seconds=LEASE_SECONDS, execution_arn=arn)
            yield Application(replace(application.context, liveness=liveness))

    def copied(self, home: Path, target: Path) -> None:
        if not _mark(home).exists():
            return
        is_kept = home.parent.name.startswith("before ")
        content = self._contents.get(home) or self._content(home)
        if is_kept:
            self._contents[home] = content
        self._make(target)
        s3, dynamodb = self._client(target, "s3"), self._client(target, "dynamodb")
        for key, body in content.objects.items():
            s3.put_object(Bucket=_bucket(target), Key=key, Body=body)
        for table, items in content.items.items():
            for start in range(0, len(items), _MOST_ITEMS):
                puts = [{"PutRequest": {"Item": item}} for item in items[start : start + _MOST_ITEMS]]
                dynamodb.batch_write_item(RequestItems={table: puts})
        for name, value in content.secrets.items():
            self._client(target, "secretsmanager").create_secret(Name=name, SecretString=value)

    def ended(self, home: Path) -> None:
        if not _mark(home).exists():
            return
        client = self._client(home, "stepfunctions")
        for execution in client.list_executions(stateMachineArn=_arn(home), statusFilter="RUNNING")["executions"]:
            client.stop_execution(executionArn=execution["executionArn"], error="Killed", cause="its worker is dead")

    def _content(self, home: Path) -> _Content:
        s3, dynamodb = self._client(home, "s3"), self._client(home, "dynamodb")
        secrets = self._client(home, "secretsmanager")
        listed = s3.get_paginator("list_objects_v2").paginate(Bucket=_bucket(home))
        keys = [item["Key"] for page in listed for item in page.get("Contents", ())]
        tables = [shape.name(_ENVIRONMENT) for shape in STATE_TABLES]
        names = [item["Name"] for item in secrets.list_secrets()["SecretList"]]
        return _Content(
            objects={key: s3.get_object(Bucket=_bucket(home), Key=key)["Body"].read() for key in keys},
            items={table: dynamodb.scan(TableName=table)["Items"] for table in tables},
            secrets={name: secrets.get_secret_value(SecretId=name)["SecretString"] for name in names},
        )

    def _make(self, home: Path) -> None:
        access = AwsAccess(region=REGION, endpoint_url=self._emulator.url, credentials=_credentials(home))
        make_tables(access, _ENVIRONMENT)
        make_bucket(access, _bucket(home))
        role = f"arn:aws:iam::{_account(home)}:role/none"
        self._client(home, "stepfunctions").create_state_machine(
            name=_MACHINE, definition=json.dumps(_WAITING), roleArn=role
        )
        _mark(home).parent.mkdir(parents=True, exist_ok=True)
        _mark(home).touch()

    def _begun(self, home: Path) -> str:
        started = self._client(home, "stepfunctions").start_execution(stateMachineArn=_arn(home))
        return str(started["executionArn"])

    def _settings(self, home: Path) -> AwsSettings:
        return AwsSettings(
            environment=_ENVIRONMENT,
            region=REGION,
            bucket=_bucket(home),
            endpoint_url=self._emulator.url,
            bounds=Bounds(lease_ttl_seconds=LEASE_SECONDS),
        )

    def _client(self, home: Path, service: str) -> Any:  # noqa: ANN401 - of every kind
        # By process: a forked child must not talk on its parent's connections.
        key = (os.getpid(), home, service)
        if key not in self._clients:
            self._clients[key] = client_for(self._emulator.url, service, _credentials(home))
        return self._clients[key]


def _account(home: Path) -> str:
    return f"9{int.from_bytes(hashlib.sha256(str(home).encode()).digest()) % _DIGITS:011d}"


def _credentials(home: Path) -> AwsCredentials:
    return AwsCredentials(access_key_id=_account(home), secret_access_key=_account(home))


def _bucket(home: Path) -> str:
    return f"kill-matrix-{_account(home)}"


def _arn(home: Path) -> str:
    return f"arn:aws:states:{REGION}:{_account(home)}:stateMachine:{_MACHINE}"


def _mark(home: Path) -> Path:
    return home.with_name(f"{home.name}.made")
