"""Maintaining a table: the same rows in fewer files, by an operator or by the first run of a day; raw stays whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from avesa.adapters.machine.clock import SystemClock
from avesa.application.catalog import load_catalog
from avesa.application.maintain import TableMaintenance, maintain_tables, report
from avesa.application.payloads import from_json
from avesa.domain.errors import CommitConflict, StorageError, UsageError
from avesa.domain.model import Holder
from avesa.simulator.site import Changes
from tests.unit.application.world import NOW, TICKETS, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.domain.model import Lease
    from avesa.ports.tables import TableSnapshot

TABLE = "acme/canonical/tickets/"
RETENTION = timedelta(days=7)


@pytest.fixture
def world() -> World:
    """A table that was loaded, and changed once; a Delta log tells the machine's time, so the clock is set to it."""
    made = World(sizes={TICKETS: 60})
    made.run()
    made.site.company("acme").apply(TICKETS, Changes(edits=8), at=NOW + timedelta(seconds=30))
    made.clock.advance(60)
    made.run()
    made.clock.set(SystemClock().now())
    return made


def after_the_retention(world: World) -> None:
    world.clock.set(SystemClock().now() + RETENTION + timedelta(days=1))


def maintained(world: World, **task: Any) -> TableMaintenance:  # noqa: ANN401 - JSON
    payload = {"tenant_id": "acme", "service": "connectwise", "table_name": TICKETS, **task}
    return from_json(TableMaintenance, world.application.run_step("maintain_table", payload))


def table(world: World) -> TableSnapshot:
    return world.context.canonical.open("acme", "connectwise", load_catalog(world.lake).canonical["tickets"])


def keys(world: World, prefix: str) -> set[str]:
    return {info.key for info in world.lake.list(prefix)}


def data_files(world: World) -> set[str]:
    return {key for key in keys(world, TABLE) if key.endswith(".parquet") and "/_delta_log/" not in key}


def is_sound(world: World) -> bool:
    payload = {"tenant_id": "acme", "service": "connectwise", "table_name": TICKETS}
    return bool(world.application.run_step("verify_table", payload)["is_sound"])


def test_what_no_version_of_the_retention_needs_goes_and_raw_stays(world: World) -> None:
    raw, before = keys(world, "acme/raw/"), data_files(world)
    after_the_retention(world)

    done = maintained(world)

    assert data_files(world) == {TABLE + file.path for file in table(world).files} < before
    assert done.files_deleted == len(before) - len(data_files(world))
    assert done.bytes_freed > 0
    assert keys(world, "acme/raw/") == raw
    assert is_sound(world)


def test_the_table_is_committed_again_before_anything_is_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Else a fold that slept through the retention could commit files that are gone.
    after_the_retention(world)
    before, delete = table(world).version, world.lake.delete
    deleted_at: list[int | None] = []

    def deleting(keys: Sequence[str]) -> None:
        deleted_at.append(table(world).version)
        delete(keys)

    monkeypatch.setattr(world.lake, "delete", deleting)

    maintained(world)

    assert before is not None
    assert deleted_at == [before + 1]


def test_what_was_replaced_within_the_retention_stays(world: World) -> None:
    before = data_files(world)

    done = maintained(world)

    assert data_files(world) == before
    assert (done.files_deleted, done.oldest_kept) == (0, 0)


def test_a_shorter_retention_may_be_asked_for(world: World) -> None:
    world.clock.advance(timedelta(days=2).total_seconds())

    usual, shorter = maintained(world), maintained(world, retention_days=1)

    assert (usual.files_deleted, shorter.files_deleted) == (0, 1)


def test_files_and_manifests_of_a_fold_that_died_go_after_the_retention(world: World) -> None:
    folds = sorted(keys(world, f"{TABLE}_avesa/folds/"))
    world.lake.put(f"{TABLE}id_bucket=24/part-dead-f1.parquet", b"half a fold")
    world.lake.put(f"{TABLE}_avesa/folds/{1:020d}.json", b"{}")
    after_the_retention(world)

    done = maintained(world)

    assert f"{TABLE}id_bucket=24/part-dead-f1.parquet" not in data_files(world)
    assert sorted(keys(world, f"{TABLE}_avesa/folds/")) == folds
    assert (done.files_deleted, done.manifests_deleted) == (2, 1)
    assert is_sound(world)


def test_a_dry_run_says_the_same_and_does_nothing(world: World) -> None:
    after_the_retention(world)
    before = keys(world, "acme/")

    told = maintained(world, is_dry_run=True)

    assert keys(world, "acme/") == before
    done = maintained(world)
    assert (told.files_deleted, told.bytes_freed) == (done.files_deleted, done.bytes_freed)
    assert told.files_deleted > 0


def test_a_table_that_a_run_holds_is_skipped_and_says_so(world: World) -> None:
    after_the_retention(world)
    before = data_files(world)
    hold(world)

    done = maintained(world)

    assert done.skipped is not None
    assert "other-job" in done.skipped
    assert data_files(world) == before


def hold(world: World) -> Lease:
    return world.context.tables.acquire(
        "acme",
        TICKETS,
        holder=Holder(job_id="other-job", host="elsewhere", process="1"),
        now=world.clock.now(),
        ttl_seconds=600,
        is_gone=lambda _: False,
    )


def test_after_a_maintenance_runs_go_on_as_before(world: World) -> None:
    after_the_retention(world)
    maintained(world)
    world.site.company("acme").apply(TICKETS, Changes(edits=5, inserts=2), at=world.clock.now())

    result = world.run()

    assert world.table(result)["status"] == "completed"
    assert world.current_ids() == world.truth()
    assert is_sound(world)


def test_a_death_before_the_deletion_leaves_a_whole_table_and_the_next_maintenance_ends_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_the_retention(world)
    before = data_files(world)

    def fail(_: Sequence[str]) -> None:
        raise StorageError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(world.lake, "delete", fail)
        with pytest.raises(StorageError, match="the disk is gone"):
            maintained(world)

    assert data_files(world) == before
    assert maintained(world).files_deleted == 1
    assert is_sound(world)


class Died(BaseException):
    """Stands for the end of a process."""


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", ["settle", "discard", "shorten_log"])
def test_a_death_at_any_write_leaves_the_same_rows_and_the_next_maintenance_ends_it(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, *, is_done: bool
) -> None:
    assert world.context.upkeep is not None
    maintainer = world.context.upkeep.maintainer
    write = getattr(maintainer, method)
    monkeypatch.setattr("avesa.application.maintain._LOG_ENTRIES_WORTH_A_CHECKPOINT", 1)
    after_the_retention(world)

    def die(*given: Any) -> None:  # noqa: ANN401 - whatever the method takes
        if is_done:
            write(*given)
        raise Died

    def die_named(*given: Any, token: str) -> None:  # noqa: ANN401 - as above
        if is_done:
            write(*given, token=token)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(maintainer, method, die_named if method == "settle" else die)
        with pytest.raises(Died):
            maintained(world)

    assert is_sound(world)
    maintained(world)
    assert data_files(world) == {TABLE + file.path for file in table(world).files}
    assert is_sound(world)


def test_many_commits_are_summed_up_and_fewer_are_not(world: World) -> None:
    few = maintained(world).log_entries_summed
    for number in range(20):
        world.site.company("acme").apply(TICKETS, Changes(edits=1), at=world.clock.now() + timedelta(seconds=number))
        world.clock.advance(30)
        world.run()

    done = maintained(world)

    assert few == 0
    assert done.log_entries_summed >= 20
    assert f"{TABLE}_delta_log/_last_checkpoint" in keys(world, TABLE)
    assert world.current_ids() == world.truth()


def test_a_request_for_maintenance_is_a_run_that_asks_the_source_nothing(world: World) -> None:
    after_the_retention(world)
    before = data_files(world)

    result = world.run(maintain=True)

    assert world.table(result)["status"] == "completed"
    assert data_files(world) < before
    assert world.transport.sent == []


@pytest.mark.parametrize("other", ["rebuild", "full_sync", "detect_deletes"])
def test_maintenance_is_not_asked_for_together_with_work_on_records(world: World, other: str) -> None:
    with pytest.raises(UsageError, match="maintain reads nothing"):
        world.run(maintain=True, **{other: True})


def test_the_first_run_of_a_day_maintains_and_the_next_one_does_not(world: World) -> None:
    after_the_retention(world)

    world.run()
    first = world.events.named("table_maintained")
    world.run()

    assert [fields["files_deleted"] for fields in first] == [1]
    assert world.events.named("table_maintained") == first
    assert is_sound(world)


@pytest.mark.parametrize("error", [StorageError("no listing"), CommitConflict("another commit")])
def test_a_run_is_whole_whatever_comes_of_its_maintenance(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    after_the_retention(world)
    assert world.context.upkeep is not None

    def fail(snapshot: TableSnapshot, *, keep_since: datetime) -> None:
        raise error

    monkeypatch.setattr(world.context.upkeep.maintainer, "survey", fail)

    result = world.run()

    assert world.table(result)["status"] == "completed"
    assert [fields["reason"] for fields in world.events.named("maintenance_failed")] == [str(error)]


def test_a_package_without_table_engines_maintains_nothing_by_itself(world: World) -> None:
    after_the_retention(world)
    world.context = replace(world.context, upkeep=None)
    world.application = type(world.application)(world.context)

    result = world.run()

    assert world.table(result)["status"] == "completed"


def test_every_table_of_every_tenant_is_told() -> None:
    world = World("acme", "bolt", sizes={TICKETS: 5})
    world.run()

    done = list(
        maintain_tables(
            world.context,
            world.application.run_step,
            tenant_id=None,
            table_name="tickets",
            retention_days=None,
            is_dry_run=True,
        )
    )

    assert [(item.tenant_id, item.canonical_table) for item in done] == [("acme", "tickets"), ("bolt", "tickets")]
    assert report(done, is_dry_run=True)["is_dry_run"] is True


def test_a_table_without_a_mapping_cannot_be_maintained() -> None:
    world = World(sizes={TICKETS: 5}, edit=lambda settings: settings["endpoints"][TICKETS].update(canonical_table=None))

    with pytest.raises(UsageError, match="has no canonical table"):
        world.application.run_step(
            "maintain_table", {"tenant_id": "acme", "service": "connectwise", "table_name": TICKETS}
        )
