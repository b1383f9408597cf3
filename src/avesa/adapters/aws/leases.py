"""The rules of a table's lease as DynamoDB conditions, and what is said when one of them does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.adapters.aws.records import key_of
from avesa.adapters.aws.tables import LAST_UPDATED
from avesa.domain.errors import LeaseHeld, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from avesa.domain.model import Holder, Lease

LEASE_IS_OURS: Final = "fence = :fence AND attribute_exists(lease)"
"""The table knows no higher fence, and the lease was not released."""
LEASE_IS_AS_SEEN: Final = "fence = :seen_fence AND lease = :seen_lease"
"""Nobody took the table over, renewed or released since it was read."""
TABLE_IS_FREE_AS_SEEN: Final = "fence = :seen_fence AND attribute_not_exists(lease)"
"""Nobody has taken the table since it was read."""
TABLE_WAS_NEVER_LEASED: Final = "attribute_not_exists(fence)"


def lease_is_ours(lease: Lease, table: str) -> TransactWriteItemTypeDef:
    """Return the check that belongs into every transaction that writes under the lease."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": key_of(LAST_UPDATED, lease.tenant_id, lease.table_name),
            "ConditionExpression": LEASE_IS_OURS,
            "ExpressionAttributeValues": {":fence": {"N": str(lease.fence)}},
        }
    }


def check_covers(lease: Lease, tenant_id: str, table_name: str) -> None:
    """Raise ValueError when the lease is of another table."""
    if (lease.tenant_id, lease.table_name) != (tenant_id, table_name):
        raise ValueError(
            f"a lease of {lease.tenant_id} {lease.table_name} is no right to write {tenant_id} {table_name}"
        )


def may_take_over(held: Lease, holder: Holder, now: datetime, is_gone: Callable[[Holder], bool]) -> bool:
    """Whether a lease that somebody holds may become the holder's."""
    is_expired = held.expires_at <= now
    is_own = held.holder.job_id == holder.job_id
    return is_expired or is_own or is_gone(held.holder)


def held_error(lease: Lease, now: datetime) -> LeaseHeld:
    """Return the refusal for somebody who asks for a table that is held."""
    age_seconds = max((now - lease.acquired_at).total_seconds(), 0.0)
    return LeaseHeld(
        f"{lease.tenant_id} {lease.table_name}: job {lease.holder.job_id} has held the table for {age_seconds:.0f} s; "
        "wait for its end (--wait SECONDS) or run again later",
        holder=lease.holder.job_id,
        age_seconds=age_seconds,
    )


def lost_error(lease: Lease) -> LeaseLost:
    """Return the refusal for a write under a lease that has ended."""
    return LeaseLost(
        f"{lease.tenant_id} {lease.table_name}: the lease of job {lease.holder.job_id} (fence {lease.fence}) has "
        "ended; another run took the table over or the lease was released, and nothing was written"
    )
