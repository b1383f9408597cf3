"""Folding one group of buckets: raw rows and old versions in, new data files out. Runs in a worker process."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import duckdb
from arro3.core import Array, DataType, Table

from avesa.adapters.delta.payloads import PayloadReader
from avesa.adapters.delta.rows import (
    arrow_table,
    columns_table,
    fetch,
    select_list,
    time_positions,
    to_micros,
    version_of,
)
from avesa.adapters.delta.setwise import SetwiseFold
from avesa.adapters.machine.collector import collector_off
from avesa.canonical.merging import Seen, merge
from avesa.canonical.observed import observed_columns
from avesa.canonical.table import row
from avesa.domain.errors import DataError
from avesa.domain.names import canonical_prefix
from avesa.ports.tables import FoldedGroup, TableFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from avesa.canonical.merging import Merged, RawRow
    from avesa.canonical.projection import Projection
    from avesa.canonical.scd2 import Version
    from avesa.canonical.values import Value
    from avesa.ports.lake import Lake
    from avesa.ports.tables import FoldGroup, RawPart

_MEMORY_LIMIT: Final = "256MB"
_BATCH_ROWS: Final = 2_048


class GroupFold:
    """One group's fold, with a DuckDB of its own."""

    def __init__(self, lake: Lake, group: FoldGroup) -> None:
        self._lake = lake
        self._group = group
        self._prefix = canonical_prefix(group.tenant_id, group.mapping.table)
        self._database = duckdb.connect(config={"threads": 1, "memory_limit": _MEMORY_LIMIT})
        self._payloads = PayloadReader(lake, self._database, group.mapping)

    def run(self) -> FoldedGroup:
        """Write the changed buckets as new files and say what changed; nothing is visible yet."""
        with collector_off(), self._database:
            setwise = SetwiseFold(self._database, self._group.mapping)
            self._fill()
            told = setwise.told()
            with self._lake.local_copies([self._prefix + file.path for file in self._group.files]) as paths:
                merged = self._merged_exactly(setwise, setwise.sort_out(paths), paths)
                changes = setwise.make_rows(tenant_id=self._group.tenant_id, service=self._group.service)
                self._add_exact(merged)
                buckets = setwise.changed_buckets()
                added, rows = self._write_buckets(setwise, buckets, paths)
        return FoldedGroup(
            added=tuple(added),
            added_rows=tuple(rows),
            replaced=tuple(file for file in self._group.files if file.bucket in set(buckets)),
            records=told.rows,
            versions_opened=changes.opened + merged.changes.opened,
            versions_closed=changes.closed + merged.changes.closed,
            versions_corrected=merged.changes.corrected,
            coerced=told.coerced,
            unreadable=told.unreadable,
        )

    def _fill(self) -> None:
        """Bring what the new parts hold into the tables `seen` and `missing`."""
        group = self._group
        texts = self._without_columns()
        rows = self._payloads.rows(texts, group.buckets)
        # DuckDB gives one result at a time: rows are taken through a cursor of their own.
        cursor = self._database.cursor()
        while batch := list(islice(rows, _BATCH_ROWS)):
            cursor.register(
                "batch", columns_table(observed_columns(group.mapping), _observed(batch, self._payloads.projection))
            )
            cursor.execute("INSERT INTO seen SELECT * FROM batch")
            cursor.unregister("batch")
        missing = [
            (deletion.id, to_micros(deletion.found_missing_at))
            for deletion in self._payloads.deletions(group.parts, group.buckets)
        ]
        if missing:
            keys, times = (Array(list(values), DataType.int64()) for values in zip(*missing, strict=True))
            self._database.register("batch", Table.from_pydict({"_key": keys, "found_at": times}))
            self._database.execute("INSERT INTO missing SELECT * FROM batch")
            self._database.unregister("batch")

    def _without_columns(self) -> list[RawPart]:
        """Bring what lies here as columns into `seen`; return the parts whose texts are to be read."""
        keys = [part.projected for part in self._group.parts if part.projected is not None]
        # All of them in one statement: planning one costs as much as reading a thousand rows.
        read = set(keys) if self._fill_from_columns(keys) else {key for key in keys if self._fill_from_columns([key])}
        return [part for part in self._group.parts if part.projected not in read]

    def _fill_from_columns(self, keys: list[str]) -> bool:
        """Bring what some parts hold into `seen` from their columns; False when one cannot be read: its texts can."""
        if not keys:
            return True
        buckets = ", ".join(map(str, self._group.buckets))
        query = f"INSERT INTO seen BY NAME SELECT * FROM read_parquet(?) WHERE bucket_of(_key) IN ({buckets})"  # noqa: S608 - numbers
        try:
            with self._lake.local_copies(keys) as paths:
                self._database.execute(query, [paths])
        except (KeyError, duckdb.IOException, duckdb.InvalidInputException, duckdb.BinderException):
            return False
        return True

    def _merged_exactly(self, setwise: SetwiseFold, keys: frozenset[int], paths: list[str]) -> Merged:
        """Return what becomes of the keys that the columns alone cannot tell."""
        seen = Seen(setwise.observations(keys), setwise.deletions(keys), 0, 0, [])
        return merge(seen, self._versions(paths, keys), self._history)

    def _history(self, keys: frozenset[int]) -> Seen:
        """Return all that raw holds of the keys."""
        parts = [part for part in self._group.history if any(part.min_id <= key <= part.max_id for key in keys)]
        return self._payloads.seen(parts, self._group.buckets, keys)

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

    def _add_exact(self, merged: Merged) -> None:
        """Add the rows of keys that were folded exactly, and note the keys: all their old rows are replaced."""
        group = self._group
        if not merged.changed:
            return
        rows = (
            row(version, tenant_id=group.tenant_id, service=group.service)
            for versions in merged.changed.values()
            for version in versions
        )
        self._database.register("batch", arrow_table(group.mapping, rows))
        self._database.execute("INSERT INTO fresh SELECT * FROM batch")
        self._database.unregister("batch")
        self._database.execute("INSERT INTO exact SELECT unnest(?::BIGINT[])", [sorted(merged.changed)])

    def _write_buckets(
        self, setwise: SetwiseFold, buckets: list[int], paths: list[str]
    ) -> tuple[list[TableFile], list[int]]:
        """Write each changed bucket whole: its old rows less those that were replaced, and the fresh ones."""
        by_bucket: dict[int, list[str]] = {}
        for file, path in zip(self._group.files, paths, strict=True):
            by_bucket.setdefault(file.bucket, []).append(path)
        with TemporaryDirectory(prefix="avesa-fold-") as folder:
            target = Path(folder) / "bucket.parquet"
            written = [self._write_bucket(setwise, bucket, by_bucket.get(bucket, []), target) for bucket in buckets]
        return [file for file, _ in written if file is not None], [count for file, count in written if file is not None]

    def _write_bucket(
        self, setwise: SetwiseFold, bucket: int, old_paths: list[str], target: Path
    ) -> tuple[TableFile | None, int]:
        parameters: list[object] = [bucket, old_paths] if old_paths else [bucket]
        quoted = target.as_posix().replace("'", "''")
        query = (
            f"COPY ({setwise.bucket_query(has_old=bool(old_paths))}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)"
        )
        (count,) = self._database.execute(query, parameters).fetchone() or (0,)
        if not count:
            return None, 0
        content = target.read_bytes()
        path = f"id_bucket={bucket}/part-{self._group.token}.parquet"
        self._lake.put(self._prefix + path, content)
        return TableFile(path=path, bucket=bucket, size_bytes=len(content)), int(count)


def _observed(rows: list[RawRow], projection: Projection) -> Iterator[tuple[Value, ...]]:
    """Yield each record as a row of `observed_columns`."""
    for found in rows:
        begin = (found.id, found.seen_at, found.job_id, found.chunk_id)
        try:
            read = projection.project(found.payload)
        except DataError as error:
            yield (*begin, False, str(error), None, *(None,) * projection.width)
        else:
            yield (*begin, bool(read.coerced), None, read.record_hash, *read.values)
