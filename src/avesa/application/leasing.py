"""Holding one table, and the time that what is seen under a lease carries.

Later sights must carry later times: a deletion found, or a silent change, is told from what it ended by them alone. The
machine's clock may be put back between two runs, so each lease begins after everything that the table carries already.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from avesa.application.context import StepContext
    from avesa.domain.model import Lease, TableState
    from avesa.ports.upkeep import Upkeep


_TICK: Final = timedelta(microseconds=1)
_MOST_AHEAD: Final = timedelta(minutes=15)


def lease_from(context: StepContext, state: TableState) -> datetime:
    """Return when a lease of the table begins: now, or just after the latest time that anything of it may carry."""
    begin = context.clock.now()
    if state.latest_at is not None:
        begin = max(begin, state.latest_at + _TICK)
    lease = state.lease
    if lease is not None:
        renewed_at = lease.expires_at - timedelta(seconds=context.bounds.lease_ttl_seconds)
        if renewed_at > begin:
            # Its holder's clock was ahead: what it saw last is later than its last renewal, but not than its end.
            begin = min(lease.expires_at, renewed_at + _MOST_AHEAD)
    return begin


def seen_at(context: StepContext, lease: Lease) -> datetime:
    """Return the time that what is seen now carries: never before the lease began."""
    return max(context.clock.now(), lease.acquired_at)


@contextmanager
def leased(context: StepContext, tenant_id: str, table_name: str, *, job_id: str) -> Iterator[Lease]:
    """Give the table's lease, renewed for as long as the context lasts. Raises LeaseHeld when somebody else has it."""
    lease = context.tables.acquire(
        tenant_id,
        table_name,
        holder=context.liveness.holder(job_id),
        now=lease_from(context, context.tables.get(tenant_id, table_name)),
        ttl_seconds=context.bounds.lease_ttl_seconds,
        is_gone=context.liveness.is_gone,
    )

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
