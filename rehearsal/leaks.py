"""The search for the tenant's key: in all that a pass left in the emulated account and on its machine, and in all that
was printed. Only the secret's own store may hold it.
"""

from __future__ import annotations

import base64
import json
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import boto3

from rehearsal.emulator import REGION, ROOT_KEY
from rehearsal.proofs import expect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rehearsal.emulator import Emulator
    from rehearsal.scenes import Stage

Found = tuple[str, bytes]
"""Where something lies, and what it is."""
_PACKAGES: Final = "cdk.out/asset."
"""Packages of functions and templates as the CDK stages them: the account's copies are searched."""


def nothing_leaked(stage: Stage, *, key: str = ROOT_KEY) -> None:
    """Search everything; `key` is of the account that the pass has worked in. Raises OutcomeError with each place."""
    world = stage.world
    needles = forms(world.credentials())
    account = Account(world.emulator, key)
    expect(holders(needles, account.secrets()), "the search does not even find the secret where it is kept")
    places = 0
    leaks = []
    for found in chain(account.contents(), on_this_machine(world.folder, world.printed)):
        places += 1
        leaks += holders(needles, [found])
    expect(not leaks, f"the tenant's key is in {sorted(leaks)}")
    stage.says(f"the tenant's key is in none of {places} objects, items, histories, logs, templates, files and outputs")


def forms(credentials: Mapping[str, str]) -> list[bytes]:
    """Return the private key as it is, and as the source's own header has it."""
    names = ("COMPANY_ID", "PUBLIC_KEY", "PRIVATE_KEY")
    company, public, private = (credentials[f"CONNECTWISE_{name}"] for name in names)
    login = f"{company}+{public}:{private}".encode()
    return [private.encode(), base64.b64encode(login)]


def holders(needles: list[bytes], contents: list[Found]) -> list[str]:
    """Return the places whose content has one of the needles."""
    return [where for where, content in contents if any(needle in content for needle in needles)]


def on_this_machine(folder: Path, printed: Sequence[str]) -> Iterator[Found]:
    """Give the clone, the homes, the emulator's log, and what the commands printed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and _PACKAGES not in path.as_posix():
            yield str(path.relative_to(folder)), path.read_bytes()
    for number, text in enumerate(printed):
        yield f"what command {number} printed", text.encode()


class Account:
    """An emulated account, read by its root."""

    def __init__(self, emulator: Emulator, key: str) -> None:
        certificate = emulator.certificate
        self._client_options: dict[str, Any] = {
            "region_name": REGION,
            "endpoint_url": emulator.url,
            "aws_access_key_id": key,
            "aws_secret_access_key": ROOT_KEY,
            "verify": None if certificate is None else str(certificate),
        }

    def secrets(self) -> list[Found]:
        """Return the secrets' own values."""
        store = self._client("secretsmanager")
        names = [item["Name"] for item in self._pages("secretsmanager", "list_secrets", "SecretList")]
        return [(name, store.get_secret_value(SecretId=name)["SecretString"].encode()) for name in names]

    def contents(self) -> Iterator[Found]:
        """Give everything but the secrets' values."""
        yield from self._objects()
        yield from self._items()
        yield from self._executions()
        yield from self._logs()
        for kind, call, field in (
            ("secretsmanager", "list_secrets", "SecretList"),
            ("lambda", "list_functions", "Functions"),
            ("cloudformation", "describe_stacks", "Stacks"),
        ):
            yield f"{kind}: {call}", _text(list(self._pages(kind, call, field)))
        for stack in self._pages("cloudformation", "describe_stacks", "Stacks"):
            told = self._client("cloudformation").get_template(StackName=stack["StackName"])["TemplateBody"]
            yield f"template of {stack['StackName']}", _text(told)

    def _objects(self) -> Iterator[Found]:
        store = self._client("s3")
        for bucket in (item["Name"] for item in store.list_buckets()["Buckets"]):
            for item in self._pages("s3", "list_object_versions", "Versions", Bucket=bucket):
                place = {"Bucket": bucket, "Key": item["Key"], "VersionId": item["VersionId"]}
                yield f"s3://{bucket}/{item['Key']}", store.get_object(**place)["Body"].read()

    def _items(self) -> Iterator[Found]:
        for table in self._pages("dynamodb", "list_tables", "TableNames"):
            yield f"table {table}", _text(list(self._pages("dynamodb", "scan", "Items", TableName=table)))

    def _executions(self) -> Iterator[Found]:
        for machine in self._pages("stepfunctions", "list_state_machines", "stateMachines"):
            arn = machine["stateMachineArn"]
            for run in self._pages("stepfunctions", "list_executions", "executions", stateMachineArn=arn):
                execution = run["executionArn"]
                events = self._pages("stepfunctions", "get_execution_history", "events", executionArn=execution)
                yield f"history of {execution}", _text(list(events))

    def _logs(self) -> Iterator[Found]:
        for group in self._pages("logs", "describe_log_groups", "logGroups"):
            name = group["logGroupName"]
            yield f"log {name}", _text(list(self._pages("logs", "filter_log_events", "events", logGroupName=name)))

    def _client(self, kind: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        return boto3.client(kind, **self._client_options)  # type: ignore[call-overload]  # any kind

    def _pages(self, kind: str, call: str, field: str, **asked: str) -> Iterator[Any]:
        for page in self._client(kind).get_paginator(call).paginate(**asked):
            yield from page.get(field, [])


def _text(content: object) -> bytes:
    return json.dumps(content, default=str, ensure_ascii=False).encode()
