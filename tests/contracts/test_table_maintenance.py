"""What every maintainer of tables does: the same rows, whatever it deletes, and nothing from under a reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avesa.adapters.delta.maintenance import DeltaTableMaintainer
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.machine.clock import SystemClock
from avesa.adapters.memory.maintenance import MemoryTableMaintainer
from avesa.application.folding import fold_groups
from avesa.domain.errors import CommitConflict
from tests.contracts.test_canonical_store import MAPPING, Table, delta_table, memory_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from avesa.ports.lake import Lake
    from avesa.ports.tables import RawPart, TableSnapshot
    from avesa.ports.upkeep import TableMaintainer

LATER = timedelta(days=1)


class Kept(NamedTuple):
    """A table and who maintains it."""

    table: Table
    maintainer: TableMaintainer


def _memory(_: Path) -> Kept:
    table = memory_table(MemoryTableMaintainer)
    assert isinstance(table.store, MemoryTableMaintainer)
    return Kept(table, table.store)


def _delta(folder: Path) -> Kept:
    return _on(LocalLake(folder))


def _on(lake: Lake) -> Kept:
    return Kept(delta_table(lake), DeltaTableMaintainer(lake, SystemClock()))


MAINTAINERS: dict[str, Callable[[Path], Kept]] = {"memory": _memory, "delta": _delta}


@pytest.fixture(params=MAINTAINERS)
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Kept]:
    return lambda: MAINTAINERS[request.param](tmp_path_factory.mktemp("lake"))


@pytest.fixture
def kept(make: Callable[[], Kept]) -> Kept:
    return make()


def now() -> datetime:
    """Return the machine's time: a Delta log and a file system tell no other."""
    return SystemClock().now()


def maintained(kept: Kept, *, keep_since: datetime) -> TableSnapshot:
    snapshot = kept.table.open()
    survey = kept.maintainer.survey(snapshot, keep_since=keep_since)
    settled = kept.maintainer.settle(snapshot, survey, token=f"maintain-{snapshot.version}")
    kept.maintainer.discard(settled, survey)
    kept.maintainer.shorten_log(settled)
    return settled


def beside(table: Table, snapshot: TableSnapshot, part: RawPart) -> TableSnapshot:
    """Commit a part as further files of buckets that have some, as no fold of ours does."""
    groups = fold_groups(
        replace(snapshot, files=()),
        new=[part],
        history=[part],
        touched=table.store.touched([part]),
        token=f"beside-{part.min_id}",
        max_rows=99,
        max_buckets=99,
    )
    done = [table.store.fold(group) for group in groups]
    return table.store.commit(snapshot, done, folded=snapshot.folded | {part.key}, fence=1, is_rebuild=False)


def test_maintaining_leaves_the_rows_and_takes_the_files_that_were_replaced(kept: Kept) -> None:
    table = kept.table
    first = table.commit(table.open(), table.read(1, (1, 0, "A"), (2, 0, "B")))
    second = table.commit(first, table.read(2, (1, 1, "C")))
    before = table.versions()

    settled = maintained(kept, keep_since=now() + LATER)

    assert table.versions() == table.versions(settled) == before
    assert settled.files == second.files
    with pytest.raises((KeyError, FileNotFoundError)):
        table.versions(first)


def test_what_was_replaced_within_the_retention_stays_readable(kept: Kept) -> None:
    table = kept.table
    first = table.commit(table.open(), table.read(1, (1, 0, "A")))
    opened_at = now()
    second = table.commit(first, table.read(2, (1, 1, "B")))
    third = table.commit(second, table.read(3, (1, 2, "C")))
    told = [table.versions(snapshot) for snapshot in (first, second, third)]

    maintained(kept, keep_since=opened_at)

    assert [table.versions(snapshot) for snapshot in (first, second, third)] == told


def test_files_of_a_fold_that_never_landed_go_when_they_are_old(kept: Kept) -> None:
    table = kept.table
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A")))
    begun_at = now() - LATER
    table.folded(snapshot, table.read(2, (1, 1, "B")))

    young = kept.maintainer.survey(snapshot, keep_since=begun_at)
    old = kept.maintainer.survey(snapshot, keep_since=now() + LATER)

    assert young.unneeded == ()
    assert len(old.unneeded) == 1
    assert table.versions() == [(1, "A", 0.0, None, False)]


def test_a_fold_that_began_before_the_maintenance_is_refused_after_it(kept: Kept) -> None:
    table = kept.table
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A")))
    part = table.read(2, (1, 1, "B"))
    late = table.folded(snapshot, part)

    maintained(kept, keep_since=now() + LATER)

    with pytest.raises(CommitConflict):
        table.store.commit(snapshot, late, folded=snapshot.folded | {part.key}, fence=1, is_rebuild=False)
    assert table.versions() == [(1, "A", 0.0, None, False)]


def test_a_maintenance_of_a_table_that_moved_on_is_refused(kept: Kept) -> None:
    table = kept.table
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A")))
    survey = kept.maintainer.survey(snapshot, keep_since=now() + LATER)
    table.commit(snapshot, table.read(2, (1, 1, "B")))

    with pytest.raises(CommitConflict):
        kept.maintainer.settle(snapshot, survey, token="late")

    assert table.versions() == [(1, "A", 0.0, 1.0, False), (1, "B", 1.0, None, False)]


def test_a_bucket_of_several_files_becomes_one_file_of_the_same_rows(kept: Kept) -> None:
    table = kept.table
    snapshot = table.commit(table.open(), table.read(1, (1, 0, "A")))
    split = beside(table, snapshot, table.read(2, (2, 0, "B")))
    before = table.versions()

    settled = maintained(kept, keep_since=now() - LATER)

    assert [len(split.files), len(settled.files)] == [2, 1]
    assert table.versions() == before == [(1, "A", 0.0, None, False), (2, "B", 0.0, None, False)]
    assert table.versions(split) == before


def test_a_survey_changes_nothing(kept: Kept) -> None:
    table = kept.table
    snapshot = beside(table, table.commit(table.open(), table.read(1, (1, 0, "A"))), table.read(2, (2, 0, "B")))

    first = kept.maintainer.survey(snapshot, keep_since=now() + LATER)

    assert kept.maintainer.survey(snapshot, keep_since=now() + LATER) == first
    assert table.open() == snapshot


def test_a_table_never_written_needs_nothing(kept: Kept) -> None:
    survey = kept.maintainer.survey(kept.table.open(), keep_since=now() + LATER)

    assert (survey.split, survey.unneeded, survey.log_entries) == ((), (), 0)


def test_a_summed_up_log_opens_as_the_same_table_and_takes_further_folds(kept: Kept) -> None:
    table = kept.table
    snapshot = table.open()
    for number in range(1, 4):
        snapshot = table.commit(snapshot, table.read(number, (1, number, f"v{number}")))
    before = kept.maintainer.survey(snapshot, keep_since=now()).log_entries

    kept.maintainer.shorten_log(snapshot)

    assert kept.maintainer.survey(snapshot, keep_since=now()).log_entries < before
    assert table.open() == snapshot
    table.commit(snapshot, table.read(9, (1, 9, "v9")))
    assert [version[1] for version in table.versions()] == ["v1", "v2", "v3", "v9"]


def test_every_lake_tells_what_is_old_enough_to_go(lake: Lake) -> None:
    kept = _on(lake)
    table = kept.table
    first = table.commit(table.open(), table.read(1, (1, 0, "A")))
    second = table.commit(first, table.read(2, (1, 1, "B")))
    table.folded(second, table.read(3, (1, 2, "never committed")))
    before = table.versions()

    young = kept.maintainer.survey(second, keep_since=now() - LATER)
    old = kept.maintainer.survey(second, keep_since=now() + LATER)
    settled = maintained(kept, keep_since=now() + LATER)

    assert young.unneeded == ()
    assert len(old.unneeded) == 2
    assert table.versions() == table.versions(settled) == before
    assert kept.maintainer.survey(settled, keep_since=now() + LATER).unneeded == ()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_version_of_the_retention_reads_as_it_was_after_any_maintenances(
    make: Callable[[], Kept], data: st.DataObject
) -> None:
    kept = make()
    table = kept.table
    opened: list[tuple[datetime, TableSnapshot, list[Any]]] = []
    since: list[datetime] = []
    snapshot = table.open()
    for step in range(1, data.draw(st.integers(2, 4), label="commits") + 1):
        key = data.draw(st.integers(1, 3))
        snapshot = table.commit(snapshot, table.read(step, (key, step, f"state {step}")))
        if data.draw(st.booleans(), label="beside"):
            snapshot = beside(table, snapshot, table.read(step, (10 + step, step, "other")))
        opened.append((now(), snapshot, table.versions(snapshot)))
        if data.draw(st.booleans(), label="maintained"):
            since.append(data.draw(st.sampled_from(opened))[0])
            snapshot = maintained(kept, keep_since=since[-1])

    since.append(data.draw(st.sampled_from(opened))[0])
    snapshot = maintained(kept, keep_since=since[-1])

    assert table.versions(snapshot) == opened[-1][2]
    oldest = max(at for at, _, _ in opened if at <= max(since))
    for at, version, rows in opened:
        if at >= oldest:
            assert table.versions(version) == rows
    assert table.open().mapping_digest == MAPPING.digest
