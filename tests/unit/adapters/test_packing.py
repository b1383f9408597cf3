"""A page packed in one parse is, byte for byte, the raw part that its records one by one would be."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from avesa.adapters.delta.store import DeltaCanonicalStore
from avesa.adapters.memory.clock import FakeClock
from avesa.adapters.memory.lake import MemoryLake
from avesa.adapters.parquet import packing
from avesa.adapters.parquet.packing import PackedPage, pack_page, raw_bytes
from avesa.adapters.parquet.raw import ParquetRawStore
from avesa.application.folding import fold_groups
from avesa.application.projected import ProjectedColumns
from avesa.bootstrap.packaged import packaged_mappings
from avesa.canonical.mapping import parse_mapping
from avesa.canonical.observed import observed_columns
from avesa.connectors.pages import split_page
from avesa.domain.errors import TransientSourceError
from avesa.ports.tables import PageOrigin, PartName

if TYPE_CHECKING:
    from avesa.canonical.mapping import CanonicalMapping

MAPPING = parse_mapping(packaged_mappings()["canonical/tickets.json"], file="tickets.json")
OTHER = parse_mapping(packaged_mappings()["canonical/companies.json"], file="companies.json")
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PLAIN = b'{"id":1,"summary":"\xc3\xb6","company":{"id":7,"name":"A"},"_info":{"lastUpdated":"2026-01-01T00:00:00Z"}}'
NULL_OBJECT = b'{"id":2,"company":null,"_info":{"lastUpdated":"2026-01-01T00:00:00.25Z","updatedBy":"ann"}}'
ODD_TIME = b'{"id":3,"summary":"x","_info":{"lastUpdated":"someday"}, "requiredDate":"2026-01-01T02:00:00+02:00"}'
TEXT_ID = b'{"id":"4","summary":"an id as text","_info":{}}'
NUL = b'{"id":5,"summary":"a\\u0000b","budgetHours":"1.5"}'
NO_ID = b'{"summary":"nobody can tell which"}'
HALF_A_CHARACTER = b'{"id":6,"summary":"\xc3"}'
TOO_LOW = b'{"id":-9223372036854775808,"summary":"no id of ours"}'


@pytest.fixture(autouse=True)
def _every_page_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SMALL_BYTES", 0)


def origin(mapping: CanonicalMapping | None = MAPPING, *drop: str) -> PageOrigin:
    return PageOrigin(job_id="job", chunk_id="job/c", ingested_at=AT, mapping=mapping, drop_fields=drop)


def body_of(*records: bytes) -> bytes:
    return b"[" + b",\n ".join(records) + b"]"


def rows(content: bytes | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content or b"")).to_pylist()
    return found


@pytest.mark.parametrize("drop", [(), ("summary",)])
@pytest.mark.parametrize(
    "odd", [NULL_OBJECT, ODD_TIME, TEXT_ID, NUL, NO_ID, HALF_A_CHARACTER, TOO_LOW, PLAIN, b"[]", b"7"]
)
def test_a_packed_page_has_the_records_that_a_split_one_has(odd: bytes, drop: tuple[str, ...]) -> None:
    body = body_of(PLAIN, odd)
    split = split_page(body, drop_fields=drop)

    packed = pack_page(body, origin(MAPPING, *drop))

    assert list(packed.ids) == split.ids
    assert list(packed.rejected) == split.rejected
    assert rows(packed.raw) == rows(raw_bytes(split.records, origin()))
    assert [row["_key"] for row in rows(packed.projected)] == split.ids


def test_columns_lie_in_the_types_that_the_fold_reads() -> None:
    packed = pack_page(body_of(PLAIN, NULL_OBJECT), origin())

    names = pq.read_table(io.BytesIO(packed.projected or b"")).column_names
    assert names == [column.name for column in observed_columns(MAPPING)]
    first = rows(packed.projected)[0]
    assert (first["_seen_at"], first["company_id"], first["summary"]) == (AT, "7", "\xf6")


def test_a_record_of_an_id_alone_is_told() -> None:
    assert pack_page(body_of(b'{"id":1}', PLAIN), origin()).bare_id == 1
    assert pack_page(body_of(PLAIN), origin()).bare_id is None


def test_a_page_that_ends_early_is_no_page() -> None:
    with pytest.raises(TransientSourceError):
        pack_page(body_of(PLAIN)[:-2], origin())


def test_a_small_page_and_a_table_without_a_mapping_have_no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pack_page(body_of(PLAIN), origin(None)).projected is None
    monkeypatch.setattr(packing, "SMALL_BYTES", 10_000)
    assert pack_page(body_of(PLAIN), origin()).projected is None


def test_an_empty_page_is_nothing_to_store() -> None:
    packed = pack_page(b"[]", origin())

    assert (list(packed.ids), packed.raw, packed.projected) == ([], None, None)


class Stored:
    """Two pages of one table, put."""

    def __init__(self) -> None:
        self.raw = ParquetRawStore(MemoryLake())
        self.parts = [self.put(page, MAPPING) for page in (1, 2)]

    def put(self, page: int, mapping: CanonicalMapping) -> Any:  # noqa: ANN401 - a part
        name = PartName(
            tenant_id="acme",
            service="connectwise",
            endpoint="service/tickets",
            job_id="job",
            chunk_id="job/c",
            fence=1,
            page=page,
        )
        packed = self.raw.pack(json.dumps([{"id": page, "summary": "A record"}]).encode(), origin(mapping))
        assert isinstance(packed, PackedPage)
        return self.raw.put_page(name, packed)

    def columns(self, mapping: CanonicalMapping = MAPPING) -> ProjectedColumns:
        return ProjectedColumns(self.raw, "acme", "connectwise", "service/tickets", mapping)

    def keys(self) -> list[str]:
        return list(self.raw.projected("acme", "connectwise", "service/tickets"))


def test_columns_are_found_by_the_mapping_that_made_them_only() -> None:
    stored = Stored()
    keys = stored.keys()

    assert all(part.projected in keys for part in stored.columns().of(stored.parts))
    assert [part.projected for part in stored.columns(OTHER).of(stored.parts)] == [None, None]


def test_columns_go_when_their_part_is_folded_and_no_earlier() -> None:
    stored = Stored()
    kept = stored.columns().of(stored.parts)[1].projected

    stored.columns().drop({stored.parts[0].key})

    assert stored.keys() == [kept]


def test_columns_of_another_mapping_go_with_the_next_fold() -> None:
    stored = Stored()
    stored.put(3, OTHER)

    stored.columns().drop({part.key for part in stored.parts})

    assert stored.keys() == []


@pytest.mark.parametrize("damage", [None, b"no Parquet"])
def test_a_part_whose_columns_are_gone_or_damaged_is_folded_from_its_texts(damage: bytes | None) -> None:
    stored = Stored()
    parts = stored.columns().of(stored.parts)
    lake, lost = stored.raw._lake, parts[0].projected or ""
    lake.delete([lost])
    if damage is not None:
        lake.put(lost, damage)
    store = DeltaCanonicalStore(lake, FakeClock())
    snapshot = store.open("acme", "connectwise", MAPPING)
    (group,) = fold_groups(snapshot, new=parts, history=parts, touched={0: 2}, token="t", max_rows=9, max_buckets=9)

    folded = store.fold(group)

    assert (folded.records, folded.versions_opened, folded.added_rows) == (2, 2, (2,))
