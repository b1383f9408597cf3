"""The step that asks the source whether everything is here, and, when told to, what is no longer there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from avesa.application.catalog import load_catalog
from avesa.application.completeness import Asked, Repaired, reconcile
from avesa.application.connection import connect, find_tenant
from avesa.application.leasing import seen_at
from avesa.application.payloads import TableWork, from_json, to_json
from avesa.application.source import IdRange
from avesa.application.steps.chunk import part_name, quarantine, write_part
from avesa.application.steps.table import cut_ranges
from avesa.domain.errors import IncompleteError, MassDeleteRefused, UsageError
from avesa.domain.model import ReadMode, Status, Window
from avesa.ports.lake import ObjectExists

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

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
    is_swept = task.request.detect_deletes and table.can_be_swept()
    known = table.known() if is_swept else _Known(set(), set(), set())
    unread = sum(chunk.quarantined for chunk in chunks)
    agreed = reconcile(table.asked, table.durable, quarantined=unread, repair=table.repair)
    sweep_error = _swept(table, known) if is_swept else None
    done = replace(
        work,
        reconciled=agreed,
        records_extracted=sum(chunk.records for chunk in chunks) + table.repaired,
        # What cannot be read by id is most likely what could not be read by page.
        quarantined=max(unread, table.quarantined),
        sweep_error=sweep_error,
        usage=sum((chunk.usage for chunk in chunks), work.usage) + table.source.tally.take(),
    )
    context.events.emit(
        "table_reconciled",
        tenant_id=task.tenant_id,
        table=task.table_name,
        source=agreed.source,
        lake=agreed.lake,
        gap=agreed.source - agreed.lake,
    )
    return to_json(done)


class _Known(NamedTuple):
    """What the canonical table will have when all of raw is folded, as far as ids can tell."""

    ids: set[int]
    """Current in the last commit, or in parts that no commit has folded."""
    current: set[int]
    """Current in the last commit."""
    doubtful: set[int]
    """Found missing by a sweep that no commit has folded: they may be closed, whatever was seen of them."""


class _TableAtSource:
    """One table's durable ids beside the source that they came from; repairs what is missing."""

    def __init__(
        self, context: StepContext, work: TableWork, plan: TablePlan, catalog: Catalog, chunks: list[Chunk]
    ) -> None:
        task = work.task
        self.context, self.work, self.plan, self.catalog = context, work, plan, catalog
        self.endpoint, self.limits = catalog.endpoint(task.table_name), catalog.limits(task.table_name)
        self.source = connect(context, find_tenant(context, task.tenant_id, task.service), catalog)
        # A catch-up has a window of its own within the plan's.
        planned = [chunk for chunk in chunks if chunk.window == plan.window]
        ranges = [IdRange(after=chunk.after_id, upto=chunk.upto_id) for chunk in planned]
        self.asked = Asked(
            source=self.source,
            endpoint=self.endpoint,
            limits=self.limits,
            window=plan.window,
            ranges=ranges if plan.mode is not ReadMode.BACKFILL else [IdRange()],
            is_thorough=self._is_thorough(plan, is_resumed=len(planned) < len(chunks)),
        )
        self.parts = context.raw.list(task.tenant_id, task.service, task.table_name)
        of_plan = [part for part in self.parts if part.job_id == plan.job_id and not part.is_deletions]
        self.durable = context.raw.ids(of_plan)
        self.repaired_ids: set[int] = set()
        self.repaired = 0
        self.quarantined = 0
        self._page = 0

    def _is_thorough(self, plan: TablePlan, *, is_resumed: bool) -> bool:
        """Whether ids are compared although counts agree. A sweep compares all of them anyway, a large whole read would
        cost twice the requests, and what goes and is lost within a short read is found by the next sweep.
        """
        if self.work.task.request.detect_deletes or plan.mode is ReadMode.BACKFILL:
            return False
        is_small = (plan.expected_records or 0) <= self.limits.chunk_records
        return is_resumed or (plan.mode is ReadMode.FULL and is_small)

    def can_be_swept(self) -> bool:
        """Whether there are canonical rows to compare. Raises UsageError if this very table was asked for."""
        task = self.work.task
        if self.catalog.mapping(task.table_name) is not None:
            return True
        if task.request.table_name is not None:
            raise UsageError(
                f"{task.table_name}: deletions need a canonical table; there is no mapping for this endpoint"
            )
        return False

    def known(self) -> _Known:
        """Return the ids that a sweep must find at the source; what died before its commit counts too."""
        mapping = self.catalog.mapping(self.work.task.table_name)
        if mapping is None:
            return _Known(set(), set(), set())
        raw, canonical = self.context.raw, self.context.canonical
        snapshot = canonical.open(self.work.task.tenant_id, self.work.task.service, mapping)
        unfolded = [part for part in self.parts if part.key not in snapshot.folded]
        current = canonical.current_ids(snapshot)
        return _Known(
            current | raw.ids([part for part in unfolded if not part.is_deletions]),
            current,
            raw.ids([part for part in unfolded if part.is_deletions]),
        )

    def repair(self, missing: list[int]) -> Repaired:
        """Fetch records by id and make them durable, or keep them in quarantine."""
        found: set[int] = set()
        rejected = 0
        now = seen_at(self.context, self.work.lease)
        for page in self.source.records(self.endpoint, self.limits, missing):
            self._page += 1
            if page.rejected:
                quarantine(self.context, self.work, _REPAIR_CHUNK, self._page, page.rejected, at=now)
                rejected += len(page.rejected)
            if page.records:
                self._page, _ = write_part(self.context, self.work, _REPAIR_CHUNK, self._page, page.records, at=now)
                found.update(record.id for record in page.records)
        self.repaired += len(found)
        self.repaired_ids |= found
        unreadable = self._unreadable(sorted(set(missing) - found)) if rejected else set()
        self.quarantined += len(unreadable)
        self.context.events.emit(
            "records_repaired",
            tenant_id=self.work.task.tenant_id,
            table=self.work.task.table_name,
            asked=len(missing),
            found=len(found),
        )
        return Repaired(found, unreadable)

    def _unreadable(self, ids: list[int]) -> set[int]:
        """Return those of the ids that the source has and nobody can read; asked for one by one, since such a record
        may not tell its id.
        """
        return {
            record_id
            for record_id in ids
            if any(page.rejected for page in self.source.records(self.endpoint, self.limits, [record_id]))
        }


def _swept(table: _TableAtSource, known: _Known) -> str | None:
    """Record the ids that are gone; return the guard's refusal, if it refuses."""
    context, work = table.context, table.work
    # Counts that agree prove nothing here: as many records may have come as went.
    listed = _listed(table)
    unknown = sorted((listed - (known.ids - known.doubtful)) - table.repaired_ids)
    if unknown:
        # The source has records that no increment brought: lost, restored, or hidden by rights until now.
        table.durable |= table.repair(unknown).found
    # Each missing id is asked for once more: what comes after all was not listed, and is made durable.
    now = seen_at(context, work.lease)
    missing = sorted(known.ids - listed)
    asked_again = table.repair(missing) if missing else Repaired(set(), set())
    gone = sorted(set(missing) - asked_again.found - asked_again.unreadable)
    if not gone:
        return None
    try:
        # What has just come must not make what goes look little.
        for rows in (known.current, known.ids):
            if struck := rows.intersection(gone):
                _guard(struck, rows, table)
    except MassDeleteRefused as refused:
        return str(refused)
    _write_deletions(context, work, gone, now)
    context.events.emit("deletions_found", tenant_id=work.task.tenant_id, table=work.task.table_name, count=len(gone))
    return None


def _write_deletions(context: StepContext, work: TableWork, gone: list[int], now: datetime) -> None:
    page = 1
    while True:
        try:
            context.raw.write_deletions(part_name(work, _SWEEP_CHUNK, page), gone, found_missing_at=now)
        except ObjectExists:
            page += 1  # this step was called again under the same fence
        else:
            return


def _listed(table: _TableAtSource) -> set[int]:
    """Return every id of the table at the source, listed in ranges side by side."""
    asked = replace(table.asked, window=Window())
    ranges = cut_ranges(table.context, table.source, table.endpoint, table.limits, Window(), asked.count())
    at_once = table.context.bounds.chunks_at_once(table.limits.max_concurrency)
    listings = table.context.executor.map(asked.list, ranges, limit=at_once)
    return {record_id for listing in listings for record_id in listing.ids}


def _guard(gone: set[int], current: set[int], table: _TableAtSource) -> None:
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
