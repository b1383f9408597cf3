"""Canonical tables looked at: compared with a fresh fold of raw, and searched for files that no commit names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from avesa.adapters.delta.folding import GroupFold
from avesa.adapters.delta.rows import fetch, from_micros, select_list, time_positions
from avesa.canonical.histories import Span, broken_rule
from avesa.canonical.scd2 import fold
from avesa.canonical.table import TRAILING, bucket_of, row
from avesa.domain.errors import StorageError
from avesa.domain.names import canonical_prefix
from avesa.ports.upkeep import ComparedGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.ports.lake import Lake
    from avesa.ports.tables import FoldGroup, TableFile, TableSnapshot

_Row = tuple[object, ...]
_SPAN = len(TRAILING)
"""valid_from, valid_to, is_current, is_deleted, record_hash, ingested_at end a row; id_bucket is not read."""


class DeltaTableAudit:
    """A TableAudit on any Lake. Can be pickled when the lake can."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def compare(self, group: FoldGroup) -> ComparedGroup:
        return _GroupComparison(self._lake, group).compare()

    def strays(self, snapshot: TableSnapshot) -> list[str]:
        if snapshot.version is None:
            return []
        uri, options = self._lake.table_uri(canonical_prefix(snapshot.tenant_id, snapshot.mapping.table))
        try:
            table = DeltaTable(uri, storage_options=options or None)
            # What a vacuum that kept nothing would delete: all that no version needs, less what versions once had.
            everything = table.vacuum(0, dry_run=True, enforce_retention_duration=False, full=True)
            replaced = table.vacuum(0, dry_run=True, enforce_retention_duration=False)
        except (DeltaError, OSError) as error:
            message = f"{snapshot.tenant_id}/{snapshot.mapping.table}: the table's files cannot be listed ({error})"
            raise StorageError(message) from error
        return sorted(set(everything) - set(replaced))

    def rows_of(self, snapshot: TableSnapshot, record_id: int) -> int:
        prefix = canonical_prefix(snapshot.tenant_id, snapshot.mapping.table)
        keys = [prefix + file.path for file in snapshot.files if file.bucket == bucket_of(record_id)]
        if not keys:
            return 0
        query = "SELECT count(*) FROM read_parquet(?, hive_partitioning=false) WHERE id::BIGINT = ?"
        with self._lake.local_copies(keys) as paths, duckdb.connect(config={"threads": 1}) as database:
            (count,) = database.execute(query, [paths, record_id]).fetchone() or (0,)
            return int(count)


class _GroupComparison(GroupFold):
    """One group's fold from nothing, beside the rows that the table has."""

    def compare(self) -> ComparedGroup:
        group = self._group
        with self._database:
            seen = self._payloads.seen(group.parts, group.buckets)
            expected: dict[int, list[_Row]] = {}
            for key in seen.observations:
                versions = fold(seen.observations[key], seen.deletions.get(key, ()))
                rows = [row(version, tenant_id=group.tenant_id, service=group.service) for version in versions]
                expected[key] = [tuple(values[:-1]) for values in rows]
            found: dict[int, list[_Row]] = {}
            misplaced: set[int] = set()
            for file in group.files:
                self._read(file, found, misplaced)
        differing = {key for key in expected.keys() | found.keys() if expected.get(key, []) != found.get(key, [])}
        rules = ((key, broken_rule([_span(values) for values in rows])) for key, rows in sorted(found.items()))
        every = [values for rows in found.values() for values in rows]
        return ComparedGroup(
            rows=len(every),
            current_rows=sum(_span(values).is_current for values in every),
            differing=tuple(sorted(differing | misplaced)),
            broken=tuple((key, rule) for key, rule in rules if rule is not None),
        )

    def _read(self, file: TableFile, found: dict[int, list[_Row]], misplaced: set[int]) -> None:
        """Add the file's rows by key, each key's ascending by time; note keys that belong into another bucket."""
        mapping = self._group.mapping
        times = time_positions(mapping)
        query = (
            f"SELECT {select_list(mapping)} FROM read_parquet(?, hive_partitioning=false) "  # noqa: S608 - checked names
            "ORDER BY id::BIGINT, valid_from"
        )
        try:
            with self._lake.local_copies([self._prefix + file.path]) as paths:
                for values in fetch(self._database.execute(query, paths)):
                    key = int(str(values[2]))
                    found.setdefault(key, []).append(_timed(values, times))
                    if bucket_of(key) != file.bucket:
                        misplaced.add(key)
        except (KeyError, duckdb.Error) as error:
            # The engine's own words may quote a value.
            raise StorageError(
                f"data file {self._prefix}{file.path} is missing or cannot be read ({type(error).__name__})"
            ) from None


def _timed(values: Sequence[object], times: Sequence[int]) -> _Row:
    found = list(values)
    for position in times:
        micros = found[position]
        found[position] = from_micros(micros) if isinstance(micros, int) else None
    return tuple(found)


def _span(values: _Row) -> Span:
    valid_from, valid_to, is_current, is_deleted = values[-_SPAN + 1 : -2]
    return Span(valid_from, valid_to, bool(is_current), bool(is_deleted))  # type: ignore[arg-type]
