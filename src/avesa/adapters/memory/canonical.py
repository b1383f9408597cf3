"""Canonical tables in memory: the fold of the store on files, with a list of commits in place of a Delta log."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from avesa.adapters.machine.clock import SystemClock
from avesa.canonical.merging import merge, see
from avesa.canonical.projection import Projection
from avesa.canonical.table import bucket_of, row
from avesa.domain.errors import CommitConflict
from avesa.domain.names import canonical_prefix
from avesa.ports.lake import ObjectExists
from avesa.ports.tables import FoldedGroup, TableFile, TableSnapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from avesa.adapters.memory.raw import MemoryRawStore
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.canonical.merging import Seen
    from avesa.canonical.scd2 import Version
    from avesa.canonical.values import Value
    from avesa.ports.tables import FoldGroup, RawPart
    from avesa.ports.time import Clock

_FENCE_BITS: Final = 20
"""As on files: folds of one fence are numbered apart from those of every other fence."""
_Versions = dict[int, list["Version"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Commit:
    """What one commit made of a table."""

    fold_number: int
    mapping: CanonicalMapping
    folded: frozenset[str]
    files: tuple[TableFile, ...]
    committed_at: datetime


class MemoryCanonicalStore:
    """A CanonicalStore over the parts of one MemoryRawStore; threads may share it."""

    def __init__(self, raw: MemoryRawStore, clock: Clock | None = None) -> None:
        self._raw = raw
        self._clock = clock or SystemClock()
        self._files: dict[str, _Versions] = {}
        self._written_at: dict[str, datetime] = {}
        self._commits: dict[str, list[_Commit]] = {}
        self._checkpoints: dict[str, int] = {}
        self._projections: dict[str, Projection] = {}
        self._lock = threading.Lock()

    def open(self, tenant_id: str, service: str, mapping: CanonicalMapping) -> TableSnapshot:
        commits = self._commits.get(canonical_prefix(tenant_id, mapping.table), [])
        empty = TableSnapshot(tenant_id=tenant_id, service=service, mapping=mapping)
        if not commits:
            return empty
        newest = commits[-1]
        return replace(
            empty,
            version=len(commits),
            fold_number=newest.fold_number,
            mapping_digest=newest.mapping.digest,
            folded=newest.folded,
            files=newest.files,
        )

    def touched(self, parts: Sequence[RawPart]) -> dict[int, int]:
        ids = [row.id for row in self._raw.rows(parts)] + [row.id for row in self._raw.deletions(parts)]
        return dict(Counter(bucket_of(record_id) for record_id in ids))

    def fold(self, group: FoldGroup) -> FoldedGroup:
        seen = self._seen(group, group.parts)
        known = self._read(group.tenant_id, group.mapping, group.files)
        before = {key: known[key] for key in seen.keys if key in known}
        merged = merge(seen, before, lambda keys: self._seen(group, group.history, keys))
        buckets = sorted({bucket_of(key) for key in merged.changed})
        written = [self._write(group, bucket, known | merged.changed) for bucket in buckets]
        return FoldedGroup(
            added=tuple(file for file, _ in written),
            added_rows=tuple(rows for _, rows in written),
            replaced=tuple(file for file in group.files if file.bucket in set(buckets)),
            records=seen.rows,
            versions_opened=merged.changes.opened,
            versions_closed=merged.changes.closed,
            versions_corrected=merged.changes.corrected,
            coerced=seen.coerced,
            unreadable=tuple(seen.unreadable),
        )

    def commit(
        self,
        snapshot: TableSnapshot,
        groups: Sequence[FoldedGroup],
        *,
        folded: frozenset[str],
        fence: int,
        is_rebuild: bool,
    ) -> TableSnapshot:
        table = canonical_prefix(snapshot.tenant_id, snapshot.mapping.table)
        replaced = {file.path for group in groups for file in group.replaced}
        kept = () if is_rebuild else tuple(file for file in snapshot.files if file.path not in replaced)
        added = tuple(file for group in groups for file in group.added)
        commit = _Commit(
            fold_number=max(snapshot.fold_number + 1, fence << _FENCE_BITS),
            mapping=snapshot.mapping,
            folded=folded,
            files=tuple(sorted((*kept, *added), key=lambda file: file.path)),
            committed_at=self._clock.now(),
        )
        with self._lock:
            commits = self._commits.setdefault(table, [])
            if len(commits) != (snapshot.version or 0):
                raise CommitConflict(f"{snapshot.tenant_id}/{snapshot.mapping.table}: another commit came first")
            commits.append(commit)
        return self.open(snapshot.tenant_id, snapshot.service, snapshot.mapping)

    def current_ids(self, snapshot: TableSnapshot) -> set[int]:
        return {key for key, versions in self.versions(snapshot).items() if versions[-1].is_current}

    def versions(self, snapshot: TableSnapshot) -> dict[int, list[Version]]:
        """Return every version that the table has at the snapshot, by key, ascending."""
        return self._read(snapshot.tenant_id, snapshot.mapping, snapshot.files)

    def rows(self, snapshot: TableSnapshot) -> list[tuple[Value, ...]]:
        """Return the table's rows at the snapshot, in the order of `table_columns`, by key and valid_from."""
        return [
            row(version, tenant_id=snapshot.tenant_id, service=snapshot.service)
            for _, versions in sorted(self.versions(snapshot).items())
            for version in versions
        ]

    def _seen(self, group: FoldGroup, parts: Sequence[RawPart], keys: frozenset[int] | None = None) -> Seen:
        buckets = frozenset(group.buckets)

        def is_asked(key: int) -> bool:
            return bucket_of(key) in buckets and (keys is None or key in keys)

        return see(
            (found for found in self._raw.rows(parts) if is_asked(found.id)),
            (found for found in self._raw.deletions(parts) if is_asked(found.id)),
            self._projection(group.mapping),
        )

    def _projection(self, mapping: CanonicalMapping) -> Projection:
        """Return the compiled mapping: compiling takes longer than folding a small batch."""
        if mapping.digest not in self._projections:
            self._projections[mapping.digest] = Projection(mapping)
        return self._projections[mapping.digest]

    def _read(self, tenant_id: str, mapping: CanonicalMapping, files: Sequence[TableFile]) -> _Versions:
        prefix = canonical_prefix(tenant_id, mapping.table)
        found: _Versions = {}
        for file in files:
            found |= self._files[prefix + file.path]
        return found

    def _write(self, group: FoldGroup, bucket: int, versions: _Versions) -> tuple[TableFile, int]:
        path = f"id_bucket={bucket}/part-{group.token}"
        content = {key: list(found) for key, found in versions.items() if bucket_of(key) == bucket}
        self._put(canonical_prefix(group.tenant_id, group.mapping.table) + path, content)
        rows = sum(len(found) for found in content.values())
        return TableFile(path=path, bucket=bucket, size_bytes=rows), rows

    def _put(self, key: str, content: _Versions) -> None:
        if key in self._files:
            raise ObjectExists(key)
        self._files[key] = content
        self._written_at[key] = self._clock.now()
