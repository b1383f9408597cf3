"""The step that erases one record of one table from raw, canonical, old versions of canonical, and quarantine.

Raw is immutable but for this: a part that holds the record is written again without it, under a new key.

    mark ─► new parts ─► commit without the record ─► old parts ─► data files no commit needs ─► quarantine ─► receipt

The commit keeps the old parts among those that it has folded, so that a crash right after it brings nothing back. A
crash anywhere leaves what a second call finishes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from avesa import __version__
from avesa.application.catalog import load_catalog
from avesa.application.connection import find_tenant
from avesa.application.erase import Receipt, keys_digest, store
from avesa.application.erasures import Erasures
from avesa.application.folding import fold_groups
from avesa.application.leasing import leased, upkeep_of
from avesa.application.payloads import from_json, to_json
from avesa.application.quarantine import quarantined, resolve, without_lines
from avesa.application.steps.run import new_job_id
from avesa.canonical.table import bucket_of
from avesa.domain.errors import CommitConflict, CommitOutcomeUnknown, UsageError
from avesa.domain.model import RawRecord
from avesa.domain.names import canonical_prefix, projected_prefix, raw_prefix, staged_prefix
from avesa.ports.lake import ObjectExists
from avesa.ports.tables import PartName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.application.quarantine import QuarantinedLine
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.domain.model import Lease
    from avesa.ports.tables import RawPart, TableSnapshot
    from avesa.ports.upkeep import ErasedObjects, RawContent

_TRIES = 3
_DELETIONS_CHUNK = "sweep"
_UNIDENTIFIED = (
    "{count} records in quarantine tell no id, so nobody can say whether one of them is this one: look at them with "
    "`avesa quarantine list --show`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordErasure:
    """A record to erase; `confirm` repeats its id."""

    tenant_id: str
    service: str
    table_name: str
    record_id: str
    confirm: str


def erase_record(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Erase a record wherever the lake has it; give a Receipt. A second call finds nothing.

    Takes a RecordErasure. Raises UsageError when the confirmation is another id or the id is none, LeaseHeld while a
    run works on the table; nothing is erased then.
    """
    task = from_json(RecordErasure, payload)
    if task.confirm != task.record_id:
        raise UsageError("to erase a record, confirm it by repeating its id: --id ID --confirm ID")
    try:
        record_id = int(task.record_id)
    except ValueError:
        raise UsageError("--id must be a whole number: the record's id at the source") from None
    find_tenant(context, task.tenant_id, task.service)
    job_id = new_job_id(context)
    with leased(context, task.tenant_id, task.table_name, job_id=job_id) as lease:
        return to_json(_RecordErasure(context, task, record_id, lease, job_id).run())


class _RecordErasure:
    """One record's erasure, under the table's lease."""

    def __init__(self, context: StepContext, task: RecordErasure, record_id: int, lease: Lease, job_id: str) -> None:
        self._context, self._task, self._id, self._lease, self._job_id = context, task, record_id, lease, job_id
        self._upkeep = upkeep_of(context)
        self._mapping = load_catalog(context.lake).mapping(task.table_name)
        self._erasures = Erasures(context.lake, task.tenant_id, task.service, task.table_name)
        self._counts: Counter[str] = Counter()
        self._gone: list[ErasedObjects] = []
        self._page = 0

    def run(self) -> Receipt:
        task = self._task
        holding = self._holding()
        lines = [line for line in self._quarantine() if line.record_id == self._id]
        rows = self._rows()
        self._counts.update(
            raw_records=sum(self._times(content) for content in holding.values()),
            canonical_rows=rows,
            quarantined=len(lines),
        )
        is_anything = any(self._counts.values())
        if not is_anything and not self._erasures.is_unfinished(self._id):
            return self._receipt(is_complete=True)
        if is_anything:
            store(self._context, self._receipt(is_complete=False))
        self._erasures.begin(self._id, [part.key for part in holding], at=self._context.clock.now())
        replaced = {part: self._rewritten(content) for part, content in holding.items()}
        if self._mapping is not None and (holding or rows):
            self._commit(self._mapping, replaced)
        self._sweep([part.key for part in holding])
        self._empty_quarantine(lines)
        self._erasures.end(self._id)
        receipt = store(self._context, self._receipt(is_complete=True))
        self._context.events.emit(
            "record_erased", tenant_id=task.tenant_id, table=task.table_name, receipt=receipt.receipt_id
        )
        return receipt

    def _parts(self) -> list[RawPart]:
        return self._context.raw.list(self._task.tenant_id, self._task.service, self._task.table_name)

    def _holding(self) -> dict[RawPart, RawContent]:
        """Return the parts that hold the record, with what they hold."""
        near = [part for part in self._parts() if part.min_id <= self._id <= part.max_id]
        read = {part: self._upkeep.raw.read(part) for part in near}
        return {part: content for part, content in read.items() if self._id in content.ids}

    def _times(self, content: RawContent) -> int:
        ids = [row.id for row in content.records] + [row.id for row in content.deletions]
        return ids.count(self._id)

    def _rows(self) -> int:
        if self._mapping is None:
            return 0
        return self._upkeep.tables.rows_of(self._opened(self._mapping), self._id)

    def _opened(self, mapping: CanonicalMapping) -> TableSnapshot:
        return self._context.canonical.open(self._task.tenant_id, self._task.service, mapping)

    def _rewritten(self, content: RawContent) -> list[RawPart]:
        """Write what a part holds of others again; the rows keep their time, job and chunk."""
        raw, made = self._context.raw, []
        groups: dict[tuple[datetime, str, str], list[RawRecord]] = {}
        for row in content.records:
            if row.id != self._id:
                record = RawRecord(row.id, row.last_updated, row.payload)
                groups.setdefault((row.ingested_at, row.job_id, row.chunk_id), []).append(record)
        for (at, job_id, chunk_id), records in sorted(groups.items()):
            made.append(self._named(job_id, chunk_id, partial(raw.write, records=records, ingested_at=at)))
        found_missing: dict[tuple[datetime, str], list[int]] = {}
        for deletion in content.deletions:
            if deletion.id != self._id:
                found_missing.setdefault((deletion.found_missing_at, deletion.job_id), []).append(deletion.id)
        for (at, job_id), ids in sorted(found_missing.items()):
            write = partial(raw.write_deletions, ids=ids, found_missing_at=at)
            made.append(self._named(job_id, _DELETIONS_CHUNK, write))
        return made

    def _named(self, job_id: str, chunk_id: str, write: Callable[[PartName], RawPart]) -> RawPart:
        """Write under the first free page of this lease's fence."""
        while True:
            self._page += 1
            name = PartName(
                tenant_id=self._task.tenant_id,
                service=self._task.service,
                endpoint=self._task.table_name,
                job_id=job_id,
                chunk_id=chunk_id,
                fence=self._lease.fence,
                page=self._page,
            )
            try:
                return write(name)
            except ObjectExists:
                continue

    def _commit(self, mapping: CanonicalMapping, replaced: Mapping[RawPart, list[RawPart]]) -> None:
        """Make the record's bucket again from raw without it, in one commit with the exchange of the parts."""
        for attempt in range(1, _TRIES + 1):
            try:
                return self._committed(mapping, replaced)
            except (CommitConflict, CommitOutcomeUnknown):
                # The lease decides who may go on.
                now, seconds = self._context.clock.now(), self._context.bounds.lease_ttl_seconds
                self._context.tables.renew(self._lease, now=now, ttl_seconds=seconds)
                if attempt == _TRIES:
                    raise
        return None

    def _committed(self, mapping: CanonicalMapping, replaced: Mapping[RawPart, list[RawPart]]) -> None:
        canonical, snapshot = self._context.canonical, self._opened(mapping)
        if snapshot.version is None:
            return
        old = {part.key for part in replaced}
        new = {part.key for key, parts in replaced.items() if key.key in snapshot.folded for part in parts}
        is_rebuild = snapshot.mapping_digest != mapping.digest
        kept = [part for part in self._parts() if part.key not in old]
        parts = [part for part in kept if is_rebuild or part.key in snapshot.folded or part.key in new]
        bucket = bucket_of(self._id)
        touched = canonical.touched(parts) if is_rebuild else {bucket: 1}
        groups = fold_groups(
            replace(snapshot, files=()),
            new=parts,
            history=parts,
            touched=touched,
            token=f"{self._job_id}-f{self._lease.fence}-e{int(self._context.random() * 2**32):08x}",
            max_rows=self._context.bounds.fold_rows,
            max_buckets=self._context.bounds.fold_buckets,
        )
        done = [canonical.fold(group) for group in groups]
        if not is_rebuild:
            done = [replace(done[0], replaced=tuple(file for file in snapshot.files if file.bucket == bucket))]
        folded = {part.key for part in parts} | old if is_rebuild else snapshot.folded | old | new
        canonical.commit(snapshot, done, folded=frozenset(folded), fence=self._lease.fence, is_rebuild=is_rebuild)

    def _sweep(self, old: list[str]) -> None:
        """Delete the old parts, and every file of the bucket, and of raw, that is no longer part of the table."""
        eraser, task, context = self._upkeep.eraser, self._task, self._context
        context.tables.renew(self._lease, now=context.clock.now(), ttl_seconds=context.bounds.lease_ttl_seconds)
        self._gone.append(eraser.objects(old))
        raw = raw_prefix(task.tenant_id, task.service, task.table_name)
        # What a killed process left of a part, and earlier versions of parts that are gone.
        self._gone.append(eraser.below(raw, keep=frozenset(info.key for info in context.lake.list(raw))))
        # Columns are made again from the texts, and what a broken step left is of no more use.
        for prefix in (projected_prefix, staged_prefix):
            self._gone.append(eraser.below(prefix(task.tenant_id, task.service, task.table_name)))
        if self._mapping is None:
            return
        table = canonical_prefix(task.tenant_id, self._mapping.table)
        files = frozenset(table + file.path for file in self._opened(self._mapping).files)
        self._gone.append(eraser.below(f"{table}id_bucket={bucket_of(self._id)}/", keep=files))

    def _quarantine(self) -> list[QuarantinedLine]:
        task = self._task
        return list(quarantined(self._context.lake, task.tenant_id, task.service, task.table_name))

    def _empty_quarantine(self, lines: list[QuarantinedLine]) -> None:
        """Write the objects that hold the record again without it; their marks move with them."""
        lake, everything = self._context.lake, self._quarantine()
        for key in sorted({line.key for line in lines}):
            numbers = {line.number for line in lines if line.key == key}
            others = [line for line in everything if line.key == key and line.number not in numbers]
            if others:
                name = f"{key.removesuffix('.jsonl')}.erased-{self._job_id}.jsonl"
                lake.put(name, without_lines(lake, key, numbers), overwrite=True)
                resolved = [line.number for line in others if line.is_resolved]
                if resolved:
                    resolve(lake, name, resolved, job_id=self._job_id, at=self._context.clock.now())
            marks = [info.key for info in lake.list(key.rpartition("/")[0] + "/")]
            own = [mark for mark in marks if mark.startswith(f"{key.removesuffix('.jsonl')}.resolved-")]
            self._gone.append(self._upkeep.eraser.objects([key, *own]))

    def _receipt(self, *, is_complete: bool) -> Receipt:
        task = self._task
        nameless = sum(line.record_id is None and not line.is_resolved for line in self._quarantine())
        return Receipt(
            receipt_id=self._job_id,
            kind="erase-record",
            tenant_id=task.tenant_id,
            table_name=task.table_name,
            subject_sha256=self._erasures.subject(self._id),
            erased_at=self._context.clock.now(),
            avesa_version=__version__,
            counts={**self._counts, "objects": sum(len(gone.keys) for gone in self._gone)},
            size_bytes=sum(gone.size_bytes for gone in self._gone),
            keys_sha256=keys_digest(key for gone in self._gone for key in gone.keys),
            is_complete=is_complete,
            notes=(_UNIDENTIFIED.format(count=nameless),) if nameless else (),
        )
