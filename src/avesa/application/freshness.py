"""How old each tenant's tables are, against the age that is still fine for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from avesa.application.catalog import Catalog
    from avesa.domain.model import TableState, TenantService


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """One tenant's table: how old its data is, and how old it may be."""

    tenant: TenantService
    state: TableState
    age_seconds: int
    """Since the last complete read began; for a table that was never read, since its tenant was registered."""
    target_seconds: int

    @property
    def is_stale(self) -> bool:
        """Whether somebody should look: the table is older than it may be, and nobody paused it."""
        return self.tenant.is_enabled and self.age_seconds > self.target_seconds

    @property
    def word(self) -> str:
        """`fresh`, `stale` or `paused`."""
        if not self.tenant.is_enabled:
            return "paused"
        return "stale" if self.is_stale else "fresh"


def freshness(
    tenants: Iterable[TenantService], state_of: Callable[[str, str], TableState], catalog: Catalog, *, now: datetime
) -> Iterator[Freshness]:
    """Yield every enabled table of the tenants, in their order and the catalog's."""
    for tenant in tenants:
        for name in catalog.endpoints.enabled():
            state = state_of(tenant.tenant_id, name)
            since = state.bookmark_at or tenant.created_at
            yield Freshness(
                tenant=tenant,
                state=state,
                age_seconds=max(0, int((now - since).total_seconds())),
                target_seconds=60 * catalog.backfill.freshness_of(tenant.service, tenant.tenant_id, name),
            )
