"""What every raw store does: parts that are there whole, once, and tell by their key what is in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from avesa.adapters.local.lake import LocalLake
from avesa.adapters.memory.raw import MemoryRawStore
from avesa.adapters.parquet.raw import ParquetRawStore
from avesa.domain.model import RawRecord
from avesa.ports.lake import ObjectExists
from avesa.ports.tables import PartName

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from avesa.ports.tables import RawStore

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TABLE = ("acme", "connectwise", "service/tickets")
STORES: dict[str, Callable[[Path], RawStore]] = {
    "memory": lambda _: MemoryRawStore(),
    "parquet": lambda folder: ParquetRawStore(LocalLake(folder)),
}


@pytest.fixture(params=STORES)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> RawStore:
    return STORES[request.param](tmp_path)


def name(*, job: str = "job-1", fence: int = 1, page: int = 1, tenant: str = "acme") -> PartName:
    return PartName(
        tenant_id=tenant,
        service="connectwise",
        endpoint="service/tickets",
        job_id=job,
        chunk_id=f"{job}/service/tickets/00001",
        fence=fence,
        page=page,
    )


def records(*ids: int) -> list[RawRecord]:
    return [RawRecord(record_id, AT, b'{"id":%d}' % record_id) for record_id in ids]


def test_a_part_tells_job_and_range_by_its_key(raw: RawStore) -> None:
    written = raw.write(name(), records(7, 3, 12), ingested_at=AT)

    (listed,) = raw.list(*TABLE)

    assert listed == written
    assert (listed.job_id, listed.min_id, listed.max_id, listed.is_deletions) == ("job-1", 3, 12, False)


def test_a_page_is_written_once_under_one_fence(raw: RawStore) -> None:
    raw.write(name(), records(1, 2), ingested_at=AT)

    with pytest.raises(ObjectExists):
        raw.write(name(), records(1, 2), ingested_at=AT)

    assert len(raw.list(*TABLE)) == 1


def test_another_fence_writes_the_same_page_beside_it(raw: RawStore) -> None:
    # 500 was deleted between the attempts: the second one holds another record, and must not be refused.
    raw.write(name(fence=1), records(1, 500), ingested_at=AT)
    raw.write(name(fence=2), records(1, 501), ingested_at=AT)

    assert raw.ids(raw.list(*TABLE)) == {1, 500, 501}


def test_deletions_lie_beside_the_records_and_are_told_apart(raw: RawStore) -> None:
    raw.write(name(), records(1, 2), ingested_at=AT)
    raw.write_deletions(name(page=2), [2, 9], found_missing_at=AT)

    parts = raw.list(*TABLE)

    assert [part.is_deletions for part in parts] == [part.key.count("/deletions/") == 1 for part in parts]
    assert raw.ids([part for part in parts if part.is_deletions]) == {2, 9}
    assert raw.ids([part for part in parts if not part.is_deletions]) == {1, 2}


def test_parts_are_listed_by_key_and_of_one_table_only(raw: RawStore) -> None:
    for page in (3, 1, 2):
        raw.write(name(page=page), records(page), ingested_at=AT)
    raw.write(name(tenant="other"), records(99), ingested_at=AT)

    keys = [part.key for part in raw.list(*TABLE)]

    assert keys == sorted(keys)
    assert raw.ids(raw.list(*TABLE)) == {1, 2, 3}


def test_no_parts_have_no_ids(raw: RawStore) -> None:
    assert raw.list(*TABLE) == []
    assert raw.ids([]) == set()
