"""What a pipeline remembers between steps: tenants, table states with their leases, jobs, chunks.

One contract suite (tests/contracts) runs on every adapter of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from avesa.domain.model import Chunk, Holder, Job, Lease, TableState, TenantService


class TenantRegistry(Protocol):
    """Tenants and the services they use; keyed tenant_id, service."""

    def get(self, tenant_id: str, service: str) -> TenantService | None:
        """Return the registration, or None."""

    def put(self, tenant_service: TenantService) -> None:
        """Store the registration, in place of an earlier one."""

    def list(self) -> list[TenantService]:
        """Return all registrations, by tenant id, then service."""


class TableStates(Protocol):
    """Bookmark, plan and lease of each tenant's table; keyed tenant_id, table_name.

    Every write names a lease and is refused with LeaseLost when the table knows a higher fence
    or the lease was released.
    """

    def get(self, tenant_id: str, table_name: str) -> TableState:
        """Return the state; a table never seen has neither bookmark, plan nor lease."""

    def list(self) -> list[TableState]:
        """Return all states, by tenant id, then table name."""

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
        """Return a lease with a fence above every earlier one.

        A lease that has expired, or whose holder `is_gone` says is dead, or that `holder`'s own job holds, is
        taken over.
        Raises LeaseHeld, with the holder's job id and age, when somebody else holds the table.
        """

    def renew(self, lease: Lease, *, now: datetime, ttl_seconds: float) -> Lease:
        """Return the lease with a later end. Raises LeaseLost."""

    def release(self, lease: Lease) -> None:
        """End the lease; a lease that is lost already stays lost, quietly. The fence is remembered."""

    def save(self, lease: Lease, state: TableState) -> None:
        """Store bookmark, plan and the last_* fields of `state` (not its lease). Raises LeaseLost."""


class JobLedger(Protocol):
    """Records of runs; keyed tenant_id (`ALL` for a run over all), job_id."""

    def put(self, job: Job) -> None:
        """Store the job, in place of its earlier record."""

    def get(self, job_id: str) -> Job | None:
        """Return the job, whichever tenant it is of, or None."""

    def list(self, *, limit: int, tenant_id: str | None = None) -> list[Job]:
        """Return the newest jobs first; with a tenant, its own and those over all tenants."""


class ChunkLedger(Protocol):
    """Progress of chunks; keyed tenant_id, chunk_id. Writes are refused with LeaseLost below the table's fence."""

    def add(self, lease: Lease, chunks: Sequence[Chunk]) -> None:
        """Store new chunks; one that is there already stays as it is."""

    def get(self, tenant_id: str, chunk_id: str) -> Chunk | None:
        """Return the chunk, or None."""

    def checkpoint(self, lease: Lease, chunk: Chunk) -> None:
        """Store the chunk's progress. Raises LeaseLost; then nothing is stored."""

    def list(self, tenant_id: str, table_name: str, job_id: str) -> list[Chunk]:
        """Return the chunks that the job planned for the table, by chunk id."""
