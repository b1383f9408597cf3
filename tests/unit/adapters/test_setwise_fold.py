"""The fold over columns is the exact fold: the same rows and the same counts, batch by batch, for whatever comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.parquet as pq
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from avesa.adapters.delta.store import DeltaCanonicalStore
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.machine.clock import SystemClock
from avesa.adapters.memory.canonical import MemoryCanonicalStore
from avesa.adapters.memory.raw import MemoryRawStore
from avesa.adapters.parquet import packing
from avesa.adapters.parquet.raw import ParquetRawStore
from avesa.application.folding import fold_groups
from avesa.application.projected import ProjectedColumns
from avesa.canonical.mapping import parse_mapping
from avesa.canonical.table import BUCKET_WIDTH, table_columns
from avesa.domain.model import RawRecord
from avesa.ports.tables import PageOrigin, PartName

if TYPE_CHECKING:
    import pytest

    from avesa.ports.tables import CanonicalStore, FoldedGroup, RawPart, RawStore, TableSnapshot

T0 = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COLUMNS = [
    {"name": "id", "type": "string", "source": "id"},
    {"name": "summary", "type": "string", "source": "summary"},
    {"name": "hours", "type": "float64", "source": "hours"},
    {"name": "seats", "type": "int64", "source": "seats"},
    {"name": "approved", "type": "bool", "source": "approved"},
    {"name": "due", "type": "timestamp", "source": "due"},
    {"name": "last_updated", "type": "timestamp", "source": "_info/lastUpdated"},
    {"name": "last_updated_by", "type": "string", "source": "_info/updatedBy"},
]
MAPPING = parse_mapping(
    json.dumps({"table": "tickets", "service": "connectwise", "endpoint": "service/tickets", "columns": COLUMNS}),
    file="tickets.json",
)
IDS = (1, 2, 3, BUCKET_WIDTH - 1, BUCKET_WIDTH, -1, -BUCKET_WIDTH)


class Batch(NamedTuple):
    """What one run brought: records of one time of extraction, and ids found missing."""

    hour: int
    records: tuple[tuple[int, bytes], ...]
    missing: tuple[int, ...]
    is_page: bool
    """Came as a page, so that its columns lie beside its texts."""


@st.composite
def payloads(draw: st.DrawFn, record_id: int) -> bytes:
    hour = draw(st.one_of(st.integers(0, 9), st.integers(0, 9), st.none()))
    record: dict[str, Any] = {
        "id": record_id,
        "summary": draw(st.sampled_from(["A", "A", "A", "B", "", None, 7, ["no text"]])),
        "hours": draw(st.sampled_from([1.5, 1.5, 1.5, "1.5", -0.0, None, "x"])),
        "seats": draw(st.sampled_from([3, 3, 3, "3", None])),
        "approved": draw(st.sampled_from([True, True, None])),
        "due": draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "someday", None])),
        "_info": {"updatedBy": draw(st.sampled_from(["ann", "ann", "bob"]))},
    }
    if hour is not None:
        record["_info"]["lastUpdated"] = f"{T0 + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}"
    if draw(st.integers(0, 30)) == 0:
        del record["id"]  # no row can be made of it
    return json.dumps(record).encode()


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    ids = draw(st.lists(st.sampled_from(IDS), max_size=6, unique_by=None if draw(st.booleans()) else lambda key: key))
    records = tuple((record_id, draw(payloads(record_id))) for record_id in ids)
    missing = draw(st.one_of(st.just([]), st.lists(st.sampled_from(IDS), max_size=2, unique=True)))
    return Batch(draw(st.integers(0, 20)), records, tuple(missing), is_page=draw(st.booleans()))


class Side:
    """One table, folded by one of the two."""

    def __init__(self, raw: RawStore, store: CanonicalStore) -> None:
        self.raw, self.store, self._page = raw, store, 0

    def take(self, batch: Batch) -> list[FoldedGroup]:
        at = T0 + timedelta(hours=batch.hour)
        parts: list[RawPart] = []
        named = [payload for _, payload in batch.records if b'"id"' in payload]
        if batch.is_page and named:
            name = self._name()
            origin = PageOrigin(job_id=name.job_id, chunk_id=name.chunk_id, ingested_at=at, mapping=MAPPING)
            part = self.raw.put_page(name, self.raw.pack(b"[" + b",".join(named) + b"]", origin))
            parts += ProjectedColumns(self.raw, "acme", "connectwise", "service/tickets", MAPPING).of([part])
        elif batch.records:
            records = [RawRecord(record_id, None, payload) for record_id, payload in batch.records]
            parts.append(self.raw.write(self._name(), records, ingested_at=at))
        if batch.missing:
            parts.append(self.raw.write_deletions(self._name(), list(batch.missing), found_missing_at=at))
        snapshot = self.open()
        groups = fold_groups(
            snapshot,
            new=parts,
            history=self.raw.list("acme", "connectwise", "service/tickets"),
            touched=self.store.touched(parts),
            token=f"t{self._page}",
            max_rows=4,
            max_buckets=2,
        )
        done = [self.store.fold(group) for group in groups]
        self.store.commit(
            snapshot, done, folded=snapshot.folded | {part.key for part in parts}, fence=1, is_rebuild=False
        )
        return done

    def open(self) -> TableSnapshot:
        return self.store.open("acme", "connectwise", MAPPING)

    def _name(self) -> PartName:
        self._page += 1
        return PartName(
            tenant_id="acme",
            service="connectwise",
            endpoint="service/tickets",
            job_id="job",
            chunk_id=f"job/service/tickets/{self._page % 2}",
            fence=1,
            page=self._page,
        )


def counted(groups: list[FoldedGroup]) -> list[tuple[Any, ...]]:
    return [
        (
            sorted(file.bucket for file in group.added),
            sorted(group.added_rows),
            sorted(file.bucket for file in group.replaced),
            group.records,
            group.versions_opened,
            group.versions_closed,
            group.versions_corrected,
            group.coerced,
            sorted(group.unreadable),
        )
        for group in groups
    ]


def rows_on_files(lake: LocalLake, snapshot: TableSnapshot) -> list[tuple[Any, ...]]:
    names = [column.name for column in table_columns(MAPPING)[:-1]]
    with lake.local_copies([f"acme/canonical/tickets/{file.path}" for file in snapshot.files]) as paths:
        rows = [row for path in paths for row in pq.ParquetFile(path).read(columns=names).to_pylist()]
    ordered = [tuple(row[name] for name in names) for row in rows]
    return sorted(ordered, key=lambda row: (int(row[2]), row[len(COLUMNS) + 2]))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(batches(), min_size=1, max_size=5))
def test_the_fold_over_columns_gives_what_the_exact_fold_gives(
    monkeypatch: pytest.MonkeyPatch, history: list[Batch]
) -> None:
    monkeypatch.setattr(packing, "SMALL_BYTES", 0)
    memory = MemoryRawStore()
    exact_store = MemoryCanonicalStore(memory)
    exact = Side(memory, exact_store)
    with TemporaryDirectory() as folder:
        lake = LocalLake(folder)
        setwise = Side(ParquetRawStore(lake), DeltaCanonicalStore(lake, SystemClock()))
        for batch in history:
            expected, found = exact.take(batch), setwise.take(batch)

            assert counted(found) == counted(expected)
            event(f"opened {min(2, sum(group.versions_opened for group in found))}")
            event(f"closed {min(2, sum(group.versions_closed for group in found))}")
            assert rows_on_files(lake, setwise.open()) == [row[:-1] for row in exact_store.rows(exact.open())]
