"""Maintenance of canonical tables: what is done, in which order, and when it pays. Raw is never touched.

survey (lists first) ─► settle (a commit: from here on a fold begun before is refused) ─► delete ─► checkpoint

A death between any two leaves a whole table and files that the next maintenance finds again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.leasing import upkeep_of
from avesa.application.payloads import from_json, to_json
from avesa.application.quarantine import asked_tables
from avesa.application.staging import forget_staged
from avesa.application.verify import registered
from avesa.domain.errors import CommitConflict, CommitOutcomeUnknown, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json, TableWork
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.domain.model import Lease
    from avesa.ports.tables import TableSnapshot

_LOG_ENTRIES_WORTH_A_CHECKPOINT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintainTask:
    """One table to maintain."""

    tenant_id: str
    service: str
    table_name: str
    retention_days: float | None = None
    """How long a replaced version stays readable; None for the usual time."""
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMaintenance:
    """What maintaining one table came to, or would in a dry run."""

    tenant_id: str
    table_name: str
    canonical_table: str
    skipped: str | None = None
    """Why nothing was looked at: another run has the table."""
    version: int | None = None
    """The table's newest version afterwards; None when there is no table yet."""
    oldest_kept: int | None = None
    files_joined: int = 0
    """Small files that became one for each bucket."""
    files_deleted: int = 0
    manifests_deleted: int = 0
    bytes_freed: int = 0
    log_entries_summed: int = 0
    """Entries of the log that a new checkpoint stands for."""
    log_entries_deleted: int = 0


def maintain_tables(
    context: StepContext,
    run_step: Callable[[str, Mapping[str, object]], Json],
    *,
    tenant_id: str | None,
    table_name: str | None,
    retention_days: float | None,
    is_dry_run: bool,
) -> Iterator[TableMaintenance]:
    """Yield what came of each table that is asked for. Raises UsageError for an unknown tenant or table."""
    catalog = load_catalog(context.lake)
    for tenant in registered(context.registry.list(), tenant_id):
        for name in asked_tables(catalog, table_name):
            if catalog.mapping(name) is not None:
                task = MaintainTask(
                    tenant_id=tenant.tenant_id,
                    service=tenant.service,
                    table_name=name,
                    retention_days=retention_days,
                    is_dry_run=is_dry_run,
                )
                yield from_json(TableMaintenance, run_step("maintain_table", to_json(task)))


def maintain(context: StepContext, task: MaintainTask, snapshot: TableSnapshot, lease: Lease) -> TableMaintenance:
    """Maintain a table whose lease is held; with `is_dry_run` only say what would be done."""
    maintainer = upkeep_of(context).maintainer
    days = context.bounds.retention_days if task.retention_days is None else task.retention_days
    survey = maintainer.survey(snapshot, keep_since=context.clock.now() - timedelta(days=days))
    if not task.is_dry_run and (survey.split or survey.unneeded):
        token = f"maintain-f{lease.fence}-{int(context.random() * 2**32):08x}"
        snapshot = maintainer.settle(snapshot, survey, token=token)
        maintainer.discard(snapshot, survey)
    if not task.is_dry_run:
        # The lease is ours: whoever left it will not come back for it.
        forget_staged(context, task.tenant_id, task.service, task.table_name)
    is_summed = survey.log_entries >= _LOG_ENTRIES_WORTH_A_CHECKPOINT
    manifests = sum("/_avesa/" in info.key for info in survey.unneeded)
    done = TableMaintenance(
        tenant_id=task.tenant_id,
        table_name=task.table_name,
        canonical_table=snapshot.mapping.table,
        version=snapshot.version,
        oldest_kept=None if snapshot.version is None else survey.oldest_kept,
        files_joined=len(survey.split),
        files_deleted=len(survey.unneeded) - manifests,
        manifests_deleted=manifests,
        bytes_freed=sum(info.size_bytes for info in survey.unneeded),
        log_entries_summed=survey.log_entries if is_summed else 0,
        log_entries_deleted=maintainer.shorten_log(snapshot) if is_summed and not task.is_dry_run else 0,
    )
    told = {name: value for name, value in to_json(done).items() if name not in {"tenant_id", "table_name", "skipped"}}
    event = "maintenance_surveyed" if task.is_dry_run else "table_maintained"
    context.events.emit(event, tenant_id=task.tenant_id, table=task.table_name, **told)
    return done


def maintain_for_run(context: StepContext, work: TableWork, mapping: CanonicalMapping) -> TableMaintenance:
    """Maintain the table of a run, under the run's own lease."""
    task = work.task
    snapshot = context.canonical.open(task.tenant_id, task.service, mapping)
    own = MaintainTask(tenant_id=task.tenant_id, service=task.service, table_name=task.table_name)
    return maintain(context, own, snapshot, work.lease)


def maintain_after_run(context: StepContext, work: TableWork, mapping: CanonicalMapping) -> None:
    """Maintain a table that a run has just committed; whatever comes of it, the run is whole."""
    try:
        maintain_for_run(context, work, mapping)
    except (StorageError, CommitConflict, CommitOutcomeUnknown) as error:
        task = work.task
        context.events.emit("maintenance_failed", tenant_id=task.tenant_id, table=task.table_name, reason=str(error))


def is_maintenance_due(context: StepContext, work: TableWork) -> bool:
    """Whether the run is the table's first of the day (UTC), which is told from the state, without asking the lake.

    To be asked before the run's own success is stored. More often would find nothing that is old enough to go.
    """
    if work.plan is None or context.upkeep is None or context.is_stopping():
        return False
    before = context.tables.get(work.task.tenant_id, work.task.table_name).last_success_at
    return before is not None and before.date() < context.clock.now().date()


def report(done: list[TableMaintenance], *, is_dry_run: bool) -> Json:
    """Return what `avesa maintain --output json` prints."""
    return {"is_dry_run": is_dry_run, "tables": [to_json(item) for item in done]}
