"""Folding one group of buckets: raw rows and old versions in, new data files out. Runs in a worker process."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from avesa.adapters.delta.rows import arrow_table, fetch, from_micros, select_list, time_positions, version_of
from avesa.canonical.projection import Projection
from avesa.canonical.scd2 import Observation, Version, diff, extend, fold
from avesa.canonical.table import BUCKET_WIDTH, bucket_of, row
from avesa.domain.errors import DataError
from avesa.domain.names import canonical_prefix
from avesa.ports.tables import FoldedGroup, TableFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from avesa.ports.lake import Lake
    from avesa.ports.tables import FoldGroup, RawPart

_MEMORY_LIMIT = "256MB"


class _Seen(NamedTuple):
    """What raw parts tell of the keys of a group."""

    observations: dict[int, list[Observation]]
    deletions: dict[int, list[datetime]]
    rows: int
    coerced: int
    unreadable: list[tuple[int, str]]


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
                before = self._versions(paths, seen.observations.keys() | seen.deletions.keys())
                after = self._folded(seen, before)
                return self._written(seen, before, after, paths)

    def _seen(self, parts: Sequence[RawPart], buckets: Sequence[int], keys: frozenset[int] | None = None) -> _Seen:
        """Return what the parts hold for the buckets; for some keys only, when `keys` names them."""
        seen = _Seen({}, {}, 0, 0, [])
        wanted = frozenset(buckets)
        rows = 0
        coerced: set[tuple[int, str, datetime | None]] = set()
        for record_id, seen_at, job_id, chunk_id, payload in self._raw_rows(parts, buckets, keys):
            if record_id // BUCKET_WIDTH not in wanted:
                continue
            rows += 1
            try:
                found = self._projection.project(payload)
            except DataError as error:
                seen.unreadable.append((record_id, str(error)))
                continue
            if found.coerced:
                coerced.add((record_id, found.record_hash, found.source_time))
            seen.observations.setdefault(record_id, []).append(
                Observation(
                    seen_at=from_micros(seen_at),
                    source_time=found.source_time,
                    content=found.values,
                    record_hash=found.record_hash,
                    order=(job_id, chunk_id),
                )
            )
        for record_id, found_at in self._deletion_rows(parts, buckets, keys):
            if record_id // BUCKET_WIDTH in wanted:
                seen.deletions.setdefault(record_id, []).append(from_micros(found_at))
        return seen._replace(rows=rows, coerced=len(coerced))

    def _raw_rows(
        self, parts: Sequence[RawPart], buckets: Sequence[int], keys: frozenset[int] | None
    ) -> Iterator[tuple[int, int, str, str, bytes]]:
        # As bytes: making text of a payload, for the decoder to make bytes of it again, costs as much as decoding it.
        columns = "id::BIGINT AS key, epoch_us(ingested_at), job_id, chunk_id, encode(payload)"
        return self._part_rows([part for part in parts if not part.is_deletions], columns, buckets, keys)

    def _deletion_rows(
        self, parts: Sequence[RawPart], buckets: Sequence[int], keys: frozenset[int] | None
    ) -> Iterator[tuple[int, int]]:
        columns = "id::BIGINT AS key, epoch_us(found_missing_at)"
        return self._part_rows([part for part in parts if part.is_deletions], columns, buckets, keys)

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

    def _folded(self, seen: _Seen, before: dict[int, list[Version]]) -> dict[int, list[Version]]:
        """Return the versions of every key seen: from the batch where that is exact, else from all of raw."""
        after: dict[int, list[Version]] = {}
        unsure: set[int] = set()
        for key in seen.observations.keys() | seen.deletions.keys():
            known = before.get(key)
            observations = seen.observations.get(key, [])
            if known is None:
                # No row of this key: no earlier part had it, so the batch is all there is.
                after[key] = fold(observations, seen.deletions.get(key, ()))
                continue
            extended = None if key in seen.deletions else extend(known[-1], observations)
            if extended is None:
                unsure.add(key)
            else:
                after[key] = [*known[:-1], *extended]
        return after | self._folded_from_raw(frozenset(unsure))

    def _folded_from_raw(self, keys: frozenset[int]) -> dict[int, list[Version]]:
        """Return the versions of keys whose past matters: late states, silent changes, deletions. Rare, and exact."""
        if not keys:
            return {}
        parts = [part for part in self._group.history if any(part.min_id <= key <= part.max_id for key in keys)]
        seen = self._seen(parts, self._group.buckets, keys)
        return {key: fold(seen.observations.get(key, []), seen.deletions.get(key, ())) for key in keys}

    def _written(
        self, seen: _Seen, before: dict[int, list[Version]], after: dict[int, list[Version]], paths: list[str]
    ) -> FoldedGroup:
        changed = {key: versions for key, versions in after.items() if versions != before.get(key, [])}
        changes = [diff(before.get(key, []), versions) for key, versions in changed.items()]
        buckets = sorted({bucket_of(key) for key in changed})
        added, rows = self._write_buckets(buckets, changed, paths)
        return FoldedGroup(
            added=tuple(added),
            added_rows=tuple(rows),
            replaced=tuple(file for file in self._group.files if file.bucket in set(buckets)),
            records=seen.rows,
            versions_opened=sum(change.opened for change in changes),
            versions_closed=sum(change.closed for change in changes),
            versions_corrected=sum(change.corrected for change in changes),
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
