"""What a pipeline remembers between steps, in one SQLite file that several processes share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from avesa.domain.errors import StorageError
from avesa.domain.leases import check_covers, claim, lost, renewed
from avesa.domain.model import Chunk, Job, Lease, TableState, TenantService
from avesa.domain.names import ALL_TENANTS
from avesa.ports.decoding import decoder

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from avesa.adapters.local.database import SqliteDatabase
    from avesa.domain.model import Holder

_Record = TypeVar("_Record")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SqliteTenantRegistry:
    """Tenants and their services, in the table TenantServices."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def get(self, tenant_id: str, service: str) -> TenantService | None:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT value FROM TenantServices WHERE tenant_id = ? AND service = ?", (tenant_id, service)
            ).fetchone()
        return None if row is None else _decode(row[0], TenantService, self._database)

    def put(self, tenant_service: TenantService) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO TenantServices (tenant_id, service, value) VALUES (?, ?, ?)",
                (tenant_service.tenant_id, tenant_service.service, _encode(tenant_service)),
            )

    def list(self) -> list[TenantService]:
        with self._database.reading() as connection:
            rows = connection.execute("SELECT value FROM TenantServices ORDER BY tenant_id, service").fetchall()
        return [_decode(row[0], TenantService, self._database) for row in rows]


class SqliteTableStates:
    """Bookmark, plan and lease of each tenant's table, in the table LastUpdated."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def get(self, tenant_id: str, table_name: str) -> TableState:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT lease, value FROM LastUpdated WHERE tenant_id = ? AND table_name = ?", (tenant_id, table_name)
            ).fetchone()
        return self._state(tenant_id, table_name, *(row or (None, None)))

    def list(self) -> list[TableState]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT tenant_id, table_name, lease, value FROM LastUpdated ORDER BY tenant_id, table_name"
            ).fetchall()
        return [self._state(*row) for row in rows]

    def acquire(
        self,
        tenant_id: str,
        table_name: str,
        *,
        holder: Holder,
        now: datetime,
        ttl_seconds: float,
        is_gone: Callable[[Holder], bool],
    ) -> Lease:
        while True:
            with self._database.reading() as connection:
                seen = self._fence_and_lease(connection, tenant_id, table_name)
            # Claimed outside the transaction: asking for the holder may take its time, and everybody else would wait.
            lease = claim(
                tenant_id,
                table_name,
                seen=seen[1],
                seen_fence=seen[0],
                holder=holder,
                now=now,
                ttl_seconds=ttl_seconds,
                is_gone=is_gone,
            )
            with self._database.writing() as connection:
                if self._fence_and_lease(connection, tenant_id, table_name) == seen:
                    return self._grant(connection, lease)
            # Another process was first, or the holder renewed: look again.

    def renew(self, lease: Lease, *, now: datetime, ttl_seconds: float) -> Lease:
        longer = renewed(lease, now=now, ttl_seconds=ttl_seconds)
        with self._database.writing() as connection:
            _check_lease(connection, lease)
            connection.execute(
                "UPDATE LastUpdated SET lease = ? WHERE tenant_id = ? AND table_name = ?",
                (_encode(longer), lease.tenant_id, lease.table_name),
            )
        return longer

    def release(self, lease: Lease) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE LastUpdated SET lease = NULL WHERE tenant_id = ? AND table_name = ? AND fence = ?",
                (lease.tenant_id, lease.table_name, lease.fence),
            )

    def save(self, lease: Lease, state: TableState) -> None:
        check_covers(lease, state.tenant_id, state.table_name)
        with self._database.writing() as connection:
            _check_lease(connection, lease)
            connection.execute(
                "UPDATE LastUpdated SET value = ? WHERE tenant_id = ? AND table_name = ?",
                (_encode(replace(state, lease=None)), lease.tenant_id, lease.table_name),
            )

    def _state(self, tenant_id: str, table_name: str, lease: str | None, value: str | None) -> TableState:
        if value is None:
            state = TableState(tenant_id=tenant_id, table_name=table_name)
        else:
            state = _decode(value, TableState, self._database)
        return state if lease is None else replace(state, lease=_decode(lease, Lease, self._database))

    def _fence_and_lease(self, connection: sqlite3.Connection, *key: str) -> tuple[int, Lease | None]:
        fence, lease = connection.execute(
            "SELECT fence, lease FROM LastUpdated WHERE tenant_id = ? AND table_name = ?", key
        ).fetchone() or (0, None)
        return fence, None if lease is None else _decode(lease, Lease, self._database)

    def _grant(self, connection: sqlite3.Connection, lease: Lease) -> Lease:
        connection.execute(
            "INSERT INTO LastUpdated (tenant_id, table_name, fence, lease) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (tenant_id, table_name) DO UPDATE SET fence = excluded.fence, lease = excluded.lease",
            (lease.tenant_id, lease.table_name, lease.fence, _encode(lease)),
        )
        return lease


class SqliteJobLedger:
    """Records of runs, in the table ProcessingJobs."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def put(self, job: Job) -> None:
        # A number orders times as they are; their text does not ("…:16Z" sorts after "…:16.5Z").
        started_us = (job.started_at - _EPOCH) // timedelta(microseconds=1)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO ProcessingJobs (tenant_id, job_id, started_us, value) VALUES (?, ?, ?, ?)",
                (job.tenant_id, job.job_id, started_us, _encode(job)),
            )

    def get(self, job_id: str) -> Job | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM ProcessingJobs WHERE job_id = ?", (job_id,)).fetchone()
        return None if row is None else _decode(row[0], Job, self._database)

    def list(self, *, limit: int, tenant_id: str | None = None) -> list[Job]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT value FROM ProcessingJobs WHERE ?1 IS NULL OR tenant_id IN (?1, ?2) "
                "ORDER BY started_us DESC, job_id DESC LIMIT ?3",
                (tenant_id, ALL_TENANTS, limit),
            ).fetchall()
        return [_decode(row[0], Job, self._database) for row in rows]


class SqliteChunkLedger:
    """Progress of chunks, in the table ChunkProgress; the fence is looked at in the same transaction."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def add(self, lease: Lease, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            check_covers(lease, chunk.tenant_id, chunk.table_name)
        with self._database.writing() as connection:
            _check_lease(connection, lease)
            connection.executemany(
                "INSERT INTO ChunkProgress (tenant_id, chunk_id, table_name, job_id, value) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (tenant_id, chunk_id) DO NOTHING",
                [_chunk_row(chunk) for chunk in chunks],
            )

    def get(self, tenant_id: str, chunk_id: str) -> Chunk | None:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT value FROM ChunkProgress WHERE tenant_id = ? AND chunk_id = ?", (tenant_id, chunk_id)
            ).fetchone()
        return None if row is None else _decode(row[0], Chunk, self._database)

    def checkpoint(self, lease: Lease, chunk: Chunk) -> None:
        check_covers(lease, chunk.tenant_id, chunk.table_name)
        with self._database.writing() as connection:
            _check_lease(connection, lease)
            connection.execute(
                "INSERT OR REPLACE INTO ChunkProgress (tenant_id, chunk_id, table_name, job_id, value) "
                "VALUES (?, ?, ?, ?, ?)",
                _chunk_row(chunk),
            )

    def list(self, tenant_id: str, table_name: str, job_id: str) -> list[Chunk]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT value FROM ChunkProgress WHERE tenant_id = ? AND table_name = ? AND job_id = ? "
                "ORDER BY chunk_id",
                (tenant_id, table_name, job_id),
            ).fetchall()
        return [_decode(row[0], Chunk, self._database) for row in rows]


def _chunk_row(chunk: Chunk) -> tuple[str, str, str, str, str]:
    return chunk.tenant_id, chunk.chunk_id, chunk.table_name, chunk.job_id, _encode(chunk)


def _check_lease(connection: sqlite3.Connection, lease: Lease) -> None:
    """Raise LeaseLost unless the table knows no higher fence and the lease was not released."""
    found = connection.execute(
        "SELECT 1 FROM LastUpdated WHERE tenant_id = ? AND table_name = ? AND fence = ? AND lease IS NOT NULL",
        (lease.tenant_id, lease.table_name, lease.fence),
    ).fetchone()
    if found is None:
        raise lost(lease)


def _encode(record: object) -> str:
    return msgspec.json.encode(record).decode()


def _decode(value: str, kind: type[_Record], database: SqliteDatabase) -> _Record:
    try:
        return decoder(kind).decode(value)
    except msgspec.DecodeError as error:
        raise StorageError(
            f"state file {database.path}: a stored {kind.__name__} cannot be read ({error}); the file is damaged or "
            "was changed by hand: put a copy of it back"
        ) from error
