"""Folding one group of buckets: raw rows and old versions in, new data files out. Runs in a worker process."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb

from avesa.adapters.delta.rows import arrow_table, fetch, from_micros, select_list, time_positions, version_of
from avesa.canonical.merging import DeletionRow, Merged, RawRow, Seen, merge, see
from avesa.canonical.projection import Projection
from avesa.canonical.table import BUCKET_WIDTH, bucket_of, row
from avesa.domain.names import canonical_prefix
from avesa.ports.tables import FoldedGroup, TableFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from avesa.canonical.scd2 import Version
    from avesa.ports.lake import Lake
    from avesa.ports.tables import FoldGroup, RawPart

_MEMORY_LIMIT = "256MB"


class GroupFold:
    """One group's fold, with a DuckDB of its own."""

    def __init__(self, lake: Lake, group: FoldGroup) -> None:
        self._lake = lake
        self._group = group
        self._projection = Projection(group.mapping)
        self._prefix = canonical_prefix(group.tenant_id, group.mapping.table)
        self._database = duckdb.connect(config={"threads": 1, "memory_limit": _MEMORY_LIMIT})

    def run(self) -> FoldedGroup:
        """Write the changed buckets as new files and say what changed; nothing is visible yet."""
        with _collector_off(), self._database:
            seen = self._seen(self._group.parts, self._group.buckets)
            with self._lake.local_copies([self._prefix + file.path for file in self._group.files]) as paths:
                before = self._versions(paths, seen.keys)
                merged = merge(seen, before, self._history)
                return self._written(seen, merged, paths)

    def _history(self, keys: frozenset[int]) -> Seen:
        """Return all that raw holds of the keys."""
        parts = [part for part in self._group.history if any(part.min_id <= key <= part.max_id for key in keys)]
        return self._seen(parts, self._group.buckets, keys)

    def _seen(self, parts: Sequence[RawPart], buckets: Sequence[int], keys: frozenset[int] | None = None) -> Seen:
        """Return what the parts hold for the buckets; for some keys only, when `keys` names them."""
        wanted = frozenset(buckets)
        return see(
            (row for row in self._raw_rows(parts, buckets, keys) if row.id // BUCKET_WIDTH in wanted),
            (row for row in self._deletion_rows(parts, buckets, keys) if row.id // BUCKET_WIDTH in wanted),
            self._projection,
        )

    def _raw_rows(
        self, parts: Sequence[RawPart], buckets: Sequence[int], keys: frozenset[int] | None
    ) -> Iterator[RawRow]:
        # As bytes: making text of a payload, for the decoder to make bytes of it again, costs as much as decoding it.
        columns = "id::BIGINT AS key, epoch_us(ingested_at), job_id, chunk_id, encode(payload)"
        records = [part for part in parts if not part.is_deletions]
        for record_id, seen_at, job_id, chunk_id, payload in self._part_rows(records, columns, buckets, keys):
            yield RawRow(record_id, from_micros(seen_at), job_id, chunk_id, payload)

    def _deletion_rows(
        self, parts: Sequence[RawPart], buckets: Sequence[int], keys: frozenset[int] | None
    ) -> Iterator[DeletionRow]:
        columns = "id::BIGINT AS key, epoch_us(found_missing_at)"
        deletions = [part for part in parts if part.is_deletions]
        for record_id, found_at in self._part_rows(deletions, columns, buckets, keys):
            yield DeletionRow(record_id, from_micros(found_at))

    def _part_rows(
        self, parts: Sequence[RawPart], columns: str, buckets: Sequence[int], keys: frozenset[int] | None
    ) -> Iterator[tuple]:  # type: ignore[type-arg]
        if not parts:
            return
        low, high = min(buckets) * BUCKET_WIDTH, (max(buckets) + 1) * BUCKET_WIDTH - 1
        with self._lake.local_copies([part.key for part in parts]) as paths:
            query = f"SELECT {columns} FROM read_parquet(?) WHERE key BETWEEN ? AND ?"  # noqa: S608 - columns are ours
            parameters: list[object] = [paths, low, high]
            if keys is not None:
                query += " AND list_contains(?, key)"
                parameters.append(sorted(keys))
            yield from fetch(self._database.execute(query, parameters))

    def _versions(self, paths: list[str], keys: Iterable[int]) -> dict[int, list[Version]]:
        """Return the versions that the table has of the keys, by key, ascending."""
        wanted = sorted(keys)
        if not paths or not wanted:
            return {}
        query = (
            f"SELECT {select_list(self._group.mapping)} FROM read_parquet(?) "  # noqa: S608 - names are checked
            "WHERE id::BIGINT IN (SELECT unnest(?::BIGINT[])) ORDER BY id::BIGINT, valid_from"
        )
        found: dict[int, list[Version]] = {}
        times = time_positions(self._group.mapping)
        for values in fetch(self._database.execute(query, [paths, wanted])):
            found.setdefault(int(str(values[2])), []).append(version_of(values, self._group.mapping, times))
        return found

    def _written(self, seen: Seen, merged: Merged, paths: list[str]) -> FoldedGroup:
        buckets = sorted({bucket_of(key) for key in merged.changed})
        added, rows = self._write_buckets(buckets, merged.changed, paths)
        return FoldedGroup(
            added=tuple(added),
            added_rows=tuple(rows),
            replaced=tuple(file for file in self._group.files if file.bucket in set(buckets)),
            records=seen.rows,
            versions_opened=merged.changes.opened,
            versions_closed=merged.changes.closed,
            versions_corrected=merged.changes.corrected,
            coerced=seen.coerced,
            unreadable=tuple(seen.unreadable),
        )

    def _write_buckets(
        self, buckets: list[int], changed: dict[int, list[Version]], paths: list[str]
    ) -> tuple[list[TableFile], list[int]]:
        """Write each changed bucket whole: its old rows less those of changed keys, and the changed keys' rows."""
        group = self._group
        rows = (
            row(version, tenant_id=group.tenant_id, service=group.service)
            for versions in changed.values()
            for version in versions
        )
        fresh = arrow_table(group.mapping, rows)
        self._database.register("fresh_arrow", fresh)
        self._database.execute("CREATE TABLE fresh AS SELECT * FROM fresh_arrow")
        self._database.unregister("fresh_arrow")
        self._database.execute("CREATE TABLE changed AS SELECT unnest(?::BIGINT[]) AS key", [sorted(changed)])
        by_bucket: dict[int, list[str]] = {}
        for file, path in zip(group.files, paths, strict=True):
            by_bucket.setdefault(file.bucket, []).append(path)
        with TemporaryDirectory(prefix="avesa-fold-") as folder:
            written = [self._write_bucket(bucket, by_bucket.get(bucket, []), Path(folder)) for bucket in buckets]
        return [file for file, _ in written if file is not None], [count for file, count in written if file is not None]

    def _write_bucket(self, bucket: int, old_paths: list[str], folder: Path) -> tuple[TableFile | None, int]:
        source = "SELECT * EXCLUDE (id_bucket) FROM fresh WHERE id_bucket = ?"
        parameters: list[object] = [bucket]
        if old_paths:
            source += (
                " UNION ALL BY NAME SELECT * FROM read_parquet(?, hive_partitioning=false) "
                "WHERE id::BIGINT NOT IN (SELECT key FROM changed)"
            )
            parameters.append(old_paths)
        target = folder / "bucket.parquet"
        quoted = target.as_posix().replace("'", "''")
        query = (
            f"COPY (SELECT * FROM ({source}) ORDER BY id::BIGINT, valid_from) TO '{quoted}' "  # noqa: S608
            "(FORMAT parquet, COMPRESSION zstd)"
        )
        (count,) = self._database.execute(query, parameters).fetchone() or (0,)
        if not count:
            return None, 0
        content = target.read_bytes()
        path = f"id_bucket={bucket}/part-{self._group.token}.parquet"
        self._lake.put(self._prefix + path, content)
        return TableFile(path=path, bucket=bucket, size_bytes=len(content)), int(count)


@contextmanager
def _collector_off() -> Iterator[None]:
    """A fold makes millions of objects and no cycles; looking for cycles costs a fifth of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
