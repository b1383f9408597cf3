"""Verifying a table: every kind of damage is found, what is sound is called sound, and nothing is written."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from avesa.application.payloads import from_json
from avesa.application.verify import TableCheck, report, verify_lake
from avesa.domain.errors import ConfigError, UsageError
from avesa.domain.model import Holder, RawRecord
from avesa.ports.tables import PartName
from avesa.simulator.site import Changes
from tests.unit.application.world import NOW, TICKETS, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.domain.model import Lease

RAW = "acme/raw/connectwise/service/tickets/"
TABLE = "acme/canonical/tickets/"


@pytest.fixture
def world() -> World:
    """A table with history and a deletion."""
    made = World(sizes={TICKETS: 60})
    made.run()
    company = made.site.company("acme")
    company.apply(TICKETS, Changes(edits=8, touches=3, deletes=2), at=NOW + timedelta(seconds=30))
    made.clock.advance(60)
    made.run(detect_deletes=True)
    return made


def verified(world: World) -> TableCheck:
    payload = {"tenant_id": "acme", "service": "connectwise", "table_name": TICKETS}
    return from_json(TableCheck, world.application.run_step("verify_table", payload))


def kinds(world: World) -> list[str]:
    return [problem.kind for problem in verified(world).problems]


def data_files(world: World) -> list[str]:
    mapping = _mapping(world)
    return [TABLE + file.path for file in world.context.canonical.open("acme", "connectwise", mapping).files]


def _mapping(world: World) -> Any:  # noqa: ANN401 - a CanonicalMapping
    from avesa.application.catalog import load_catalog

    return load_catalog(world.lake).canonical["tickets"]


def rewrite(world: World, key: str, edit: Callable[[pa.Table], pa.Table]) -> None:
    """Change an object behind everybody's back."""
    table = edit(pq.read_table(io.BytesIO(world.lake.get(key))))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    world.lake.put(key, sink.getvalue(), overwrite=True)


def edited(table: pa.Table, name: str, row: int, *, value: object) -> pa.Table:
    values = table[name].to_pylist()
    values[row] = value
    return table.set_column(table.column_names.index(name), name, pa.array(values, table.schema.field(name).type))


def lease(world: World) -> Lease:
    return world.context.tables.acquire(
        "acme",
        TICKETS,
        holder=Holder(job_id="somebody"),
        now=world.clock.now(),
        ttl_seconds=60,
        is_gone=lambda _: False,
    )


def test_a_sound_table_is_sound_and_counted(world: World) -> None:
    found = verified(world)

    assert found.problems == ()
    assert found.is_sound
    assert (found.raw_parts, found.current_rows) == (3, 58)
    assert found.raw_records > 60
    assert found.rows == found.current_rows + 8 + 2


def test_verifying_writes_nothing(world: World) -> None:
    before = {info.key: world.lake.get(info.key) for info in world.lake.list("acme/")}
    state = world.context.tables.get("acme", TICKETS)

    verified(world)

    assert {info.key: world.lake.get(info.key) for info in world.lake.list("acme/")} == before
    assert world.context.tables.get("acme", TICKETS) == state


def test_groups_that_hold_few_rows_find_the_same() -> None:
    world = World()
    world.run()
    world.with_bounds(fold_rows=1, fold_buckets=1)

    found = verified(world)

    assert found.is_sound
    assert found.rows == 300


def test_a_damaged_part_is_named_and_the_rest_still_judged(world: World) -> None:
    key = world.lake.list(RAW)[-1].key
    world.lake.put(key, b"PAR1 no more PAR1", overwrite=True)

    found = verified(world)

    assert [problem.kind for problem in found.problems] == ["raw_unreadable"]
    assert key in found.problems[0].detail
    assert "avesa run --tenant-id acme --table-name service/tickets --full-sync" in found.problems[0].repair


def test_a_part_that_does_not_hold_what_its_name_tells_is_named(world: World) -> None:
    key = world.lake.list(RAW)[0].key
    rewrite(world, key, lambda table: table.slice(1))

    assert "raw_unreadable" in kinds(world)


def test_a_part_that_is_gone_is_missed(world: World) -> None:
    key = next(info.key for info in world.lake.list(RAW) if "deletions" not in info.key)
    world.lake.delete([key])

    found = verified(world)

    assert [problem.kind for problem in found.problems] == ["raw_missing", "rows_differ"]
    assert key in found.problems[0].detail


def test_a_part_that_no_commit_has_is_found_when_nobody_is_writing(world: World) -> None:
    _write_part(world)

    assert kinds(world) == ["raw_unfolded"]


def test_a_part_that_came_before_the_bookmark_moved_shows_that_the_bookmark_is_ahead(world: World) -> None:
    state = world.context.tables.get("acme", TICKETS)
    assert state.last_success_at is not None
    _write_part(world, at=state.last_success_at - timedelta(seconds=1))

    assert kinds(world) == ["raw_unfolded", "bookmark_ahead"]


def test_a_bookmark_without_a_table_is_ahead(world: World) -> None:
    world.lake.delete([info.key for info in world.lake.list(TABLE)])

    assert kinds(world) == ["raw_unfolded", "bookmark_ahead"]


def test_what_a_run_is_writing_is_its_own_business(world: World) -> None:
    _write_part(world)
    world.lake.put(f"{TABLE}id_bucket=24/part-not-yet.parquet", b"of a fold under way")
    held = lease(world)

    found = verified(world)

    assert found.is_sound
    assert found.is_being_written
    world.context.tables.release(held)
    assert kinds(world) == ["raw_unfolded", "stray_files"]


def test_the_lease_of_the_dead_excuses_nothing(world: World) -> None:
    _write_part(world)
    lease(world)
    world.clock.advance(61)

    assert kinds(world) == ["raw_unfolded"]


@pytest.mark.parametrize("column", ["summary", "tenant_id", "record_hash", "budget_hours"])
def test_a_value_that_differs_from_a_fresh_fold_is_found(world: World, column: str) -> None:
    value = 17.25 if column == "budget_hours" else "changed by hand"
    rewrite(world, data_files(world)[0], lambda table: edited(table, column, 3, value=value))

    found = verified(world)

    assert [problem.kind for problem in found.problems] == ["rows_differ"]
    assert "rows of 1 records" in found.problems[0].detail
    assert found.problems[0].repair == "avesa rebuild --tenant-id acme --table-name service/tickets"
    world.run(rebuild=True)
    assert verified(world).is_sound


def test_a_row_that_is_gone_and_one_that_is_there_twice_are_found(world: World) -> None:
    key = data_files(world)[0]
    rewrite(world, key, lambda table: table.slice(1))
    assert kinds(world) == ["rows_differ"]

    rewrite(world, key, lambda table: pa.concat_tables([table, table.slice(0, 1)]))

    assert "history_broken" in kinds(world)


def test_two_current_rows_and_a_gap_are_found_by_the_rows_alone(world: World) -> None:
    key = data_files(world)[0]
    table = pq.read_table(io.BytesIO(world.lake.get(key)))
    closed = pc.indices_nonzero(pc.and_(pc.invert(table["is_current"]), pc.invert(table["is_deleted"]))).to_pylist()[0]
    rewrite(
        world, key, lambda rows: edited(edited(rows, "is_current", closed, value=True), "valid_to", closed, value=None)
    )

    found = verified(world)

    assert [problem.kind for problem in found.problems] == ["rows_differ", "history_broken"]
    assert "more than one row is current" in found.problems[1].detail


def test_a_file_of_the_table_that_is_gone_is_found(world: World) -> None:
    world.lake.delete(data_files(world))

    assert kinds(world) == ["table_unreadable"]


def test_a_data_file_without_a_commit_is_found_and_files_of_old_versions_are_not(world: World) -> None:
    world.lake.put(f"{TABLE}id_bucket=24/part-of-a-dead-process.parquet", b"nobody's")

    found = verified(world)

    assert [problem.kind for problem in found.problems] == ["stray_files"]
    assert "part-of-a-dead-process" in found.problems[0].detail
    assert "1 data files" in found.problems[0].detail


def test_a_manifest_that_cannot_be_read_is_found(world: World) -> None:
    newest = world.lake.list(f"{TABLE}_avesa/folds/")[-1].key
    world.lake.put(newest, b"{", overwrite=True)

    assert kinds(world) == ["table_unreadable"]


def test_another_mapping_asks_for_a_rebuild(world: World) -> None:
    key = "mappings/canonical/tickets.json"
    world.lake.put(key, world.lake.get(key).replace(b'"name": "summary"', b'"name": "headline"', 1), overwrite=True)

    assert kinds(world) == ["mapping_changed"]


def test_quarantine_is_counted_and_is_no_problem() -> None:
    world = World(sizes={TICKETS: 60})
    ids = sorted(world.truth())
    world.site.company("acme").put_body(TICKETS, ids[7], b'{"summary":"no id"}')
    world.run()

    found = verified(world)

    assert (found.is_sound, found.quarantined) == (True, 1)


def test_a_quarantine_object_that_is_damaged_is_found(world: World) -> None:
    world.lake.put("acme/quarantine/connectwise/service/tickets/x-f1-p00001.jsonl", b"{]\n")

    assert kinds(world) == ["quarantine_unreadable"]


def test_a_lake_is_verified_table_by_table_and_reported_as_one() -> None:
    world = World("acme", "bolt", only=None, sizes={TICKETS: 5})
    world.run()
    world.lake.delete([world.lake.list("bolt/raw/connectwise/service/tickets/")[0].key])

    checks = list(verify_lake(world.context, world.application.run_step, tenant_id=None, table_name=None))

    told = report(checks)
    assert told["is_sound"] is False
    assert {(check.tenant_id, check.table_name) for check in checks if not check.is_sound} == {("bolt", TICKETS)}
    assert len(checks) == 8


@pytest.mark.parametrize("asked", [{"tenant_id": "nobody"}, {"table_name": "nothing"}])
def test_what_there_is_not_is_refused(world: World, asked: dict[str, str]) -> None:
    wanted: dict[str, Any] = {"tenant_id": None, "table_name": None, **asked}

    with pytest.raises(UsageError, match="unknown"):
        list(verify_lake(world.context, world.application.run_step, **wanted))


def test_a_package_without_table_engines_says_so(world: World) -> None:
    context = replace(world.context, upkeep=None)

    with pytest.raises(ConfigError, match="canonical-transform"):
        type(world.application)(context).run_step(
            "verify_table", {"tenant_id": "acme", "service": "connectwise", "table_name": TICKETS}
        )


def _write_part(world: World, **given: Any) -> None:  # noqa: ANN401 - the time
    name = PartName(
        tenant_id="acme",
        service="connectwise",
        endpoint=TICKETS,
        job_id="j",
        chunk_id="j/service/tickets/1",
        fence=9,
        page=1,
    )
    at = given.get("at", world.clock.now())
    world.context.raw.write(name, [RawRecord(100_001, at, b'{"id":100001}')], ingested_at=at)


def test_a_verification_that_runs_as_a_job_fails_the_table_with_each_problem_and_its_repair() -> None:
    world = World()
    world.run()
    sound = world.table(world.run(verify=True))
    _write_part(world, at=world.clock.now())

    found = world.table(world.run(verify=True))

    assert (sound["status"], sound["error"]) == ("completed", None)
    assert found["status"] == "failed"
    assert "raw_unfolded: 1 raw parts are in no commit yet" in found["error"]
    assert "to mend it: avesa run" in found["error"]
    assert world.state.tables.get("acme", TICKETS).lease is None
