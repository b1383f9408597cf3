"""The step that makes canonical rows of raw: folds every part that no commit has folded, commits, then moves the
bookmark. Called again until it is done: however many calls a fold takes, its commit is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.erasures import Erasures
from avesa.application.folding import fold_groups
from avesa.application.history import with_run
from avesa.application.leasing import seen_at
from avesa.application.maintain import is_maintenance_due, maintain_after_run, maintain_for_run
from avesa.application.payloads import TableWork, from_json, to_json
from avesa.application.projected import ProjectedColumns
from avesa.application.staging import Staged, TimeIsUp
from avesa.application.steps.chunk import quarantine
from avesa.application.steps.verify import verify_for_run
from avesa.connectors.pages import Rejected
from avesa.domain.errors import CommitConflict, CommitOutcomeUnknown, StorageError
from avesa.domain.model import ReadMode, Status, TableResult
from avesa.ports.tables import FoldedGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.domain.model import TablePlan
    from avesa.ports.tables import RawPart, TableSnapshot

_COMMIT_TRIES = 3
_FOLD_CHUNK = "fold"
_INLINE_GROUPS = 2


@dataclass(frozen=True, slots=True)
class _Folded:
    """What a fold came to, over all its groups."""

    versions_opened: int = 0
    versions_closed: int = 0
    versions_corrected: int = 0
    coerced: int = 0
    unreadable: int = 0


def transform_canonical(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Fold, commit, move the bookmark; give the table's result. Only a table that is reconciled gets this far.

    A result that is still `processing` says that the time was up: the step is to be called again with the same payload.
    """
    work = from_json(TableWork, payload)
    mapping = load_catalog(context.lake).mapping(work.task.table_name)
    try:
        if work.task.request.maintain:
            return to_json(_maintained(context, work, mapping))
        if work.task.request.verify:
            return to_json(verify_for_run(context, work))
        return to_json(_made_canonical(context, work, mapping))
    except TimeIsUp:
        return to_json(_result(work, mapping, Status.PROCESSING))


def _made_canonical(context: StepContext, work: TableWork, mapping: CanonicalMapping | None) -> TableResult:
    is_due = is_maintenance_due(context, work)
    folded = _Folded() if mapping is None else _transformed(context, work, mapping)
    # Bookmark moves after the commit: a crash in between folds and reads again, the other order would lose rows.
    if work.plan is not None:
        _move_bookmark(context, work, work.plan)
    if mapping is not None:
        _make_known(context, work, mapping)
        if is_due:
            maintain_after_run(context, work, mapping)
    return replace(
        _result(work, mapping, Status.COMPLETED if work.sweep_error is None else Status.FAILED),
        records_extracted=work.records_extracted,
        versions_opened=folded.versions_opened,
        versions_closed=folded.versions_closed,
        versions_corrected=folded.versions_corrected,
        quarantined=work.quarantined + folded.unreadable,
        coerced=folded.coerced,
        reconciled=work.reconciled,
        error=work.sweep_error,
    )


def _result(work: TableWork, mapping: CanonicalMapping | None, status: Status) -> TableResult:
    canonical = mapping.table if mapping is not None else ""
    return TableResult(table_name=work.task.table_name, canonical_table=canonical, status=status)


def _maintained(context: StepContext, work: TableWork, mapping: CanonicalMapping | None) -> TableResult:
    """Maintain the table in the place of folding it; the events say what was done."""
    if mapping is not None:
        maintain_for_run(context, work, mapping)
    return _result(work, mapping, Status.COMPLETED)


def _transformed(context: StepContext, work: TableWork, mapping: CanonicalMapping) -> _Folded:
    """Fold until a commit lands; a commit of unknown outcome is looked for before anything is tried again."""
    for attempt in range(1, _COMMIT_TRIES + 1):
        try:
            return _folded_once(context, work, mapping, attempt)
        except (CommitConflict, CommitOutcomeUnknown) as error:
            context.events.emit(
                "commit_repeated",
                tenant_id=work.task.tenant_id,
                table=work.task.table_name,
                reason=type(error).__name__,
            )
            # The lease decides who may go on: without it the other writer's commit is the right one.
            context.tables.renew(work.lease, now=context.clock.now(), ttl_seconds=context.bounds.lease_ttl_seconds)
            if attempt == _COMMIT_TRIES:
                raise
    raise AssertionError  # the loop returns or raises


def _folded_once(context: StepContext, work: TableWork, mapping: CanonicalMapping, attempt: int) -> _Folded:
    task = work.task
    snapshot = context.canonical.open(task.tenant_id, task.service, mapping)
    parts = context.raw.list(task.tenant_id, task.service, task.table_name)
    is_rebuild = task.request.rebuild or (snapshot.mapping_digest not in {None, mapping.digest})
    base = replace(snapshot, files=(), folded=frozenset()) if is_rebuild else snapshot
    new = [part for part in parts if part.key not in base.folded]
    if not new and snapshot.version is not None and not is_rebuild:
        return _Folded()
    staged = _staged(context, work, snapshot, new, is_rebuild=is_rebuild)
    if not staged.is_resumed:
        _tell_returned(context, work, new)
    columns = ProjectedColumns(context.raw, task.tenant_id, task.service, task.table_name, mapping)
    new = columns.of(new)
    (touched,) = staged.each("touched", context.canonical.touched, [new], dict[int, int])
    groups = fold_groups(
        base,
        new=new,
        history=parts,
        touched=touched,
        # Random, too: this step may be called again under the same fence, while its first call still writes.
        token=f"{task.job_id}-f{work.lease.fence}-a{attempt}-{int(context.random() * 2**32):08x}",
        max_rows=context.bounds.fold_rows,
        max_buckets=context.bounds.fold_buckets,
    )
    # A small fold is done here: handing it to another process would cost more than it does. Few changes all over a
    # large table are no small fold: every bucket that they touch is written anew.
    is_small = sum(touched.values()) <= context.bounds.inline_fold_rows and len(groups) <= _INLINE_GROUPS
    spread = map if is_small else context.executor.map_parsing
    done: list[FoldedGroup] = []
    for result in staged.each("groups", context.canonical.fold, groups, FoldedGroup, spread):
        done.append(result)
        context.events.emit(
            "group_folded",
            tenant_id=task.tenant_id,
            table=task.table_name,
            done=len(done),
            groups=len(groups),
            records=result.records,
        )
    folded_keys = base.folded | {part.key for part in new}
    try:
        context.canonical.commit(snapshot, done, folded=folded_keys, fence=work.lease.fence, is_rebuild=is_rebuild)
    except CommitOutcomeUnknown:
        newest = context.canonical.open(task.tenant_id, task.service, mapping)
        has_landed = newest.version != snapshot.version and newest.folded == folded_keys
        if not has_landed or newest.mapping_digest != mapping.digest:
            raise
        # It is ours if the lease still is: what it changed must be told, and what it could not read kept.
        context.tables.renew(work.lease, now=context.clock.now(), ttl_seconds=context.bounds.lease_ttl_seconds)
    _keep_unreadable(context, work, done)
    columns.drop(folded_keys)
    staged.end()
    return _summed(done)


def _staged(
    context: StepContext, work: TableWork, snapshot: TableSnapshot, new: Sequence[RawPart], *, is_rebuild: bool
) -> Staged:
    """Return what earlier calls folded of these very parts into this very version, in groups of these sizes."""
    staged = Staged(context, work, "fold")
    bounds, digest = context.bounds, snapshot.mapping.digest
    cut = (snapshot.version, digest, is_rebuild, bounds.fold_rows, bounds.fold_buckets)
    staged.resume([*cut, *(part.key for part in new)])
    return staged


def _make_known(context: StepContext, work: TableWork, mapping: CanonicalMapping) -> None:
    """Register the table where analysts look tables up; the table is whole whatever comes of it."""
    if context.table_catalog is None:
        return
    try:
        # At every run, not only after the first commit or a changed mapping: what once failed mends itself.
        context.table_catalog.register(work.task.tenant_id, mapping)
    except StorageError as error:
        context.events.emit(
            "table_not_registered", tenant_id=work.task.tenant_id, table=work.task.table_name, reason=str(error)
        )


def _tell_returned(context: StepContext, work: TableWork, new: Sequence[RawPart]) -> None:
    """Say when records that were erased here have come from the source again: they must be erased there first."""
    task = work.task
    erasures = Erasures(context.lake, task.tenant_id, task.service, task.table_name)
    returned = set() if erasures.is_empty else erasures.among(context.raw.ids(new))
    if returned:
        context.events.emit(
            "erased_record_returned", tenant_id=task.tenant_id, table=task.table_name, count=len(returned)
        )


def _summed(groups: list[FoldedGroup]) -> _Folded:
    return _Folded(
        versions_opened=sum(group.versions_opened for group in groups),
        versions_closed=sum(group.versions_closed for group in groups),
        versions_corrected=sum(group.versions_corrected for group in groups),
        coerced=sum(group.coerced for group in groups),
        unreadable=sum(len(group.unreadable) for group in groups),
    )


def _keep_unreadable(context: StepContext, work: TableWork, groups: list[FoldedGroup]) -> None:
    """Name the records that raw holds but no row can be made of; their bytes stay in raw."""
    rejected = [
        Rejected(f"record {record_id}: {reason} (its payload is in raw)", b"")
        for group in groups
        for record_id, reason in group.unreadable
    ]
    if rejected:
        quarantine(context, work, _FOLD_CHUNK, 1, rejected, at=context.clock.now())


def _move_bookmark(context: StepContext, work: TableWork, plan: TablePlan) -> None:
    task = work.task
    state = context.tables.get(task.tenant_id, task.table_name)
    is_success = work.sweep_error is None
    bookmark = (
        state.bookmark_at if plan.mode is ReadMode.BACKFILL else _read_began(context, work, plan) or state.bookmark_at
    )
    known = with_run(context, work, state, Status.COMPLETED if is_success else Status.FAILED)
    context.tables.save(
        work.lease,
        replace(
            known,
            bookmark_at=bookmark,
            plan=None,
            last_job_id=task.job_id,
            last_success_at=context.clock.now() if is_success else state.last_success_at,
            last_error=work.sweep_error,
            latest_at=seen_at(context, work.lease),
        ),
    )


def _read_began(context: StepContext, work: TableWork, plan: TablePlan) -> datetime | None:
    """Return the source's own clock when the read began: never the greatest time seen, never our clock."""
    if plan.source_now is not None:
        return plan.source_now
    chunks = context.chunks.list(work.task.tenant_id, work.task.table_name, plan.job_id)
    return min((chunk.read_started_at for chunk in chunks if chunk.read_started_at is not None), default=None)
