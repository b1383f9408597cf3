"""The step that verifies one table: raw, the table, and what the state says of it. It changes nothing of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - staged results are read back by their types
from typing import TYPE_CHECKING, NamedTuple

from avesa.application.catalog import load_catalog
from avesa.application.erasures import Erasures
from avesa.application.folding import fold_groups
from avesa.application.leasing import upkeep_of
from avesa.application.payloads import from_json, to_json
from avesa.application.quarantine import quarantined
from avesa.application.staging import Staged
from avesa.application.verify import Problem, TableCheck, VerifyTask
from avesa.domain.errors import StorageError
from avesa.domain.model import Status, TableResult
from avesa.ports.upkeep import ComparedGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json, TableWork
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.domain.model import Lease
    from avesa.ports.tables import RawPart, TableSnapshot
    from avesa.ports.upkeep import RawContent

_SHOWN = 5


def verify_table(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Return a TableCheck for a VerifyTask; raises UsageError for an unknown table, never for what it finds."""
    return to_json(_verified(context, from_json(VerifyTask, payload), Staged(context, None, "verify")))


def verify_for_run(context: StepContext, work: TableWork) -> TableResult:
    """Verify the table of a run under the run's own lease; a table with problems fails, with each and its repair.

    Raises TimeIsUp when it is to be called again.
    """
    task = work.task
    own = VerifyTask(
        tenant_id=task.tenant_id, service=task.service, table_name=task.table_name, job_id=work.lease.holder.job_id
    )
    staged = Staged(context, work, "verify")
    check = _verified(context, own, staged)
    staged.end()
    problems = [f"{problem.kind}: {problem.detail} (to mend it: {problem.repair})" for problem in check.problems]
    return TableResult(
        table_name=check.table_name,
        canonical_table=check.canonical_table,
        status=Status.COMPLETED if check.is_sound else Status.FAILED,
        quarantined=check.quarantined,
        error="; ".join(problems) or None,
    )


def _verified(context: StepContext, task: VerifyTask, staged: Staged) -> TableCheck:
    check = _TableVerification(context, task, staged).run()
    context.events.emit(
        "table_verified", tenant_id=task.tenant_id, table=task.table_name, problems=[p.kind for p in check.problems]
    )
    return check


@dataclass(frozen=True, slots=True, kw_only=True)
class _PartRead:
    """What reading one part back found: what is wrong with it, or what it holds."""

    fault: str | None = None
    records: int = 0
    erased: tuple[int, ...] = ()
    newest: datetime | None = None


class _Read(NamedTuple):
    """What reading the parts back found."""

    sound: list[RawPart]
    records: int
    erased: int
    """Ids that were erased once and are here again."""
    newest: dict[str, datetime]
    """When the last record of each part came."""


class _TableVerification:
    """One table's check; problems are gathered, in the order in which a person should look at them."""

    def __init__(self, context: StepContext, task: VerifyTask, staged: Staged) -> None:
        self._context, self._task, self._staged = context, task, staged
        self._upkeep = upkeep_of(context)
        self._catalog = load_catalog(context.lake)
        self._erasures = Erasures(context.lake, task.tenant_id, task.service, task.table_name)
        self._problems: list[Problem] = []

    def run(self) -> TableCheck:
        task = self._task
        mapping = self._catalog.mapping(task.table_name)
        before = self._lease()
        # The table before raw: what a run adds in between is raw that is not folded, never rows without raw.
        snapshot = None if mapping is None else self._opened(mapping)
        parts = self._context.raw.list(task.tenant_id, task.service, task.table_name)
        version = None if snapshot is None else snapshot.version
        bounds = self._context.bounds
        self._staged.resume([version, bounds.fold_rows, bounds.fold_buckets, *(part.key for part in parts)])
        read = self._read(parts)
        compared: list[ComparedGroup] = []
        strays: list[str] = []
        if snapshot is not None:
            strays = self._strays(snapshot)
            self._check_manifest(snapshot, parts)
            compared = self._compared(snapshot, read, len(read.sound) == len(parts))
        waiting = self._quarantined()
        is_being_written = _fence(before) != _fence(self._lease()) or self._is_live(before)
        if snapshot is not None and not is_being_written:
            self._check_settled(snapshot, parts, read, strays)
        return TableCheck(
            tenant_id=task.tenant_id,
            table_name=task.table_name,
            canonical_table="" if mapping is None else mapping.table,
            is_sound=not self._problems,
            is_being_written=is_being_written,
            raw_parts=len(parts),
            raw_records=read.records,
            rows=sum(group.rows for group in compared),
            current_rows=sum(group.current_rows for group in compared),
            quarantined=waiting,
            problems=tuple(self._problems),
        )

    def _lease(self) -> Lease | None:
        return self._context.tables.get(self._task.tenant_id, self._task.table_name).lease

    def _is_live(self, lease: Lease | None) -> bool:
        if lease is None or lease.expires_at <= self._context.clock.now():
            return False
        if lease.holder.job_id == self._task.job_id:
            return False
        return not self._context.liveness.is_gone(lease.holder)

    def _add(self, kind: str, detail: str, repair: str) -> None:
        self._problems.append(Problem(kind=kind, detail=detail, repair=repair))

    def _command(self, name: str, options: str = "") -> str:
        return f"avesa {name} --tenant-id {self._task.tenant_id} --table-name {self._task.table_name}{options}"

    def _opened(self, mapping: CanonicalMapping) -> TableSnapshot | None:
        try:
            return self._context.canonical.open(self._task.tenant_id, self._task.service, mapping)
        except StorageError as error:
            self._add("table_unreadable", str(error), self._command("rebuild"))
            return None

    def _read(self, parts: Sequence[RawPart]) -> _Read:
        """Read every part whole, and compare it with what its name promises."""
        found = _Read([], 0, 0, {})
        erased: set[int] = set()
        results = self._staged.each("parts", self._part, parts, _PartRead)
        for part, result in zip(parts, results, strict=True):
            if result.fault is not None or result.newest is None:
                self._unreadable(str(result.fault))
                continue
            found.newest[part.key] = result.newest
            found.sound.append(part)
            found = found._replace(records=found.records + result.records)
            erased.update(result.erased)
        if erased:
            self._add(
                "erased_record_returned",
                f"{len(erased)} records that were erased are in raw again: the source still has them",
                "erase them at the source, then call `avesa erase-record` again",
            )
        return found._replace(erased=len(erased))

    def _part(self, part: RawPart) -> _PartRead:
        try:
            content = self._upkeep.raw.read(part)
        except StorageError as error:
            return _PartRead(fault=str(error))
        if not _is_as_named(part, content):
            return _PartRead(fault=f"raw part {part.key} does not hold the ids that its name tells")
        times = [row.ingested_at for row in content.records] + [row.found_missing_at for row in content.deletions]
        erased = self._erasures.among({row.id for row in content.records})
        return _PartRead(records=len(content.records), erased=tuple(sorted(erased)), newest=max(times))

    def _unreadable(self, detail: str) -> None:
        self._add(
            "raw_unreadable",
            detail,
            "put the object back from a copy; without one, delete it, then "
            + self._command("run", " --full-sync")
            + " (history that only this part had is lost)",
        )

    def _strays(self, snapshot: TableSnapshot) -> list[str]:
        try:
            return self._upkeep.tables.strays(snapshot)
        except StorageError as error:
            self._add("table_unreadable", str(error), self._command("rebuild"))
            return []

    def _check_manifest(self, snapshot: TableSnapshot, parts: Sequence[RawPart]) -> None:
        """Compare the parts that the commit says it holds with those that there are."""
        present = {part.key for part in parts}
        gone = [key for key in sorted(snapshot.folded - present) if not self._erasures.has_replaced(key)]
        if gone:
            self._add(
                "raw_missing",
                f"{len(gone)} raw parts that the table was made of are not there: {_some(gone)}",
                f"put them back from a copy; without one, {self._command('run', ' --full-sync')} reads the records "
                "again, and a rebuild would lose the history that only these parts had",
            )

    def _compared(self, snapshot: TableSnapshot, read: _Read, is_raw_whole: bool) -> list[ComparedGroup]:  # noqa: FBT001
        """Compare the table with a fresh fold, in groups that fit in memory."""
        mapping = snapshot.mapping
        if snapshot.mapping_digest not in {None, mapping.digest}:
            self._add("mapping_changed", "the table was made with another mapping", self._command("rebuild"))
            return []
        if not is_raw_whole:
            return []  # said already; every row of what cannot be read would seem to differ
        folded = [part for part in read.sound if part.key in snapshot.folded]
        touched = {file.bucket: 0 for file in snapshot.files} | self._context.canonical.touched(folded)
        groups = fold_groups(
            snapshot,
            new=folded,
            history=folded,
            touched=touched,
            token="",
            max_rows=self._context.bounds.fold_rows,
            max_buckets=self._context.bounds.fold_buckets,
        )
        is_small = sum(touched.values()) <= self._context.bounds.inline_fold_rows
        spread = map if is_small else self._context.executor.map_parsing
        try:
            compare = self._upkeep.tables.compare
            compared = list(self._staged.each("groups", compare, groups, ComparedGroup, spread))
        except StorageError as error:
            self._add("table_unreadable", str(error), self._command("rebuild"))
            return []
        self._judge(compared)
        return compared

    def _judge(self, compared: Sequence[ComparedGroup]) -> None:
        differing = [str(key) for group in compared for key in group.differing]
        if differing:
            self._add(
                "rows_differ",
                f"the rows of {len(differing)} records are not those of a fresh fold of raw: ids {_some(differing)}",
                self._command("rebuild"),
            )
        broken = [f"{key} ({rule})" for group in compared for key, rule in group.broken]
        if broken:
            self._add(
                "history_broken",
                f"the histories of {len(broken)} records break a rule: {_some(broken)}",
                self._command("rebuild"),
            )

    def _check_settled(
        self, snapshot: TableSnapshot, parts: Sequence[RawPart], read: _Read, strays: Sequence[str]
    ) -> None:
        """Check what holds only while nobody writes the table."""
        unfolded = [part.key for part in parts if part.key not in snapshot.folded]
        if unfolded:
            self._add(
                "raw_unfolded",
                f"{len(unfolded)} raw parts are in no commit yet: {_some(unfolded)}",
                self._command("run") + " (or `avesa rebuild`, which asks nothing of the source)",
            )
        state = self._context.tables.get(self._task.tenant_id, self._task.table_name)
        # Both by our clock: what came before the bookmark last moved should have been folded before it did.
        moved_at = state.last_success_at
        late = [key for key in unfolded if moved_at is not None and key in read.newest and read.newest[key] < moved_at]
        if state.bookmark_at is not None and (late or snapshot.version is None):
            self._add(
                "bookmark_ahead",
                "the bookmark is ahead of what is folded: an increment would not ask for it again",
                self._command("rebuild"),
            )
        if strays:
            self._add(
                "stray_files",
                f"{len(strays)} data files belong to no commit (a process died while it folded): {_some(strays)}",
                "they harm nobody and no reader sees them; `avesa maintain` deletes them after its retention",
            )

    def _quarantined(self) -> int:
        task = self._task
        try:
            lines = list(quarantined(self._context.lake, task.tenant_id, task.service, task.table_name))
        except StorageError as error:
            self._add("quarantine_unreadable", str(error), "put the object back from a copy, or delete it")
            return 0
        return sum(not line.is_resolved for line in lines)


def _fence(lease: Lease | None) -> int | None:
    return None if lease is None else lease.fence


def _is_as_named(part: RawPart, content: RawContent) -> bool:
    ids = content.ids
    return bool(ids) and min(ids) == part.min_id and max(ids) == part.max_id


def _some(items: Sequence[str]) -> str:
    shown = ", ".join(items[:_SHOWN])
    return shown if len(items) <= _SHOWN else f"{shown}, … ({len(items) - _SHOWN} more)"
