"""Commits to a canonical table: exactly one of two lands, nothing half-done shows, an unknown outcome is looked up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from avesa.adapters.delta.manifests import FoldManifests, Manifest
from avesa.adapters.delta.store import DeltaCanonicalStore
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.memory.clock import FakeClock
from avesa.adapters.memory.lake import MemoryLake
from avesa.adapters.parquet.raw import ParquetRawStore
from avesa.application.folding import fold_groups
from avesa.bootstrap.packaged import packaged_mappings
from avesa.canonical.mapping import parse_mapping
from avesa.canonical.table import BUCKET_WIDTH
from avesa.domain.errors import CommitConflict, CommitOutcomeUnknown, StorageError
from avesa.domain.model import RawRecord
from avesa.ports.tables import FoldedGroup, PartName, RawPart, TableSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from avesa.ports.lake import Lake

MAPPING = parse_mapping(packaged_mappings()["canonical/tickets.json"], file="tickets.json")
LAKES: dict[str, Callable[[Path], Lake]] = {
    "memory": lambda _: MemoryLake(),
    "local": lambda folder: LocalLake(folder / "lake"),
}


class Table:
    """One tenant's tickets on a lake."""

    def __init__(self, lake: Lake) -> None:
        self.lake, self.clock = lake, FakeClock()
        self.store = DeltaCanonicalStore(lake, self.clock)
        self.raw = ParquetRawStore(lake)
        self.page = 0

    def open(self) -> TableSnapshot:
        return self.store.open("acme", "connectwise", MAPPING)

    def part(self, *ids: int, summary: str = "x") -> RawPart:
        """Make a raw part of these records durable."""
        self.page += 1
        self.clock.advance(1)
        time = f"2026-01-01T00:00:{self.page:02d}Z"
        payload = '{"id":%d,"summary":"%s","_info":{"lastUpdated":"%s"}}'
        records = [RawRecord(one, None, (payload % (one, summary, time)).encode()) for one in ids]
        name = PartName(
            tenant_id="acme",
            service="connectwise",
            endpoint="service/tickets",
            job_id="job",
            chunk_id="job/c",
            fence=1,
            page=self.page,
        )
        return self.raw.write(name, records, ingested_at=self.clock.now())

    def folded(self, snapshot: TableSnapshot, *parts: RawPart, name: str = "t") -> list[FoldedGroup]:
        history = self.raw.list("acme", "connectwise", "service/tickets")
        groups = fold_groups(
            snapshot,
            new=parts,
            history=history,
            touched=self.store.touched(parts),
            token=name,
            max_rows=1000,
            max_buckets=8,
        )
        return [self.store.fold(group) for group in groups]

    def commit(
        self, snapshot: TableSnapshot, *parts: RawPart, name: str = "t", fence: int = 1, is_rebuild: bool = False
    ) -> TableSnapshot:
        groups = self.folded(snapshot, *parts, name=name)
        keys = snapshot.folded | {part.key for part in parts}
        return self.store.commit(snapshot, groups, folded=frozenset(keys), fence=fence, is_rebuild=is_rebuild)

    def ids(self) -> set[int]:
        return self.store.current_ids(self.open())


@pytest.fixture(params=LAKES)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    return Table(LAKES[request.param](tmp_path))


def test_a_table_that_is_not_there_has_no_version(table: Table) -> None:
    snapshot = table.open()

    assert (snapshot.version, snapshot.files, snapshot.folded) == (None, (), frozenset())
    assert table.store.current_ids(snapshot) == set()
    assert table.store.touched([]) == {}


def test_a_commit_tells_what_it_folded_and_by_which_mapping(table: Table) -> None:
    part = table.part(1, 2, BUCKET_WIDTH + 1)

    snapshot = table.commit(table.open(), part)

    assert snapshot == table.open()
    assert snapshot.folded == {part.key}
    assert snapshot.mapping_digest == MAPPING.digest
    assert [file.bucket for file in snapshot.files] == [0, 1]
    assert table.ids() == {1, 2, BUCKET_WIDTH + 1}


def test_of_two_first_commits_exactly_one_lands(table: Table) -> None:
    empty = table.open()
    one, other = table.part(1), table.part(2)
    table.commit(empty, one, name="a", fence=1)

    with pytest.raises(CommitConflict, match="acme/tickets: another commit came first"):
        table.commit(empty, other, name="b", fence=2)

    assert table.ids() == {1}
    assert table.open().folded == {one.key}


@pytest.mark.parametrize("second", [[1], [2], [BUCKET_WIDTH * 3]], ids=["same record", "same bucket", "only adds"])
@pytest.mark.parametrize("fences", [(1, 2), (2, 1), (1, 1)])
def test_of_two_commits_from_one_snapshot_exactly_one_lands(
    table: Table, second: list[int], fences: tuple[int, int]
) -> None:
    snapshot = table.commit(table.open(), table.part(1))
    first, late = table.part(BUCKET_WIDTH * 2), table.part(*second, summary="late")
    table.commit(snapshot, first, name="a", fence=fences[0])
    before = table.open()

    with pytest.raises(CommitConflict):
        table.commit(snapshot, late, name="b", fence=fences[1])

    assert table.open() == before
    assert late.key not in before.folded
    # Read again, fold again: nothing is lost.
    table.commit(before, late, name="c", fence=3)
    assert table.ids() == {1, BUCKET_WIDTH * 2, *second}


def test_a_rebuild_from_a_stale_snapshot_does_not_land(table: Table) -> None:
    first = table.part(1)
    snapshot = table.commit(table.open(), first)
    later = table.part(2)
    table.commit(snapshot, later, name="a")

    with pytest.raises(CommitConflict):
        table.commit(replace(snapshot, files=()), first, name="b", fence=2, is_rebuild=True)

    assert table.ids() == {1, 2}


def test_of_many_that_commit_at_once_exactly_one_lands(tmp_path: Path) -> None:
    table = Table(LocalLake(tmp_path / "lake"))
    snapshot = table.commit(table.open(), table.part(1))
    parts = [table.part(BUCKET_WIDTH * number) for number in range(2, 8)]
    folded = [table.folded(snapshot, part, name=f"t{number}") for number, part in enumerate(parts)]

    def commit(number: int) -> bool:
        keys = snapshot.folded | {parts[number].key}
        try:
            table.store.commit(snapshot, folded[number], folded=frozenset(keys), fence=number + 1, is_rebuild=False)
        except CommitConflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        landed = list(pool.map(commit, range(6)))

    assert sum(landed) == 1
    assert table.ids() == {1, BUCKET_WIDTH * (landed.index(True) + 2)}


def test_files_of_a_fold_that_did_not_commit_are_invisible(table: Table) -> None:
    snapshot = table.commit(table.open(), table.part(1))

    table.folded(snapshot, table.part(2), name="died")

    written = [info.key for info in table.lake.list("acme/canonical/tickets/") if "died" in info.key]
    assert len(written) == 1
    assert table.open() == snapshot
    assert table.ids() == {1}


def test_a_manifest_without_its_commit_is_never_looked_at(table: Table) -> None:
    snapshot = table.commit(table.open(), table.part(1))
    manifests = FoldManifests(table.lake, "acme/canonical/tickets/")
    manifests.write(Manifest(mapping_digest="x", folded=frozenset({"never"})), after=snapshot.fold_number, fence=1)

    assert table.open() == snapshot
    part = table.part(2)
    assert table.commit(snapshot, part, name="b").folded == snapshot.folded | {part.key}


# ------------------------------------------------------------------------------------------ unknown outcome


class _Unanswered(DeltaCanonicalStore):
    """A store whose commit raises after, or before, it reached the log."""

    def __init__(self, table: Table, *, lands: bool) -> None:
        super().__init__(table.lake, table.clock)
        self._lands = lands

    def _commit(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - whatever the store passes
        if self._lands:
            super()._commit(*arguments, **named)
        raise DeltaError("the connection was reset")


def test_a_commit_that_landed_without_an_answer_is_found(table: Table) -> None:
    snapshot = table.commit(table.open(), table.part(1))
    part = table.part(2)
    table.store = _Unanswered(table, lands=True)

    after = table.commit(snapshot, part, name="b")

    assert part.key in after.folded
    assert table.ids() == {1, 2}


def test_a_commit_of_unknown_outcome_is_told_as_that_and_deletes_nothing(table: Table) -> None:
    snapshot = table.commit(table.open(), table.part(1))
    part = table.part(2)
    table.store = _Unanswered(table, lands=False)

    with pytest.raises(CommitOutcomeUnknown, match="did not answer"):
        table.commit(snapshot, part, name="b")

    assert any("part-b" in info.key for info in table.lake.list("acme/canonical/tickets/"))
    assert table.ids() == {1}


# ------------------------------------------------------------------------------------------------ manifests


def test_a_chain_of_many_parts_reads_back_whole(table: Table) -> None:
    manifests = FoldManifests(table.lake, "acme/canonical/tickets/")
    folded: frozenset[str] = frozenset()
    number, base = 0, None
    sizes = []
    for commit in range(40):
        folded |= {f"part-{commit}-{place}" for place in range(17)}
        number = manifests.write(Manifest(mapping_digest="d", folded=folded, base=base), after=number, fence=1)
        found = manifests.read(number)
        assert found.folded == folded
        base = found.base
        sizes.append(table.lake.list("acme/canonical/tickets/_avesa/folds/")[-1].size_bytes)

    assert len(folded) == 680
    # A commit writes what is new since the last whole manifest, not all that there ever was.
    assert min(sizes[20:]) < max(sizes[20:]) / 3


def test_a_manifest_larger_than_a_link_of_the_chain_is_whole(table: Table) -> None:
    manifests = FoldManifests(table.lake, "acme/canonical/tickets/")
    folded = frozenset(f"part-{place}" for place in range(1_000))

    number = manifests.write(Manifest(mapping_digest="d", folded=folded), after=0, fence=1)

    assert manifests.read(number) == Manifest(mapping_digest="d", folded=folded, base=number)


def test_a_forgotten_part_makes_the_manifest_whole_again(table: Table) -> None:
    """A rebuild may know fewer parts than the base does."""
    manifests = FoldManifests(table.lake, "acme/canonical/tickets/")
    first = manifests.write(Manifest(mapping_digest="d", folded=frozenset("abc")), after=0, fence=1)

    second = manifests.write(Manifest(mapping_digest="d", folded=frozenset("ab"), base=first), after=first, fence=1)

    assert manifests.read(second).folded == frozenset("ab")


@pytest.mark.parametrize("damage", [None, b"{", b"\xff"])
def test_a_missing_or_damaged_manifest_says_how_to_mend_it(table: Table, damage: bytes | None) -> None:
    table.commit(table.open(), table.part(1))
    (info,) = table.lake.list("acme/canonical/tickets/_avesa/folds/")
    if damage is None:
        table.lake.delete([info.key])
    else:
        table.lake.put(info.key, damage, overwrite=True)

    with pytest.raises(StorageError, match="avesa rebuild"):
        table.open()


def test_a_damaged_log_says_how_to_mend_it(tmp_path: Path) -> None:
    table = Table(LocalLake(tmp_path / "lake"))
    table.commit(table.open(), table.part(1))
    for log in (tmp_path / "lake/acme/canonical/tickets/_delta_log").glob("*.json"):
        log.write_bytes(b"{broken")

    with pytest.raises(StorageError, match="log cannot be read"):
        table.open()


# --------------------------------------------------------------------------------------------------- folding


def test_rows_of_negative_ids_lie_in_their_own_buckets(table: Table) -> None:
    part = table.part(-1, -BUCKET_WIDTH, 0, 5)

    assert table.store.touched([part]) == {-1: 2, 0: 2}
    table.commit(table.open(), part)
    assert table.ids() == {-1, -BUCKET_WIDTH, 0, 5}


def test_a_fold_that_changes_nothing_writes_nothing(table: Table) -> None:
    part = table.part(1, 2)
    snapshot = table.commit(table.open(), part)

    (again,) = table.folded(snapshot, part, name="again")

    assert (again.added, again.replaced, again.versions_opened) == ((), (), 0)
    assert again.records == 2


def test_only_the_buckets_that_a_batch_touches_are_replaced(table: Table) -> None:
    snapshot = table.commit(table.open(), table.part(1, BUCKET_WIDTH, 2 * BUCKET_WIDTH))
    kept = {file.path for file in snapshot.files if file.bucket != 1}

    after = table.commit(snapshot, table.part(BUCKET_WIDTH, summary="y"), name="b")

    assert kept < {file.path for file in after.files}
    assert len(after.files) == 3


def test_readers_that_began_before_a_commit_end_on_what_they_began_with(tmp_path: Path) -> None:
    table = Table(LocalLake(tmp_path / "lake"))
    snapshot = table.commit(table.open(), table.part(1))
    uri = str(tmp_path / "lake/acme/canonical/tickets")
    before = DeltaTable(uri)

    table.commit(snapshot, table.part(1, summary="y"), name="b")

    assert before.to_pyarrow_table().column("summary").to_pylist() == ["x"]
    assert DeltaTable(uri).to_pyarrow_table().num_rows == 2
