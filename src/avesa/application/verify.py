"""What a lake must be like, and how far one is from it. Nothing is repaired; each problem says what would.

A table that a run is writing at this moment is looked at all the same; what only its end can tell is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.payloads import from_json, to_json
from avesa.application.quarantine import asked_tables
from avesa.domain.errors import UsageError
from avesa.domain.names import check_tenant_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.domain.model import TenantService


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a table."""

    kind: str
    """A word that programs may rely on: raw_unreadable, raw_missing, raw_unfolded, …"""
    detail: str
    repair: str
    """What would mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCheck:
    """What verifying one table found."""

    tenant_id: str
    table_name: str
    canonical_table: str
    is_sound: bool
    is_being_written: bool = False
    """By a run that holds the lease: parts that are not folded and files without a commit are its business."""
    raw_parts: int = 0
    raw_records: int = 0
    rows: int = 0
    current_rows: int = 0
    quarantined: int = 0
    """Records in quarantine that nobody has brought back."""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyTask:
    """One table to verify."""

    tenant_id: str
    service: str
    table_name: str
    job_id: str = ""
    """The run that verifies under its own lease of the table, which therefore nobody else writes."""


def verify_lake(
    context: StepContext,
    run_step: Callable[[str, Mapping[str, object]], Json],
    *,
    tenant_id: str | None,
    table_name: str | None,
) -> Iterator[TableCheck]:
    """Yield the check of each table that is asked for. Raises UsageError for an unknown tenant or table."""
    tables = asked_tables(load_catalog(context.lake), table_name)
    for tenant in registered(context.registry.list(), tenant_id):
        for name in tables:
            task = VerifyTask(tenant_id=tenant.tenant_id, service=tenant.service, table_name=name)
            yield from_json(TableCheck, run_step("verify_table", to_json(task)))


def registered(tenants: list[TenantService], tenant_id: str | None) -> list[TenantService]:
    """Return the registrations asked for, paused ones too. Raises UsageError for a tenant that there is not."""
    if tenant_id is None:
        return tenants
    found = [tenant for tenant in tenants if tenant.tenant_id == check_tenant_id(tenant_id)]
    if not found:
        known = ", ".join(sorted({tenant.tenant_id for tenant in tenants})) or "none yet"
        raise UsageError(f"unknown tenant {tenant_id!r}; registered tenants: {known}")
    return found


def report(checks: list[TableCheck]) -> Json:
    """Return what `avesa verify --output json` prints."""
    return {"is_sound": all(check.is_sound for check in checks), "tables": [to_json(check) for check in checks]}
