"""Whether somebody should hear of a run, and why: failures do, a table that another run held does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.domain.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from avesa.domain.model import TenantResult

_MOST_REASONS = 20


def reasons_of(tenants: Sequence[TenantResult]) -> list[str]:
    """Return a line for each failure, twenty at most; none when everything completed or was skipped."""
    found = list(_failures(tenants))
    more = len(found) - _MOST_REASONS
    return [*found[:_MOST_REASONS], *([f"and {more} more"] if more > 0 else [])]


def _failures(tenants: Sequence[TenantResult]) -> Iterator[str]:
    for tenant in tenants:
        failed = [table for table in tenant.tables if table.status is Status.FAILED]
        for table in failed:
            yield f"{tenant.tenant_id} {table.table_name}: {table.error or 'failed without a word'}"
        if tenant.error:
            yield f"{tenant.tenant_id}: {tenant.error}"
        elif not failed and tenant.status is Status.FAILED:
            # A run of very many tenants carries no tables: where they are is told.
            yield f"{tenant.tenant_id}: failed; `avesa status --tenant-id {tenant.tenant_id}` says why"
