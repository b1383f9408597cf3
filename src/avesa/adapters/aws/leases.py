"""The rules of a table's lease (avesa.domain.leases) as DynamoDB conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.adapters.aws.records import key_of
from avesa.adapters.aws.tables import LAST_UPDATED

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from avesa.domain.model import Lease

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
