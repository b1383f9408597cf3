"""Raw parts without pyarrow, for the package that has the table engines: the same files, written by DuckDB.

Three times dearer to write than by pyarrow, and only repairs and deletions are written here.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import duckdb
from arro3.core import Array, DataType, Table

from avesa.adapters.parquet.projected import ProjectedParts
from avesa.application.plain_pages import PlainPages
from avesa.domain.names import deletions_prefix, raw_prefix
from avesa.domain.part_names import parse_part_file, part_file
from avesa.ports.tables import RawPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from avesa.domain.model import RawRecord
    from avesa.ports.tables import PartName

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = DataType.timestamp("us", tz="UTC")


class PortableRawStore(ProjectedParts, PlainPages):
    """A RawStore on any Lake."""

    def write(self, name: PartName, records: Sequence[RawRecord], *, ingested_at: datetime) -> RawPart:
        """Make one part durable; see the port."""
        count = len(records)
        columns = {
            "id": _texts([str(record.id) for record in records]),
            "last_updated": _times([record.last_updated for record in records]),
            "ingested_at": _times([ingested_at] * count),
            "job_id": _texts([name.job_id] * count),
            "chunk_id": _texts([name.chunk_id] * count),
            "payload": _texts([bytes(record.payload).decode() for record in records]),
        }
        prefix = raw_prefix(name.tenant_id, name.service, name.endpoint)
        return self._put(name, prefix, [record.id for record in records], columns)

    def write_deletions(self, name: PartName, ids: Sequence[int], *, found_missing_at: datetime) -> RawPart:
        """Make the ids found missing durable; see the port."""
        columns = {
            "id": _texts([str(record_id) for record_id in ids]),
            "found_missing_at": _times([found_missing_at] * len(ids)),
            "job_id": _texts([name.job_id] * len(ids)),
        }
        return self._put(name, deletions_prefix(name.tenant_id, name.service, name.endpoint), ids, columns)

    def list(self, tenant_id: str, service: str, endpoint: str) -> list[RawPart]:
        """Return every part by key; objects that are not parts of ours are left alone."""
        prefix = raw_prefix(tenant_id, service, endpoint)
        keys = [info.key for info in self._lake.list(prefix)]
        parsed = [(key, parse_part_file(key.removeprefix(prefix))) for key in keys]
        return [
            RawPart(
                key=key,
                job_id=found.job_id,
                min_id=found.min_id,
                max_id=found.max_id,
                is_deletions=found.is_deletions,
            )
            for key, found in parsed
            if found is not None
        ]

    def ids(self, parts: Sequence[RawPart]) -> set[int]:
        """Return the distinct ids, from the id columns alone."""
        if not parts:
            return set()
        query = "SELECT DISTINCT id::BIGINT FROM read_parquet(?, union_by_name=true)"
        with self._lake.local_copies([part.key for part in parts]) as paths, duckdb.connect() as database:
            return {int(record_id) for (record_id,) in database.execute(query, [paths]).fetchall()}

    def _put(self, name: PartName, prefix: str, ids: Sequence[int], columns: Mapping[str, Array]) -> RawPart:
        low, high = min(ids), max(ids)
        key = prefix + part_file(
            chunk_id=name.chunk_id, job_id=name.job_id, fence=name.fence, page=name.page, min_id=low, max_id=high
        )
        with _as_parquet(Table.from_pydict({**columns})) as path:
            self._lake.put(key, path.read_bytes())
        return RawPart(key=key, job_id=name.job_id, min_id=low, max_id=high, is_deletions="/deletions/" in key)


@contextmanager
def _as_parquet(table: Table) -> Iterator[Path]:
    with TemporaryDirectory(prefix="avesa-raw-") as folder, duckdb.connect(config={"threads": 1}) as database:
        target = Path(folder, "part.parquet")
        database.register("part", table)
        database.execute(f"COPY part TO '{target.as_posix()}' (FORMAT parquet, COMPRESSION zstd)")
        yield target


def _texts(values: Sequence[str]) -> Array:
    return Array(list(values), DataType.utf8())


def _times(values: Sequence[datetime | None]) -> Array:
    micros = [None if at is None else (at - _EPOCH) // timedelta(microseconds=1) for at in values]
    return Array(micros, DataType.int64()).cast(_TIME)
