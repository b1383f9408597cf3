"""Deletes for good on AWS: the bucket keeps versions of what is deleted, so the versions go too; and a tenant's items.

What only time removes: DynamoDB's point-in-time recovery (35 days). These are the caller's own rights, never a tenant
session's: no function may erase.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from avesa.adapters.aws.records import decode, encode, key_of, text
from avesa.adapters.aws.refusals import refusals
from avesa.adapters.aws.tables import PROCESSING_JOBS, STATE_TABLES
from avesa.domain.errors import StorageError
from avesa.domain.keys import check_key
from avesa.domain.model import Job
from avesa.domain.names import ALL_TENANTS
from avesa.ports.upkeep import ErasedObjects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from avesa.adapters.aws.access import AwsAccess
    from avesa.adapters.aws.records import Item, StateTables
    from avesa.adapters.aws.tables import TableShape

_MOST_OBJECTS: Final = 1000
"""Objects that S3 deletes in one request."""


class _ObjectVersion(NamedTuple):
    key: str
    version_id: str
    size_bytes: int


class AwsEraser:
    """An Eraser for a versioned bucket and the state's tables."""

    def __init__(self, bucket: str, access: AwsAccess, tables: StateTables) -> None:
        self._bucket = bucket
        self._tables = tables
        self._s3 = access.s3()
        self._dynamodb: DynamoDBClient = access.dynamodb()

    def objects(self, keys: Sequence[str]) -> ErasedObjects:
        # A prefix finds longer keys too; those are others.
        return self._erase(
            [version for key in keys for version in self._versions(check_key(key)) if version.key == key]
        )

    def below(self, prefix: str, *, keep: frozenset[str] = frozenset()) -> ErasedObjects:
        check_key(prefix.removesuffix("/"))
        return self._erase([version for version in self._versions(prefix) if version.key not in keep])

    def state(self, tenant_id: str) -> dict[str, int]:
        counts = {shape.base_name: self._items_deleted(shape, tenant_id) for shape in STATE_TABLES}
        counts[PROCESSING_JOBS.base_name] += self._left_out_of_common_jobs(tenant_id)
        return counts

    def _versions(self, prefix: str) -> Iterator[_ObjectVersion]:
        """Yield every version of the objects below the prefix, and the markers that hide them."""
        with refusals(f"objects below {prefix} in s3://{self._bucket}"):
            for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
                for version in page.get("Versions", []):
                    yield _ObjectVersion(version["Key"], version["VersionId"], version["Size"])
                for marker in page.get("DeleteMarkers", []):
                    yield _ObjectVersion(marker["Key"], marker["VersionId"], 0)

    def _erase(self, versions: list[_ObjectVersion]) -> ErasedObjects:
        for start in range(0, len(versions), _MOST_OBJECTS):
            batch = [{"Key": key, "VersionId": version} for key, version, _ in versions[start : start + _MOST_OBJECTS]]
            with refusals(f"objects in s3://{self._bucket}"):
                answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})
            refused = answer.get("Errors", [])
            if refused:
                raise StorageError(
                    f"s3://{self._bucket}: {len(refused)} objects were not erased ({refused[0].get('Code', '')}); "
                    "these credentials need s3:DeleteObjectVersion; call the same command again"
                )
        keys = sorted({version.key for version in versions})
        return ErasedObjects(keys=tuple(keys), size_bytes=sum(version.size_bytes for version in versions))

    def _items_deleted(self, shape: TableShape, tenant_id: str) -> int:
        items = list(self._items(shape, tenant_id))
        for item in items:
            with refusals(f"DynamoDB table {self._tables.name(shape)}"):
                self._dynamodb.delete_item(
                    TableName=self._tables.name(shape), Key=key_of(shape, tenant_id, text(item, shape.sort_key))
                )
        return len(items)

    def _left_out_of_common_jobs(self, tenant_id: str) -> int:
        """Take the tenant's results out of the runs over all tenants; return how many had one."""
        changed = 0
        for item in self._items(PROCESSING_JOBS, ALL_TENANTS):
            job = decode(text(item, "value"), Job, self._tables.name(PROCESSING_JOBS))
            kept = tuple(result for result in job.tenants if result.tenant_id != tenant_id)
            if len(kept) != len(job.tenants):
                self._tables.put(PROCESSING_JOBS, {**item, "value": encode(replace(job, tenants=kept))})
                changed += 1
        return changed

    def _items(self, shape: TableShape, partition: str) -> Iterator[Item]:
        return self._tables.query(
            shape,
            KeyConditionExpression=f"{shape.partition_key} = :partition",
            ExpressionAttributeValues={":partition": {"S": partition}},
            ConsistentRead=True,
        )
