"""What raw parts hold for some buckets, read record by record: exact for every record, and the past of any key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.adapters.delta.rows import fetch, from_micros
from avesa.canonical.merging import DeletionRow, RawRow, Seen, see
from avesa.canonical.projection import Projection
from avesa.canonical.table import BUCKET_WIDTH, bucket_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.ports.lake import Lake
    from avesa.ports.tables import RawPart

_Keys = frozenset[int] | None


class PayloadReader:
    """Reads raw parts of one table through a DuckDB connection."""

    def __init__(self, lake: Lake, database: duckdb.DuckDBPyConnection, mapping: CanonicalMapping) -> None:
        self._lake, self._database = lake, database
        self.projection = Projection(mapping)

    def seen(self, parts: Sequence[RawPart], buckets: Sequence[int], keys: _Keys = None) -> Seen:
        """Return what the parts hold for the buckets; for some keys only, when `keys` names them."""
        return see(self.rows(parts, buckets, keys), self.deletions(parts, buckets, keys), self.projection)

    def rows(self, parts: Sequence[RawPart], buckets: Sequence[int], keys: _Keys = None) -> Iterator[RawRow]:
        """Yield the records that the parts hold for the buckets."""
        # As bytes: making text of a payload, for the decoder to make bytes of it again, costs as much as decoding it.
        columns = "id::BIGINT AS key, epoch_us(ingested_at), job_id, chunk_id, encode(payload)"
        records = [part for part in parts if not part.is_deletions]
        for record_id, seen_at, job_id, chunk_id, payload in self._read(records, columns, buckets, keys):
            yield RawRow(record_id, from_micros(seen_at), job_id, chunk_id, payload)

    def deletions(self, parts: Sequence[RawPart], buckets: Sequence[int], keys: _Keys = None) -> Iterator[DeletionRow]:
        """Yield the deletions that the parts hold for the buckets."""
        columns = "id::BIGINT AS key, epoch_us(found_missing_at)"
        deletions = [part for part in parts if part.is_deletions]
        for record_id, found_at in self._read(deletions, columns, buckets, keys):
            yield DeletionRow(record_id, from_micros(found_at))

    def _read(self, parts: Sequence[RawPart], columns: str, buckets: Sequence[int], keys: _Keys) -> Iterator[tuple]:  # type: ignore[type-arg]
        if not parts:
            return
        wanted = frozenset(buckets)
        low, high = min(buckets) * BUCKET_WIDTH, (max(buckets) + 1) * BUCKET_WIDTH - 1
        with self._lake.local_copies([part.key for part in parts]) as paths:
            query = f"SELECT {columns} FROM read_parquet(?) WHERE key BETWEEN ? AND ?"  # noqa: S608 - columns are ours
            parameters: list[object] = [paths, low, high]
            if keys is not None:
                query += " AND list_contains(?, key)"
                parameters.append(sorted(keys))
            for row in fetch(self._database.execute(query, parameters)):
                if bucket_of(str(row[0])) in wanted:
                    yield row
