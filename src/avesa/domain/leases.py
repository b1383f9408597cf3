"""The rules of a table's lease, and what is said when one of them does not hold; a store only has to swap in one write.

A store reads what it holds, asks `claim` for the lease that may take its place (or is told LeaseHeld), and swaps the
two if nothing has changed meanwhile; otherwise another run was first or the holder renewed, and it begins again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from avesa.domain.errors import LeaseHeld, LeaseLost
from avesa.domain.model import Lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from avesa.domain.model import Holder


def claim(
    tenant_id: str,
    table_name: str,
    *,
    seen: Lease | None,
    seen_fence: int,
    holder: Holder,
    now: datetime,
    ttl_seconds: float,
    is_gone: Callable[[Holder], bool],
) -> Lease:
    """Return the lease that the holder may put in the place of `seen`, with the next fence.

    `seen_fence` is the highest that the table ever had (0: none), since fences outlive their leases. `is_gone` is asked
    only when neither time nor job decide; it may take its time, so no lock of the store should be held meanwhile.
    Raises LeaseHeld when `seen` is somebody else's and still good.
    """
    if seen is not None and not _may_take_over(seen, holder, now, is_gone):
        raise held(seen, now)
    return Lease(
        tenant_id=tenant_id,
        table_name=table_name,
        holder=holder,
        fence=seen_fence + 1,
        acquired_at=now,
        expires_at=now + timedelta(seconds=ttl_seconds),
    )


def renewed(lease: Lease, *, now: datetime, ttl_seconds: float) -> Lease:
    """Return the lease with its end moved; fence and holder stay."""
    return replace(lease, expires_at=now + timedelta(seconds=ttl_seconds))


def check_covers(lease: Lease, tenant_id: str, table_name: str) -> None:
    """Raise ValueError when the lease is of another table."""
    if (lease.tenant_id, lease.table_name) != (tenant_id, table_name):
        raise ValueError(
            f"a lease of {lease.tenant_id} {lease.table_name} is no right to write {tenant_id} {table_name}"
        )


def held(lease: Lease, now: datetime) -> LeaseHeld:
    """Return the refusal for somebody who asks for a table that is held."""
    # A holder whose clock is ahead of ours has held it for no time yet.
    age_seconds = max((now - lease.acquired_at).total_seconds(), 0.0)
    return LeaseHeld(
        f"{lease.tenant_id} {lease.table_name}: job {lease.holder.job_id} has held the table for {age_seconds:.0f} s; "
        "wait for its end (--wait SECONDS) or run again later",
        holder=lease.holder.job_id,
        age_seconds=age_seconds,
    )


def lost(lease: Lease) -> LeaseLost:
    """Return the refusal for a write under a lease that has ended."""
    return LeaseLost(
        f"{lease.tenant_id} {lease.table_name}: the lease of job {lease.holder.job_id} (fence {lease.fence}) has "
        "ended; another run took the table over or the lease was released, and nothing was written"
    )


def _may_take_over(seen: Lease, holder: Holder, now: datetime, is_gone: Callable[[Holder], bool]) -> bool:
    is_expired = seen.expires_at <= now
    is_own = seen.holder.job_id == holder.job_id
    return is_expired or is_own or is_gone(seen.holder)
