"""A page as it came over the network, made into the bytes of a raw part and of its columns in one parse."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from avesa.adapters.machine.collector import collector_off
from avesa.adapters.parquet.schemas import RAW_SCHEMA, TIME, text_array, time_array
from avesa.canonical.columns import ColumnReader
from avesa.canonical.mapping import ID, LAST_UPDATED, ColumnType
from avesa.canonical.observed import observed_columns
from avesa.connectors.pages import Page, add_record, is_bare, plain_texts, split_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from msgspec import Raw

    from avesa.canonical.columns import ReadColumns
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.connectors.pages import Rejected
    from avesa.domain.model import RawRecord
    from avesa.ports.tables import PageOrigin

_ARROW_TYPES: Final = {
    ColumnType.STRING: pa.string(),
    ColumnType.INT64: pa.int64(),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.BOOL: pa.bool_(),
    ColumnType.TIMESTAMP: TIME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPage:
    """A page as the bytes of its raw part, and of its columns where that is worth it."""

    ids: array[int]
    rejected: tuple[Rejected, ...] = ()
    bare_id: int | None = None
    raw: bytes | None = None
    """None when no record can be read."""
    projected: bytes | None = None
    digest: str | None = None
    """Of the mapping that made the columns."""


SMALL_BYTES: Final = 256 * 1024
"""A page that is smaller is not worth a second object: the fold reads its few texts again."""
_LOWEST_ID: Final = -(2**63)
"""The one id of 64 bits that a page refuses."""


def pack_page(body: bytes, origin: PageOrigin) -> PackedPage:
    """Return the page packed; see the port."""
    with collector_off():
        is_projected = origin.mapping is not None and len(body) > SMALL_BYTES
        if is_projected and origin.mapping is not None and not origin.drop_fields and _has_usual_head(origin.mapping):
            packed = _packed_at_once(body, origin, origin.mapping)
            if packed is not None:
                return packed
        page = split_page(body, drop_fields=origin.drop_fields)
        projected = None
        if is_projected and origin.mapping is not None and page.records:
            read = _reader(origin.mapping).read([record.payload for record in page.records])
            projected = _projected(origin, origin.mapping, page.ids, read)
        raw = raw_bytes(page.records, origin) if page.records else None
        return PackedPage(
            ids=array("q", page.ids),
            rejected=tuple(page.rejected),
            bare_id=page.bare_id,
            raw=raw,
            projected=projected,
            digest=None if projected is None or origin.mapping is None else origin.mapping.digest,
        )


def _packed_at_once(body: bytes, origin: PageOrigin, mapping: CanonicalMapping) -> PackedPage | None:
    """Return the page with each text decoded once, for its head and its columns; None when a record is rejected."""
    texts = plain_texts(body)
    if not texts:
        return None
    read = _reader(mapping).read(texts)
    heads = _heads(texts, read)
    if heads is None:
        return None
    ids, times = heads
    payloads = text_array(texts)
    try:
        payloads.validate(full=True)
    except pa.ArrowInvalid:
        return None  # not UTF-8 somewhere: which record it is, the other way tells
    return PackedPage(
        ids=ids,
        bare_id=next((key for key, text in zip(ids, texts, strict=True) if is_bare(text)), None),
        raw=_raw_table(ids, times, payloads, origin),
        projected=_projected(origin, mapping, ids, read),
        digest=mapping.digest,
    )


def _heads(texts: Sequence[Raw], read: ReadColumns) -> tuple[array[int], list[datetime | None]] | None:
    """Return id and source time of each record as raw has them; None when one of them is to be rejected."""
    odd = {}
    for place in read.odd:
        page = Page()
        add_record(page, bytes(texts[place]), ())
        if page.rejected:
            return None
        odd[place] = page.records[0]
    if odd:
        ids = array("q", (odd[at].id if at in odd else int(text) for at, text in enumerate(read.columns[0])))
        times = [odd[at].last_updated if at in odd else time for at, time in enumerate(read.columns[-2])]
    else:
        ids, times = array("q", map(int, read.columns[0])), read.columns[-2]
    return None if _LOWEST_ID in ids else (ids, times)


def raw_bytes(records: Sequence[RawRecord], origin: PageOrigin) -> bytes:
    """Return a raw part of the records."""
    ids = array("q", (record.id for record in records))
    payloads = text_array([record.payload for record in records])
    return _raw_table(ids, [record.last_updated for record in records], payloads, origin)


def _raw_table(
    ids: Sequence[int], times: Sequence[datetime | None], payloads: pa.StringArray, origin: PageOrigin
) -> bytes:
    count = len(ids)
    table = pa.table(
        [
            text_array([b"%d" % record_id for record_id in ids]),
            time_array(times),
            time_array([origin.ingested_at] * count),
            text_array([origin.job_id.encode()] * count),
            text_array([origin.chunk_id.encode()] * count),
            payloads,
        ],
        schema=RAW_SCHEMA,
    )
    # Dictionaries pay for the constant columns only; payloads and ids are all different.
    return parquet_bytes(
        table, compression="zstd", compression_level=1, use_dictionary=["job_id", "chunk_id", "ingested_at"]
    )


def _projected(origin: PageOrigin, mapping: CanonicalMapping, ids: Sequence[int], read: ReadColumns) -> bytes:
    """Return the columns as a file that lives for minutes: quick to write matters more than small."""
    count = len(ids)
    columns = observed_columns(mapping)
    values: list[Sequence[Any]] = [
        ids,
        [origin.ingested_at] * count,
        [origin.job_id] * count,
        [origin.chunk_id] * count,
        read.is_coerced,
        read.unreadable,
        read.hashes,
        *read.columns,
    ]
    arrays = [pa.array(found, _ARROW_TYPES[column.type]) for found, column in zip(values, columns, strict=True)]
    table = pa.table(arrays, names=[column.name for column in columns])
    return parquet_bytes(table, compression="lz4", write_statistics=False)


def parquet_bytes(table: pa.Table, **options: object) -> bytes:
    """Return the table as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _has_usual_head(mapping: CanonicalMapping) -> bool:
    """Whether id and last_updated come from where raw takes them, so that one decoding serves both."""
    by_name = {column.name: column.source for column in mapping.columns}
    return by_name[ID] == ("id",) and by_name[LAST_UPDATED] == ("_info/lastUpdated",)


_readers: dict[str, ColumnReader] = {}


def _reader(mapping: CanonicalMapping) -> ColumnReader:
    """Return the mapping compiled: compiling it takes as long as reading a page."""
    found = _readers.get(mapping.digest)
    if found is None:
        found = _readers[mapping.digest] = ColumnReader(mapping)
    return found
