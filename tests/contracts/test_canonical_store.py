"""What every canonical store does: one visible version at a time, made by the same fold wherever the rows lie."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from avesa.adapters.delta.store import DeltaCanonicalStore
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.machine.clock import SystemClock
from avesa.adapters.memory.canonical import MemoryCanonicalStore
from avesa.adapters.memory.raw import MemoryRawStore
from avesa.adapters.parquet.raw import ParquetRawStore
from avesa.application.folding import fold_groups
from avesa.canonical.mapping import parse_mapping
from avesa.canonical.table import BUCKET_WIDTH, table_columns
from avesa.domain.errors import CommitConflict
from avesa.domain.model import RawRecord
from avesa.ports.lake import ObjectExists
from avesa.ports.tables import PartName

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.ports.lake import Lake
    from avesa.ports.tables import CanonicalStore, FoldedGroup, RawPart, RawStore, TableSnapshot

T0 = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def mapping_of(*extra: str) -> CanonicalMapping:
    columns = [
        {"name": "id", "type": "string", "source": "id"},
        *({"name": name, "type": "string", "source": name} for name in ("summary", *extra)),
        {"name": "last_updated", "type": "timestamp", "source": "_info/lastUpdated"},
        {"name": "last_updated_by", "type": "string", "source": "_info/updatedBy"},
    ]
    document = {"table": "tickets", "service": "connectwise", "endpoint": "service/tickets", "columns": columns}
    return parse_mapping(json.dumps(document), file="tickets.json")


MAPPING = mapping_of()


class Table:
    """One table in a store, and the raw store that its parts are in."""

    def __init__(
        self, raw: RawStore, store: CanonicalStore, rows: Callable[[TableSnapshot], list[dict[str, Any]]]
    ) -> None:
        self.raw, self.store, self._rows, self._pages, self._folds = raw, store, rows, 0, 0

    def open(self, mapping: CanonicalMapping = MAPPING) -> TableSnapshot:
        return self.store.open("acme", "connectwise", mapping)

    def name(self) -> PartName:
        self._pages += 1
        return PartName(
            tenant_id="acme",
            service="connectwise",
            endpoint="service/tickets",
            job_id="job",
            chunk_id="job/service/tickets/1",
            fence=1,
            page=self._pages,
        )

    def read(self, at: float, *states: tuple[int, float, str]) -> RawPart:
        """Write a part of (id, source time, summary) that was seen at a time; times in hours."""
        records = [
            RawRecord(
                record_id,
                hours(time),
                json.dumps(
                    {"id": record_id, "summary": text, "_info": {"lastUpdated": hours(time).isoformat()}}
                ).encode(),
            )
            for record_id, time, text in states
        ]
        return self.raw.write(self.name(), records, ingested_at=hours(at))

    def missing(self, at: float, *ids: int) -> RawPart:
        return self.raw.write_deletions(self.name(), list(ids), found_missing_at=hours(at))

    def folded(self, snapshot: TableSnapshot, *parts: RawPart, max_buckets: int = 64) -> list[FoldedGroup]:
        self._folds += 1
        groups = fold_groups(
            snapshot,
            new=parts,
            history=self.raw.list("acme", "connectwise", "service/tickets"),
            touched=self.store.touched(parts),
            token=f"t{self._folds}",
            max_rows=1000,
            max_buckets=max_buckets,
        )
        return [self.store.fold(group) for group in groups]

    def commit(self, snapshot: TableSnapshot, *parts: RawPart, max_buckets: int = 64) -> TableSnapshot:
        done = self.folded(snapshot, *parts, max_buckets=max_buckets)
        keys = snapshot.folded | {part.key for part in parts}
        return self.store.commit(snapshot, done, folded=keys, fence=1, is_rebuild=False)

    def versions(self, snapshot: TableSnapshot | None = None) -> list[tuple[Any, ...]]:
        """Return (id, summary, hours of valid_from and valid_to, is_deleted) of each row."""
        rows = self._rows(snapshot or self.open())
        found = [
            (int(row["id"]), row["summary"], _hours(row["valid_from"]), _hours(row["valid_to"]), row["is_deleted"])
            for row in rows
        ]
        return sorted(found)


def hours(number: float) -> datetime:
    return T0 + timedelta(hours=number)


def _hours(at: datetime | None) -> float | None:
    return None if at is None else (at - T0) / timedelta(hours=1)


def memory_table(kind: type[MemoryCanonicalStore] = MemoryCanonicalStore) -> Table:
    raw = MemoryRawStore()
    store = kind(raw)

    def rows(snapshot: TableSnapshot) -> list[dict[str, Any]]:
        names = [column.name for column in table_columns(snapshot.mapping)]
        return [dict(zip(names, row, strict=True)) for row in store.rows(snapshot)]

    return Table(raw, store, rows)


def delta_table(lake: Lake) -> Table:

    def rows(snapshot: TableSnapshot) -> list[dict[str, Any]]:
        with lake.local_copies([f"acme/canonical/tickets/{file.path}" for file in snapshot.files]) as paths:
            return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]

    return Table(ParquetRawStore(lake), DeltaCanonicalStore(lake, SystemClock()), rows)


STORES: dict[str, Callable[[Path], Table]] = {
    "memory": lambda _: memory_table(),
    "delta": lambda folder: delta_table(LocalLake(folder)),
}


@pytest.fixture(params=STORES)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    return STORES[request.param](tmp_path)


def test_a_table_never_written_has_no_version(table: Table) -> None:
    snapshot = table.open()

    assert (snapshot.version, snapshot.fold_number, snapshot.files) == (None, 0, ())
    assert table.store.current_ids(snapshot) == set()


def test_a_first_fold_opens_a_version_of_each_record(table: Table) -> None:
    part = table.read(1, (1, 0, "A"), (2, 0.5, "B"))

    snapshot = table.commit(table.open(), part)

    assert table.versions() == [(1, "A", 0.0, None, False), (2, "B", 0.5, None, False)]
    assert snapshot.folded == {part.key}
    assert snapshot.mapping_digest == MAPPING.digest
    assert table.store.current_ids(snapshot) == {1, 2}


def test_what_is_folded_is_not_seen_before_its_commit(table: Table) -> None:
    table.commit(table.open(), table.read(1, (1, 0, "A")))
    before = table.open()

    table.folded(before, table.read(2, (1, 1, "B")))

    assert table.open() == before
    assert table.versions() == [(1, "A", 0.0, None, False)]


def test_a_newer_state_closes_the_one_before(table: Table) -> None:
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A"), (2, 0, "same")))

    table.commit(snapshot, table.read(2, (1, 1, "B")))

    assert table.versions() == [(1, "A", 0.0, 1.0, False), (1, "B", 1.0, None, False), (2, "same", 0.0, None, False)]


def test_a_late_state_takes_its_place_between_joined_touches(table: Table) -> None:
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A")))
    snapshot = table.commit(snapshot, table.read(4, (1, 3, "A")))

    table.commit(snapshot, table.read(5, (1, 2, "B")))

    expected = [(1, "A", 0.0, 2.0, False), (1, "A", 3.0, None, False), (1, "B", 2.0, 3.0, False)]
    assert table.versions() == expected


def test_a_record_found_missing_is_closed_and_may_come_back(table: Table) -> None:
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A"), (2, 0, "B")))

    snapshot = table.commit(snapshot, table.missing(2, 1))
    gone = table.store.current_ids(snapshot)
    table.commit(snapshot, table.read(3, (1, 0, "A")))

    assert gone == {2}
    expected = [(1, "A", 0.0, 2.0, True), (1, "A", 3.0, None, False), (2, "B", 0.0, None, False)]
    assert table.versions() == expected


def test_the_same_part_folded_again_changes_nothing(table: Table) -> None:
    part = table.read(1, (1, 0, "A"))
    snapshot = table.commit(table.open(), part)

    (again,) = table.folded(snapshot, part)

    assert (again.added, again.versions_opened, again.versions_closed, again.versions_corrected) == ((), 0, 0, 0)


def test_counts_tell_what_a_fold_changed(table: Table) -> None:
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A"), (2, 0, "B"), (3, 0, "C")))

    (done,) = table.folded(snapshot, table.read(2, (1, 1, "A2"), (2, 0, "B!")), table.missing(2, 3))

    counted = (done.records, done.versions_opened, done.versions_closed, done.versions_corrected)
    assert counted == (2, 1, 2, 1)


def test_of_two_commits_from_one_version_the_second_is_refused(table: Table) -> None:
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A")))
    first, second = table.read(2, (1, 1, "B")), table.read(3, (1, 2, "C"))
    table.commit(snapshot, first)

    with pytest.raises(CommitConflict):
        table.commit(snapshot, second)

    assert table.versions() == [(1, "A", 0.0, 1.0, False), (1, "B", 1.0, None, False)]
    assert second.key not in table.open().folded


def test_of_two_first_commits_the_second_is_refused(table: Table) -> None:
    empty = table.open()
    table.commit(empty, table.read(1, (1, 0, "A")))

    with pytest.raises(CommitConflict):
        table.commit(empty, table.read(1, (2, 0, "B")))

    assert table.store.current_ids(table.open()) == {1}


def test_fold_numbers_only_grow(table: Table) -> None:
    first = table.commit(table.open(), table.read(1, (1, 0, "A")))
    second = table.commit(first, table.read(2, (1, 1, "B")))

    assert 0 < first.fold_number < second.fold_number
    assert second.folded > first.folded


def test_an_attempt_never_writes_over_the_files_of_another(table: Table) -> None:
    snapshot, part = table.open(), table.read(1, (1, 0, "A"))
    (group,) = fold_groups(
        snapshot, new=[part], history=[part], touched={0: 1}, token="same", max_rows=9, max_buckets=9
    )
    table.store.fold(group)

    with pytest.raises(ObjectExists):
        table.store.fold(group)


def test_groups_of_buckets_are_one_commit(table: Table) -> None:
    far = 5 * BUCKET_WIDTH + 1
    part = table.read(1, (1, 0, "A"), (far, 0, "B"))

    snapshot = table.commit(table.open(), part, max_buckets=1)

    assert table.store.touched([part]) == {0: 1, 5: 1}
    assert {file.bucket for file in snapshot.files} == {0, 5}
    assert table.store.current_ids(snapshot) == {1, far}


def test_a_rebuild_with_another_mapping_replaces_every_row(table: Table) -> None:
    part = table.read(1, (1, 0, "A"))
    table.commit(table.open(), part)
    wider = mapping_of("board")
    opened = table.open(wider)
    is_of_the_old_mapping = opened.mapping_digest == MAPPING.digest
    empty = table.store.open("nobody", "connectwise", wider)
    groups = fold_groups(
        empty, new=[part], history=[part], touched=table.store.touched([part]), token="r", max_rows=9, max_buckets=9
    )
    done = [table.store.fold(replace(group, tenant_id="acme")) for group in groups]

    rebuilt = table.store.commit(opened, done, folded=frozenset({part.key}), fence=2, is_rebuild=True)

    assert is_of_the_old_mapping
    assert rebuilt.mapping_digest == wider.digest
    assert table.versions(rebuilt) == [(1, "A", 0.0, None, False)]
