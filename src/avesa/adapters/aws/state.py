"""Tenants and the state of their tables in DynamoDB; a table's lease and its fence decide every write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from avesa.adapters.aws.leases import (
    LEASE_IS_AS_SEEN,
    LEASE_IS_OURS,
    TABLE_IS_FREE_AS_SEEN,
    TABLE_WAS_NEVER_LEASED,
)
from avesa.adapters.aws.records import decode, encode, number, text
from avesa.adapters.aws.tables import LAST_UPDATED, TENANT_SERVICES
from avesa.domain.leases import check_covers, claim, lost, renewed
from avesa.domain.model import Lease, TableState, TenantService

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from avesa.adapters.aws.records import Item, StateTables
    from avesa.domain.model import Holder


class DynamoTenantRegistry:
    """Tenants and their services, in the table TenantServices.

    With `only`, `list` gives that tenant's registrations: all that credentials narrowed to a tenant may read.
    """

    def __init__(self, tables: StateTables, *, only: str | None = None) -> None:
        self._tables = tables
        self._only = only
        self._name = tables.name(TENANT_SERVICES)

    def get(self, tenant_id: str, service: str) -> TenantService | None:
        item = self._tables.get(TENANT_SERVICES, tenant_id, service)
        return None if item is None else decode(text(item, "value"), TenantService, self._name)

    def put(self, tenant_service: TenantService) -> None:
        self._tables.put(
            TENANT_SERVICES,
            {
                "tenant_id": {"S": tenant_service.tenant_id},
                "service": {"S": tenant_service.service},
                "value": encode(tenant_service),
            },
        )

    def _items(self) -> list[Item]:
        if self._only is None:
            return [*self._tables.scan(TENANT_SERVICES)]
        return [
            *self._tables.query(
                TENANT_SERVICES,
                KeyConditionExpression="tenant_id = :tenant",
                ExpressionAttributeValues={":tenant": {"S": self._only}},
                ConsistentRead=True,
            )
        ]

    # Last, since its name hides the built-in type from the annotations that follow.
    def list(self) -> list[TenantService]:
        found = [decode(text(item, "value"), TenantService, self._name) for item in self._items()]
        return sorted(found, key=lambda service: (service.tenant_id, service.service))


class DynamoTableStates:
    """Bookmark, plan and lease of each tenant's table, in the table LastUpdated.

    An item has the fence as a number, and lease and state as JSON text; the fence outlives its lease.
    """

    def __init__(self, tables: StateTables) -> None:
        self._tables = tables
        self._name = tables.name(LAST_UPDATED)

    def get(self, tenant_id: str, table_name: str) -> TableState:
        return self._state(tenant_id, table_name, self._tables.get(LAST_UPDATED, tenant_id, table_name) or {})

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
            seen = self._tables.get(LAST_UPDATED, tenant_id, table_name) or {}
            lease = claim(
                tenant_id,
                table_name,
                seen=self._lease(seen),
                seen_fence=number(seen, "fence"),
                holder=holder,
                now=now,
                ttl_seconds=ttl_seconds,
                is_gone=is_gone,
            )
            if self._granted(lease, seen):
                return lease
            # Another run was first, or the holder renewed: look again.

    def renew(self, lease: Lease, *, now: datetime, ttl_seconds: float) -> Lease:
        longer = renewed(lease, now=now, ttl_seconds=ttl_seconds)
        if not self._changed(lease, "SET lease = :lease", {":lease": encode(longer)}):
            raise lost(lease)
        return longer

    def release(self, lease: Lease) -> None:
        self._changed(lease, "REMOVE lease", {})

    def save(self, lease: Lease, state: TableState) -> None:
        check_covers(lease, state.tenant_id, state.table_name)
        if not self._changed(lease, "SET #value = :value", {":value": encode(replace(state, lease=None))}):
            raise lost(lease)

    def _granted(self, lease: Lease, seen: Item) -> bool:
        values: dict[str, AttributeValueTypeDef] = {":fence": {"N": str(lease.fence)}, ":lease": encode(lease)}
        if "fence" not in seen:
            condition = TABLE_WAS_NEVER_LEASED
        else:
            values[":seen_fence"] = seen["fence"]
            condition = LEASE_IS_AS_SEEN if "lease" in seen else TABLE_IS_FREE_AS_SEEN
        if "lease" in seen:
            values[":seen_lease"] = seen["lease"]
        done = self._tables.update(
            LAST_UPDATED,
            lease.tenant_id,
            lease.table_name,
            change="SET fence = :fence, lease = :lease",
            condition=condition,
            values=values,
        )
        return done is not None

    def _changed(self, lease: Lease, change: str, values: Item) -> bool:
        done = self._tables.update(
            LAST_UPDATED,
            lease.tenant_id,
            lease.table_name,
            change=change,
            condition=LEASE_IS_OURS,
            values={":fence": {"N": str(lease.fence)}, **values},
        )
        return done is not None

    def _state(self, tenant_id: str, table_name: str, item: Item) -> TableState:
        if "value" not in item:
            state = TableState(tenant_id=tenant_id, table_name=table_name)
        else:
            state = decode(text(item, "value"), TableState, self._name)
        return replace(state, lease=self._lease(item))

    def _lease(self, item: Item) -> Lease | None:
        return decode(text(item, "lease"), Lease, self._name) if "lease" in item else None

    # Last, since its name hides the built-in type from the annotations that follow.
    def list(self) -> list[TableState]:
        items = self._tables.scan(LAST_UPDATED)
        states = [self._state(text(item, "tenant_id"), text(item, "table_name"), item) for item in items]
        return sorted(states, key=lambda state: (state.tenant_id, state.table_name))
