"""Homes with a large table that nobody has to wait for: laid down by the product's own stores, from one folded bucket.

Real tickets fill one bucket, which the product folds. Every other bucket is that one with other ids; the raw parts
are the same tickets with those ids, a page in each. Layout, sizes, manifest and log are those of a loaded table, and so
is every value but `record_hash`, which is the first bucket's (an increment of changes compares it with a new one).
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import duckdb

from avesa.adapters.delta.store import DeltaCanonicalStore
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.machine.clock import SystemClock
from avesa.adapters.parquet.raw import ParquetRawStore
from avesa.application.catalog import load_catalog
from avesa.application.folding import fold_groups
from avesa.bootstrap.local import LocalSettings, local_application
from avesa.canonical.table import BUCKET_WIDTH
from avesa.domain.model import RawRecord
from avesa.domain.names import canonical_prefix
from avesa.ports.tables import FoldedGroup, PartName, TableFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.ports.tables import RawPart
    from benchmarks.corpus import Corpus

TENANT: Final = "acme"
SERVICE: Final = "connectwise"
ENDPOINT: Final = "service/tickets"
FIRST_ID: Final = BUCKET_WIDTH
"""Tables begin with a whole bucket."""
_PAGE: Final = 1000
_TEXTS: Final = {"summary": b"summary", "description": b"initialDescription"}
"""Columns of text, and the fields that they are of."""
_JOB: Final = "20260101T000000Z-seeded"
_READ_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def seed(home: Path, rows: int, tickets: Corpus) -> None:
    """Give the tenant of a home that was set up a table of that many rows, loaded an hour ago."""
    lake = LocalLake(LocalSettings(home=home).lake)
    mapping = load_catalog(lake).mapping(ENDPOINT)
    assert mapping is not None
    bodies = bodies_of(tickets)
    store = DeltaCanonicalStore(lake, SystemClock())
    buckets = range(1, 1 + -(-rows // BUCKET_WIDTH))
    first = _first_bucket(lake, mapping, bodies)
    pages = range(-(-rows // _PAGE))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        writing = pool.map(partial(_raw_page, lake, bodies, FIRST_ID + rows), pages, chunksize=50)
        copied = pool.map(
            partial(_bucket, lake, mapping, first, FIRST_ID + rows), [b for b in buckets if b != 1], chunksize=20
        )
        parts: list[RawPart] = list(writing)
        files = [first, *copied]
    added = FoldedGroup(
        added=tuple(file for file, _ in files),
        added_rows=tuple(count for _, count in files),
        records=rows,
        versions_opened=rows,
    )
    snapshot = store.open(TENANT, SERVICE, mapping)
    store.commit(snapshot, [added], folded=frozenset(part.key for part in parts), fence=1, is_rebuild=False)
    _remember(home)


def bodies_of(tickets: Corpus) -> list[bytes]:
    """Return the texts of a bucket's worth of tickets, each less its id: `,"summary":…}`."""
    content = tickets.path.read_bytes()
    texts = [content[a : b - 1] for a, b in zip(tickets.starts, tickets.starts[1:], strict=False)][:BUCKET_WIDTH]
    return [text.partition(b",")[2] for text in texts]


def record_of(bodies: Sequence[bytes], record_id: int) -> bytes:
    """Return the ticket that a seeded table has under the id.

    Its texts begin with the id: a table whose texts came round again would be smaller than any real one.
    """
    body = bodies[record_id % len(bodies)]
    for name in _TEXTS.values():
        begin = b'"%b":"' % name
        body = body.replace(begin, b"%b%d " % (begin, record_id), 1)
    return b'{"id":%d,%b' % (record_id, body)


def _records(bodies: Sequence[bytes], ids: range) -> list[RawRecord]:
    return [RawRecord(record_id, _READ_AT, record_of(bodies, record_id)) for record_id in ids]


def _name(chunk: str, page: int) -> PartName:
    return PartName(
        tenant_id=TENANT, service=SERVICE, endpoint=ENDPOINT, job_id=_JOB, chunk_id=chunk, fence=1, page=page
    )


def _raw_page(lake: LocalLake, bodies: Sequence[bytes], end: int, number: int) -> RawPart:
    ids = range(FIRST_ID + number * _PAGE, min(FIRST_ID + (number + 1) * _PAGE, end))
    chunk = f"{_JOB}/{ENDPOINT}/{number // 20:05}"
    return ParquetRawStore(lake).write(_name(chunk, number), _records(bodies, ids), ingested_at=_READ_AT)


def _first_bucket(lake: LocalLake, mapping: CanonicalMapping, bodies: Sequence[bytes]) -> tuple[TableFile, int]:
    """Fold a bucket of real tickets and leave its file in the table's folder."""
    with TemporaryDirectory(prefix="avesa-seed-") as folder:
        other = LocalLake(folder)
        raw, store = ParquetRawStore(other), DeltaCanonicalStore(other, SystemClock())
        ids = range(FIRST_ID, FIRST_ID + BUCKET_WIDTH)
        part = raw.write(_name(f"{_JOB}/{ENDPOINT}/1", 1), _records(bodies, ids), ingested_at=_READ_AT)
        (group,) = fold_groups(
            store.open(TENANT, SERVICE, mapping),
            new=[part],
            history=[part],
            touched=store.touched([part]),
            token="seeded",  # noqa: S106 - part of a file's name
            max_rows=2 * BUCKET_WIDTH,
            max_buckets=2,
        )
        folded = store.fold(group)
        (file,), (rows,) = folded.added, folded.added_rows
        prefix = canonical_prefix(TENANT, mapping.table)
        lake.put(prefix + file.path, other.get(prefix + file.path))
    return file, rows


def _bucket(
    lake: LocalLake, mapping: CanonicalMapping, first: tuple[TableFile, int], end: int, bucket: int
) -> tuple[TableFile, int]:
    """Write a bucket as the first one is, with its own ids, up to the table's last."""
    prefix = canonical_prefix(TENANT, mapping.table)
    ahead = (bucket - first[0].bucket) * BUCKET_WIDTH
    texts = ", ".join(
        f"(id::BIGINT + {ahead})::VARCHAR || substr({name}, strpos({name}, ' ')) AS {name}" for name in _TEXTS
    )
    with (
        TemporaryDirectory(prefix="avesa-seed-") as folder,
        lake.local_copies([prefix + first[0].path]) as (path,),
        duckdb.connect(config={"threads": 1}) as database,
    ):
        target = Path(folder, "bucket.parquet")
        query = (
            f"COPY (SELECT * REPLACE ((id::BIGINT + {ahead})::VARCHAR AS id, "  # noqa: S608 - numbers of ours
            f"(id::BIGINT + {ahead})::VARCHAR AS ticket_number, {texts}) "
            f"FROM read_parquet(?, hive_partitioning=false) WHERE id::BIGINT + {ahead} < {end}) "
            f"TO '{target.as_posix()}' (FORMAT parquet, COMPRESSION zstd)"
        )
        (rows,) = database.execute(query, [path]).fetchone() or (0,)
        content = target.read_bytes()
    file = TableFile(path=f"id_bucket={bucket}/part-seeded.parquet", bucket=bucket, size_bytes=len(content))
    lake.put(prefix + file.path, content)
    return file, int(rows)


def _remember(home: Path) -> None:
    """Say in the state that the table was read to its end an hour ago."""
    with local_application(LocalSettings(home=home, is_lake_mapped=True)) as application:
        context = application.context
        now = context.clock.now()
        lease = context.tables.acquire(
            TENANT,
            ENDPOINT,
            holder=context.liveness.holder(_JOB),
            now=now,
            ttl_seconds=60,
            is_gone=context.liveness.is_gone,
        )
        state = context.tables.get(TENANT, ENDPOINT)
        read_at = now - timedelta(hours=1)
        context.tables.save(lease, replace(state, bookmark_at=read_at, last_success_at=now, last_job_id=_JOB))
        context.tables.release(lease)
