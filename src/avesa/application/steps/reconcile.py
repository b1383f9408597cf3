"""The step that asks the source whether everything is here, and, when told to, what is no longer there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.completeness import Asked, reconcile
from avesa.application.connection import connect, find_tenant
from avesa.application.payloads import TableWork, from_json, to_json
from avesa.application.source import IdRange
from avesa.application.steps.chunk import part_name, quarantine, write_part
from avesa.domain.errors import IncompleteError, MassDeleteRefused, UsageError
from avesa.domain.model import ReadMode, Status, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.application.catalog import Catalog
    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.domain.model import Chunk, TablePlan

_REPAIR_CHUNK = "repair"
_SWEEP_CHUNK = "sweep"


def reconcile_table(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Compare the source's counts, and ids where they differ, with what is durable; sweep for deletions if asked to.

    Raises IncompleteError when source and lake cannot be brought to agree. A sweep that the guard refuses does not
    undo the read: it comes back as `sweep_error`.
    """
    work = from_json(TableWork, payload)
    if work.plan is None:
        return to_json(work)
    task = work.task
    catalog = load_catalog(context.lake)
    chunks = context.chunks.list(task.tenant_id, task.table_name, work.plan.job_id)
    unfinished = [chunk.chunk_id for chunk in chunks if chunk.status is not Status.COMPLETED]
    if unfinished:
        raise IncompleteError(
            f"{task.table_name}: {len(unfinished)} of {len(chunks)} chunks are not read; run again to go on with them"
        )
    table = _TableAtSource(context, work, work.plan, catalog, chunks)
    # The lake's ids are taken before the source lists its own: what appears in between cannot look deleted.
    current = table.current_ids() if task.request.detect_deletes else set()
    agreed, present = reconcile(table.asked, table.durable, repair=table.repair)
    sweep_error = _swept(table, current, present) if task.request.detect_deletes else None
    done = replace(
        work,
        reconciled=agreed,
        records_extracted=sum(chunk.records for chunk in chunks) + table.repaired,
        quarantined=sum(chunk.quarantined for chunk in chunks) + table.quarantined,
        sweep_error=sweep_error,
    )
    context.events.emit(
        "table_reconciled", tenant_id=task.tenant_id, table=task.table_name, source=agreed.source, lake=agreed.lake
    )
    return to_json(done)


class _TableAtSource:
    """One table's durable ids beside the source that they came from; repairs what is missing."""

    def __init__(
        self, context: StepContext, work: TableWork, plan: TablePlan, catalog: Catalog, chunks: list[Chunk]
    ) -> None:
        task = work.task
        self.context, self.work, self.plan, self.catalog = context, work, plan, catalog
        self.endpoint, self.limits = catalog.endpoint(task.table_name), catalog.limits(task.table_name)
        self.source = connect(context, find_tenant(context, task.tenant_id, task.service), catalog)
        ranges = [IdRange(after=chunk.after_id, upto=chunk.upto_id) for chunk in chunks]
        self.asked = Asked(
            source=self.source,
            endpoint=self.endpoint,
            limits=self.limits,
            window=plan.window,
            ranges=ranges if plan.mode is not ReadMode.BACKFILL else [IdRange()],
        )
        parts = context.raw.list(task.tenant_id, task.service, task.table_name)
        self.durable = context.raw.ids([part for part in parts if part.job_id == plan.job_id and not part.is_deletions])
        self.repaired = 0
        self.quarantined = 0
        self._page = 0

    def current_ids(self) -> set[int]:
        """Return the ids that are current in the canonical table as last committed."""
        mapping = self.catalog.mapping(self.work.task.table_name)
        if mapping is None:
            raise UsageError(
                f"{self.work.task.table_name}: deletions need a canonical table; there is no mapping for this endpoint"
            )
        return self.context.canonical.current_ids(
            self.context.canonical.open(self.work.task.tenant_id, self.work.task.service, mapping)
        )

    def repair(self, missing: list[int]) -> set[int]:
        """Fetch records by id and make them durable; return the ids that the source still had."""
        found: set[int] = set()
        now = self.context.clock.now()
        for page in self.source.records(self.endpoint, self.limits, missing):
            self._page += 1
            if page.rejected:
                quarantine(self.context, self.work, _REPAIR_CHUNK, self._page, page.rejected, at=now)
                self.quarantined += len(page.rejected)
            if page.records:
                self._page, _ = write_part(self.context, self.work, _REPAIR_CHUNK, self._page, page.records, at=now)
                found.update(record.id for record in page.records)
        self.repaired += len(found)
        self.context.events.emit(
            "records_repaired",
            tenant_id=self.work.task.tenant_id,
            table=self.work.task.table_name,
            asked=len(missing),
            found=len(found),
        )
        return found

    def still_there(self, ids: list[int]) -> set[int]:
        """Return those of the ids that the source still answers for."""
        pages = self.source.records(self.endpoint, self.limits, ids, fields="id")
        return {record.id for page in pages for record in page.records}


def _swept(table: _TableAtSource, current: set[int], present: set[int]) -> str | None:
    """Record the ids that are gone; return the guard's refusal, if it refuses."""
    context, work = table.context, table.work
    listed = present if table.plan.mode is ReadMode.FULL else _listed(table)
    unknown = sorted(listed - current - table.durable)
    if unknown:
        # The source has records that no increment brought: lost, restored, or hidden by rights until now.
        table.durable |= table.repair(unknown)
    missing = sorted(current - listed)
    gone = sorted(set(missing) - table.still_there(missing)) if missing else []
    if not gone:
        return None
    try:
        _guard(gone, current, table)
    except MassDeleteRefused as refused:
        return str(refused)
    now = context.clock.now()
    context.raw.write_deletions(part_name(work, _SWEEP_CHUNK, 1), gone, found_missing_at=now)
    context.events.emit("deletions_found", tenant_id=work.task.tenant_id, table=work.task.table_name, count=len(gone))
    return None


def _listed(table: _TableAtSource) -> set[int]:
    """Return every id of the table at the source; a listing that falls short of the count is asked for again by
    id later.
    """
    pages = table.source.ids(table.endpoint, table.limits, window=Window(), ids=IdRange())
    return {record_id for page in pages for record_id in page}


def _guard(gone: list[int], current: set[int], table: _TableAtSource) -> None:
    percent = table.limits.delete_guard_percent
    is_too_much = len(gone) > len(current) * percent / 100 or len(gone) == len(current)
    if is_too_much and not table.work.task.request.allow_mass_delete:
        message = (
            f"{table.work.task.table_name}: {len(gone)} of {len(current)} current records are missing at the "
            "source, more than the "
            f"guard's {percent:g} %; nothing was closed. If they are really gone, run once with --allow-mass-delete; "
            "if not, look at the rights of the API member"
        )
        raise MassDeleteRefused(message)
