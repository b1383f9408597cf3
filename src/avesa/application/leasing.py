"""Holding one table, and the time that what is seen under a lease carries.

Later sights must carry later times: a deletion found, or a silent change, is told from what it ended by them alone. The
machine's clock may be put back between two runs, so each lease begins after everything that the table carries already.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.application.context import StepContext
    from avesa.domain.model import Holder, Lease, TableState
    from avesa.ports.upkeep import Upkeep


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_MOST_AHEAD: Final = timedelta(minutes=15)


def acquire(context: StepContext, tenant_id: str, table_name: str, holder: Holder) -> Lease:
    """Return the table's lease; it began now, or just after the latest time that anything of the table may carry.

    Who may take it is decided by the clock alone. Raises LeaseHeld when somebody else has it.
    """
    before = context.tables.get(tenant_id, table_name)
    lease = context.tables.acquire(
        tenant_id,
        table_name,
        holder=holder,
        now=context.clock.now(),
        ttl_seconds=context.bounds.lease_ttl_seconds,
        is_gone=context.liveness.is_gone,
    )
    lease = replace(lease, acquired_at=max(lease.acquired_at, _latest(context, before)))
    if before.lease is not None:
        # Taken over: what its holder saw last is known now, and told by nothing but its lease, which has just gone.
        state = context.tables.get(tenant_id, table_name)
        context.tables.save(lease, replace(state, latest_at=lease.acquired_at))
    return lease


def _latest(context: StepContext, before: TableState) -> datetime:
    latest = before.latest_at + _TICK if before.latest_at is not None else _NEVER
    if before.lease is not None:
        renewed_at = before.lease.expires_at - timedelta(seconds=context.bounds.lease_ttl_seconds)
        if renewed_at > context.clock.now():
            # Its holder's clock was ahead: what it saw last is later than its last renewal, but not than its end.
            latest = max(latest, min(before.lease.expires_at, renewed_at + _MOST_AHEAD))
    return latest


def seen_at(context: StepContext, lease: Lease) -> datetime:
    """Return the time that what is seen now carries: never before the lease began."""
    return max(context.clock.now(), lease.acquired_at)


@contextmanager
def leased(context: StepContext, tenant_id: str, table_name: str, *, job_id: str) -> Iterator[Lease]:
    """Give the table's lease, renewed for as long as the context lasts. Raises LeaseHeld when somebody else has it."""
    lease = acquire(context, tenant_id, table_name, context.liveness.holder(job_id))

    def renewed(held: Lease) -> Lease:
        return context.tables.renew(held, now=context.clock.now(), ttl_seconds=context.bounds.lease_ttl_seconds)

    try:
        with context.liveness.keeping(lease, renewed):
            yield lease
    finally:
        context.tables.release(lease)


def upkeep_of(context: StepContext) -> Upkeep:
    """Return what looking after the lake needs. Raises ConfigError in a package that has no table engines."""
    if context.upkeep is None:
        raise ConfigError(
            "this step reads whole tables and raw parts, and this package has no engine for that: on AWS, invoke "
            "avesa-canonical-transform for it"
        )
    return context.upkeep
