"""Runs and the progress of their chunks in DynamoDB."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from avesa.adapters.aws.leases import lease_is_ours
from avesa.adapters.aws.records import CONDITION_FAILED, MOST_ACTIONS, decode, encode, text
from avesa.adapters.aws.tables import (
    CHUNK_PROGRESS,
    JOB_KIND,
    JOBS_BY_ID,
    JOBS_BY_START,
    LAST_UPDATED,
    PROCESSING_JOBS,
    TTL_ATTRIBUTE,
)
from avesa.domain.leases import check_covers, lost
from avesa.domain.model import Chunk, Job
from avesa.domain.names import ALL_TENANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from types_boto3_dynamodb.type_defs import PutTypeDef, TransactWriteItemTypeDef

    from avesa.adapters.aws.records import Item, StateTables
    from avesa.domain.model import Lease

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS_PER_PAGE: Final = 200
CHUNK_IS_NEW: Final = "attribute_not_exists(chunk_id)"
"""A chunk that is there already keeps its progress."""
CHUNKS_KEPT_SECONDS: Final = 90 * 24 * 3600
"""A plan that nobody went on with for so long is planned again: chunks that are gone show in their number."""


class DynamoJobLedger:
    """Records of runs, in the table ProcessingJobs.

    Lists come from an index that follows a write within moments. Policies need GetItem, PutItem and BatchGetItem on
    the table, Query on its indexes.
    """

    def __init__(self, tables: StateTables) -> None:
        self._tables = tables
        self._name = tables.name(PROCESSING_JOBS)

    def put(self, job: Job) -> None:
        # Digits of one length order times as they are.
        started_us = (job.started_at - _EPOCH) // timedelta(microseconds=1)
        self._tables.put(
            PROCESSING_JOBS,
            {
                "tenant_id": {"S": job.tenant_id},
                "job_id": {"S": job.job_id},
                "kind": {"S": JOB_KIND},
                "started_key": {"S": f"{started_us:020d}#{job.job_id}"},
                "status": {"S": job.status.value},
                "value": encode(job),
            },
        )

    def get(self, job_id: str) -> Job | None:
        # Most runs are over all tenants: one read. The others are found by an index, then read as last written.
        item = self._tables.get(PROCESSING_JOBS, ALL_TENANTS, job_id)
        if item is None:
            keys = self._tables.query(
                PROCESSING_JOBS,
                IndexName=JOBS_BY_ID,
                KeyConditionExpression="job_id = :job",
                ExpressionAttributeValues={":job": {"S": job_id}},
            )
            tenant_id = next((text(key, "tenant_id") for key in keys), None)
            item = None if tenant_id is None else self._tables.get(PROCESSING_JOBS, tenant_id, job_id)
        return None if item is None else decode(text(item, "value"), Job, self._name)

    def list(self, *, limit: int, tenant_id: str | None = None) -> list[Job]:
        keys: list[tuple[str, str]] = []
        for key in self._newest_first():
            if len(keys) == limit:
                break
            if tenant_id is None or text(key, "tenant_id") in (tenant_id, ALL_TENANTS):
                keys.append((text(key, "tenant_id"), text(key, "job_id")))
        items = self._tables.get_many(PROCESSING_JOBS, keys)
        return [decode(text(items[key], "value"), Job, self._name) for key in keys if key in items]

    def _newest_first(self) -> Iterator[Item]:
        return self._tables.query(
            PROCESSING_JOBS,
            IndexName=JOBS_BY_START,
            KeyConditionExpression="kind = :kind",
            ExpressionAttributeValues={":kind": {"S": JOB_KIND}},
            ScanIndexForward=False,
            Limit=_KEYS_PER_PAGE,
        )


class DynamoChunkLedger:
    """Progress of chunks, in the table ChunkProgress; the lease is checked in the transaction that writes.

    `now` gives seconds since 1970; a record is kept for CHUNKS_KEPT_SECONDS after its last write.
    """

    def __init__(self, tables: StateTables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._now = now
        self._name = tables.name(CHUNK_PROGRESS)

    def add(self, lease: Lease, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            check_covers(lease, chunk.tenant_id, chunk.table_name)
        # In several transactions: the plan that makes them count is stored after all of them.
        for start in range(0, max(len(chunks), 1), MOST_ACTIONS - 1):
            self._add_together(lease, chunks[start : start + MOST_ACTIONS - 1])

    def get(self, tenant_id: str, chunk_id: str) -> Chunk | None:
        item = self._tables.get(CHUNK_PROGRESS, tenant_id, chunk_id)
        return None if item is None else decode(text(item, "value"), Chunk, self._name)

    def checkpoint(self, lease: Lease, chunk: Chunk) -> None:
        check_covers(lease, chunk.tenant_id, chunk.table_name)
        if self._tables.write_together(CHUNK_PROGRESS, [self._lease_check(lease), {"Put": self._put(chunk)}]):
            raise lost(lease)

    def list(self, tenant_id: str, table_name: str, job_id: str) -> list[Chunk]:
        items = self._tables.query(
            CHUNK_PROGRESS,
            KeyConditionExpression="tenant_id = :tenant AND begins_with(chunk_id, :job)",
            # Another job's id may begin with this one's.
            FilterExpression="job_id = :job AND table_name = :table",
            ExpressionAttributeValues={
                ":tenant": {"S": tenant_id},
                ":job": {"S": job_id},
                ":table": {"S": table_name},
            },
            ConsistentRead=True,
        )
        found = [decode(text(item, "value"), Chunk, self._name) for item in items]
        return sorted(found, key=lambda chunk: chunk.chunk_id)

    def _add_together(self, lease: Lease, chunks: Sequence[Chunk]) -> None:
        new = [*chunks]
        while True:
            puts: list[TransactWriteItemTypeDef] = [
                {"Put": {**self._put(chunk), "ConditionExpression": CHUNK_IS_NEW}} for chunk in new
            ]
            met = self._tables.write_together(CHUNK_PROGRESS, [self._lease_check(lease), *puts])
            if not met:
                return
            if met[0] == CONDITION_FAILED:
                raise lost(lease)
            new = [chunk for chunk, outcome in zip(new, met[1:], strict=True) if outcome != CONDITION_FAILED]

    def _lease_check(self, lease: Lease) -> TransactWriteItemTypeDef:
        return lease_is_ours(lease, self._tables.name(LAST_UPDATED))

    def _put(self, chunk: Chunk) -> PutTypeDef:
        return {
            "TableName": self._name,
            "Item": {
                "tenant_id": {"S": chunk.tenant_id},
                "chunk_id": {"S": chunk.chunk_id},
                "table_name": {"S": chunk.table_name},
                "job_id": {"S": chunk.job_id},
                "status": {"S": chunk.status.value},
                TTL_ATTRIBUTE: {"N": str(int(self._now()) + CHUNKS_KEPT_SECONDS)},
                "value": encode(chunk),
            },
        }
