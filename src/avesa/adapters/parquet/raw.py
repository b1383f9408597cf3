"""Raw parts: the record's own JSON in one string column, so that a schema drift can break no reader."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from avesa.domain.names import deletions_prefix, raw_prefix
from avesa.domain.part_names import parse_part_file, part_file
from avesa.ports.tables import RawPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.domain.model import RawRecord
    from avesa.ports.lake import Lake
    from avesa.ports.tables import PartName

_TIME: Final = pa.timestamp("us", tz="UTC")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
RAW_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("last_updated", _TIME),
        pa.field("ingested_at", _TIME, nullable=False),
        pa.field("job_id", pa.string(), nullable=False),
        pa.field("chunk_id", pa.string(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
    ]
)
DELETIONS_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("found_missing_at", _TIME, nullable=False),
        pa.field("job_id", pa.string(), nullable=False),
    ]
)


class ParquetRawStore:
    """A RawStore on any Lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def write(self, name: PartName, records: Sequence[RawRecord], *, ingested_at: datetime) -> RawPart:
        """Make one part durable; see the port."""
        count = len(records)
        table = pa.table(
            [
                _text([b"%d" % record.id for record in records]),
                _times([record.last_updated for record in records]),
                _times([ingested_at] * count),
                _text([name.job_id.encode()] * count),
                _text([name.chunk_id.encode()] * count),
                _text([record.payload for record in records]),
            ],
            schema=RAW_SCHEMA,
        )
        ids = [record.id for record in records]
        return self._put(name, raw_prefix(name.tenant_id, name.service, name.endpoint), ids, table)

    def write_deletions(self, name: PartName, ids: Sequence[int], *, found_missing_at: datetime) -> RawPart:
        """Make the ids found missing durable; see the port."""
        table = pa.table(
            [
                _text([b"%d" % record_id for record_id in ids]),
                _times([found_missing_at] * len(ids)),
                _text([name.job_id.encode()] * len(ids)),
            ],
            schema=DELETIONS_SCHEMA,
        )
        return self._put(name, deletions_prefix(name.tenant_id, name.service, name.endpoint), ids, table)

    def _put(self, name: PartName, prefix: str, ids: Sequence[int], table: pa.Table) -> RawPart:
        low, high = min(ids), max(ids)
        key = prefix + part_file(
            chunk_id=name.chunk_id, job_id=name.job_id, fence=name.fence, page=name.page, min_id=low, max_id=high
        )
        sink = pa.BufferOutputStream()
        # Dictionaries pay for the constant columns only; payloads and ids are all different.
        pq.write_table(
            table, sink, compression="zstd", compression_level=1, use_dictionary=["job_id", "chunk_id", "ingested_at"]
        )
        self._lake.put(key, sink.getvalue().to_pybytes())
        return RawPart(key=key, job_id=name.job_id, min_id=low, max_id=high, is_deletions="/deletions/" in key)

    def list(self, tenant_id: str, service: str, endpoint: str) -> list[RawPart]:
        """Return every part by key; objects that are not parts of ours are left alone."""
        prefix = raw_prefix(tenant_id, service, endpoint)
        found = []
        for info in self._lake.list(prefix):
            parsed = parse_part_file(info.key.removeprefix(prefix))
            if parsed is not None:
                found.append(
                    RawPart(
                        key=info.key,
                        job_id=parsed.job_id,
                        min_id=parsed.min_id,
                        max_id=parsed.max_id,
                        is_deletions=parsed.is_deletions,
                    )
                )
        return found

    def ids(self, parts: Sequence[RawPart]) -> set[int]:
        """Return the distinct ids, from the id columns alone."""
        found: set[int] = set()
        with self._lake.local_copies([part.key for part in parts]) as paths:
            for path in paths:
                column = pq.ParquetFile(path).read(columns=["id"]).column(0).cast(pa.int64())
                found.update(column.to_pylist())
        return found


def _text(values: Sequence[bytes]) -> pa.Array:
    """Return a column of UTF-8 text from its bytes, in one copy.

    `pa.array` would look at each value, and both it and `pa.scalar` import pandas where it is installed: 0.75 s.
    """
    offsets = array("i", accumulate(map(len, values), initial=0))
    data = b"".join(values)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(data))


def _times(values: Sequence[datetime | None]) -> pa.Array:
    """Return a column of times, null where there is none."""
    micros = array("q", (0 if at is None else (at - _EPOCH) // _MICROSECOND for at in values))
    bits = bytearray((len(values) + 7) // 8)
    for index, at in enumerate(values):
        if at is not None:
            bits[index >> 3] |= 1 << (index & 7)
    return pa.Array.from_buffers(_TIME, len(values), [pa.py_buffer(bytes(bits)), pa.py_buffer(micros)])
