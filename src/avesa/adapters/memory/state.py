"""What a pipeline remembers between steps, for as long as the object lives."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from avesa.domain.leases import check_covers, claim, lost, renewed
from avesa.domain.model import TableState
from avesa.domain.names import ALL_TENANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from avesa.domain.model import Chunk, Holder, Job, Lease, TenantService

_Record = TypeVar("_Record")


class MemoryState:
    """The four state ports over one set of facts; threads may share it."""

    def __init__(self) -> None:
        lock = threading.RLock()
        self.tenants = MemoryTenantRegistry(lock)
        self.tables = MemoryTableStates(lock)
        self.jobs = MemoryJobLedger(lock)
        self.chunks = MemoryChunkLedger(lock, self.tables)

    def forget(self, tenant_id: str) -> dict[str, int]:
        """Forget a tenant; return how many records were forgotten, by the name of their table."""
        return {
            "TenantServices": self.tenants.forget(tenant_id),
            "LastUpdated": self.tables.forget(tenant_id),
            "ProcessingJobs": self.jobs.forget(tenant_id),
            "ChunkProgress": self.chunks.forget(tenant_id),
        }


class MemoryTenantRegistry:
    """Tenants and the services they use."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._services: dict[tuple[str, str], TenantService] = {}

    def get(self, tenant_id: str, service: str) -> TenantService | None:
        with self._lock:
            return self._services.get((tenant_id, service))

    def put(self, tenant_service: TenantService) -> None:
        with self._lock:
            self._services[tenant_service.tenant_id, tenant_service.service] = tenant_service

    def forget(self, tenant_id: str) -> int:
        """Forget the tenant's registrations; return how many."""
        with self._lock:
            return _forgotten(self._services, tenant_id)

    def list(self) -> list[TenantService]:
        with self._lock:
            return [service for _, service in sorted(self._services.items())]


class MemoryTableStates:
    """Bookmark, plan and lease of each tenant's table; fences outlive their leases."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._states: dict[tuple[str, str], TableState] = {}
        self._leases: dict[tuple[str, str], Lease] = {}
        self._fences: dict[tuple[str, str], int] = {}

    def get(self, tenant_id: str, table_name: str) -> TableState:
        key = (tenant_id, table_name)
        with self._lock:
            state = self._states.get(key) or TableState(tenant_id=tenant_id, table_name=table_name)
            return replace(state, lease=self._leases.get(key))

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
        key = (tenant_id, table_name)
        while True:
            with self._lock:
                seen, seen_fence = self._leases.get(key), self._fences.get(key, 0)
            # Claimed without the lock: asking for the holder may take its time, and everybody else would wait for it.
            lease = claim(
                tenant_id,
                table_name,
                seen=seen,
                seen_fence=seen_fence,
                holder=holder,
                now=now,
                ttl_seconds=ttl_seconds,
                is_gone=is_gone,
            )
            with self._lock:
                if (self._leases.get(key), self._fences.get(key, 0)) != (seen, seen_fence):
                    continue  # somebody else was first, or the holder renewed: look again
                self._fences[key], self._leases[key] = lease.fence, lease
                return lease

    def renew(self, lease: Lease, *, now: datetime, ttl_seconds: float) -> Lease:
        with self._lock:
            self.check(lease)
            longer = renewed(lease, now=now, ttl_seconds=ttl_seconds)
            self._leases[lease.tenant_id, lease.table_name] = longer
            return longer

    def release(self, lease: Lease) -> None:
        with self._lock:
            if self._is_valid(lease):
                del self._leases[lease.tenant_id, lease.table_name]

    def save(self, lease: Lease, state: TableState) -> None:
        check_covers(lease, state.tenant_id, state.table_name)
        with self._lock:
            self.check(lease)
            self._states[lease.tenant_id, lease.table_name] = replace(state, lease=None)

    def check(self, lease: Lease) -> None:
        """Raise LeaseLost unless the table knows no higher fence and the lease was not released."""
        if not self._is_valid(lease):
            raise lost(lease)

    def _is_valid(self, lease: Lease) -> bool:
        known = self._leases.get((lease.tenant_id, lease.table_name))
        return known is not None and known.fence == lease.fence

    def forget(self, tenant_id: str) -> int:
        """Forget the tenant's tables; return how many."""
        with self._lock:
            _forgotten(self._states, tenant_id)
            _forgotten(self._leases, tenant_id)
            return _forgotten(self._fences, tenant_id)

    def list(self) -> list[TableState]:
        with self._lock:
            return [self.get(*key) for key in sorted(self._fences)]


class MemoryJobLedger:
    """Records of runs."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._jobs: dict[tuple[str, str], Job] = {}

    def put(self, job: Job) -> None:
        with self._lock:
            # A job's request is a dict: what the caller does to it later must not change the record.
            self._jobs[job.tenant_id, job.job_id] = copy.deepcopy(job)

    def get(self, job_id: str) -> Job | None:
        with self._lock:
            return next((copy.deepcopy(job) for (_, known), job in self._jobs.items() if known == job_id), None)

    def forget(self, tenant_id: str) -> int:
        """Forget the tenant's runs, and its part of runs over all tenants; return how many were changed or gone."""
        with self._lock:
            changed = 0
            for key, job in self._jobs.items():
                kept = tuple(result for result in job.tenants if result.tenant_id != tenant_id)
                if job.tenant_id == ALL_TENANTS and len(kept) != len(job.tenants):
                    self._jobs[key] = replace(job, tenants=kept)
                    changed += 1
            return changed + _forgotten(self._jobs, tenant_id)

    def list(self, *, limit: int, tenant_id: str | None = None) -> list[Job]:
        with self._lock:
            asked = [
                job for job in self._jobs.values() if tenant_id is None or job.tenant_id in (tenant_id, ALL_TENANTS)
            ]
            newest = sorted(asked, key=lambda job: (job.started_at, job.job_id), reverse=True)
            return [copy.deepcopy(job) for job in newest[:limit]]


class MemoryChunkLedger:
    """Progress of chunks, behind the fences of `tables`."""

    def __init__(self, lock: threading.RLock, tables: MemoryTableStates) -> None:
        self._lock = lock
        self._tables = tables
        self._chunks: dict[tuple[str, str], Chunk] = {}

    def add(self, lease: Lease, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            check_covers(lease, chunk.tenant_id, chunk.table_name)
        with self._lock:
            self._tables.check(lease)
            for chunk in chunks:
                self._chunks.setdefault((chunk.tenant_id, chunk.chunk_id), chunk)

    def get(self, tenant_id: str, chunk_id: str) -> Chunk | None:
        with self._lock:
            return self._chunks.get((tenant_id, chunk_id))

    def checkpoint(self, lease: Lease, chunk: Chunk) -> None:
        check_covers(lease, chunk.tenant_id, chunk.table_name)
        with self._lock:
            self._tables.check(lease)
            self._chunks[chunk.tenant_id, chunk.chunk_id] = chunk

    def forget(self, tenant_id: str) -> int:
        """Forget the tenant's chunks; return how many."""
        with self._lock:
            return _forgotten(self._chunks, tenant_id)

    def list(self, tenant_id: str, table_name: str, job_id: str) -> list[Chunk]:
        asked = (tenant_id, table_name, job_id)
        with self._lock:
            found = [
                chunk for chunk in self._chunks.values() if (chunk.tenant_id, chunk.table_name, chunk.job_id) == asked
            ]
        return sorted(found, key=lambda chunk: chunk.chunk_id)


def _forgotten(records: dict[tuple[str, str], _Record], tenant_id: str) -> int:
    """Remove the tenant's records, whose keys begin with its id; return how many."""
    keys = [key for key in records if key[0] == tenant_id]
    for key in keys:
        del records[key]
    return len(keys)
