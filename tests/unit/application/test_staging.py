"""A fold or a verification whose time is up is called again, does nothing twice, and comes to the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from avesa.application.payloads import TableEnd, TableWork, from_json, to_json
from avesa.application.staging import TimeIsUp
from avesa.application.steps.verify import verify_for_run
from avesa.domain.errors import StorageError
from avesa.domain.model import Status, TableResult
from avesa.domain.names import staged_prefix
from tests.unit.application.world import TICKETS, World

if TYPE_CHECKING:
    from avesa.ports.tables import FoldedGroup, FoldGroup
    from avesa.ports.upkeep import ComparedGroup

STAGED = staged_prefix("acme", "connectwise", TICKETS)
SMALL_GROUPS = {"fold_rows": 1, "fold_buckets": 1}


class Folds:
    """Counts what is folded, and lets a later fold fail."""

    def __init__(self, world: World, *, fails_at: int = 0) -> None:
        self.buckets: list[tuple[int, ...]] = []
        self.compared: list[tuple[int, ...]] = []
        self._canonical, self._fails_at = world.context.canonical, fails_at
        self._fold = world.context.canonical.fold
        assert world.context.upkeep is not None
        self._audit = world.context.upkeep.tables
        self._compare = self._audit.compare
        world.context.canonical.fold = self.fold  # type: ignore[method-assign]
        self._audit.compare = self.compare  # type: ignore[method-assign]

    def fold(self, group: FoldGroup) -> FoldedGroup:
        if len(self.buckets) + 1 == self._fails_at:
            self._fails_at = 0
            raise StorageError("the disk is full")
        self.buckets.append(group.buckets)
        return self._fold(group)

    def compare(self, group: FoldGroup) -> ComparedGroup:
        self.compared.append(group.buckets)
        return self._compare(group)


def wide_world(**bounds: Any) -> World:  # noqa: ANN401 - the fields of Bounds
    """Records in more than one bucket, so that there is more than one group to fold."""
    world = World(sizes={TICKETS: 9_000})
    world.with_bounds(**bounds)
    return world


def read_work(world: World, **request: object) -> TableWork:
    """Do everything up to the fold."""
    started = world.application.run_step("orchestrate_pipeline", request)
    tenant: Any = started["tenants"]
    table: Any = world.application.run_step("process_tenant", tenant[0])["tables"]
    work: Any = world.application.run_step("process_table", table[0])
    for chunk in work["chunk_ids"]:
        while not world.application.run_step("process_chunk", {"work": work, "chunk_id": chunk})["is_done"]:
            pass
    return from_json(TableWork, world.application.run_step("reconcile_table", work))


def fold_calls(world: World, work: TableWork) -> list[TableResult]:
    """Call the step as a state machine does, until it is done."""
    answers: list[TableResult] = []
    while not answers or answers[-1].status is Status.PROCESSING:
        answers.append(from_json(TableResult, world.application.run_step("transform_canonical", to_json(work))))
    return answers


def staged(world: World) -> list[str]:
    return [info.key for info in world.lake.list(STAGED)]


def version(world: World) -> int | None:
    from avesa.application.catalog import load_catalog

    mapping = load_catalog(world.lake).canonical["tickets"]
    return world.context.canonical.open("acme", "connectwise", mapping).version


def test_a_fold_that_takes_many_calls_folds_each_group_once_and_commits_once() -> None:
    world = wide_world(step_budget_seconds=0.0, **SMALL_GROUPS)
    folds = Folds(world)
    work = read_work(world)

    answers = fold_calls(world, work)

    assert len(answers) == len(folds.buckets) > 2
    assert len(set(folds.buckets)) == len(folds.buckets)
    assert version(world) == 1  # made, and one commit
    assert (answers[-1].status, answers[-1].versions_opened) == (Status.COMPLETED, 9_000)
    assert world.current_ids() == world.truth()
    assert staged(world) == []


def test_until_the_last_call_no_reader_sees_anything_of_the_fold() -> None:
    world = wide_world(step_budget_seconds=0.0, **SMALL_GROUPS)
    work = read_work(world)

    first = from_json(TableResult, world.application.run_step("transform_canonical", to_json(work)))

    assert first.status is Status.PROCESSING
    assert version(world) is None
    assert len(staged(world)) == 1


def test_a_fold_within_its_time_leaves_nothing_behind_and_writes_nothing_more() -> None:
    world = wide_world(**SMALL_GROUPS)
    put, keys = world.lake.put, []

    def noting(key: str, data: bytes, *, overwrite: bool = False) -> None:
        keys.append(key)
        put(key, data, overwrite=overwrite)

    world.lake.put = noting  # type: ignore[method-assign]
    world.run()

    assert not [key for key in keys if key.startswith(STAGED)]


def test_what_was_staged_for_other_parts_is_not_taken_up() -> None:
    world = wide_world(step_budget_seconds=0.0, **SMALL_GROUPS)
    folds = Folds(world)
    work = read_work(world)
    world.application.run_step("transform_canonical", to_json(work))
    begun = list(folds.buckets)
    (gone,) = [
        part
        for part in world.context.raw.list("acme", "connectwise", TICKETS)
        if part.min_id == min(other.min_id for other in world.context.raw.list("acme", "connectwise", TICKETS))
    ]
    world.lake.delete([gone.key])

    fold_calls(world, work)

    assert folds.buckets.count(begun[0]) == 2


def test_a_damaged_note_is_no_note() -> None:
    world = wide_world(step_budget_seconds=0.0, **SMALL_GROUPS)
    work = read_work(world)
    world.application.run_step("transform_canonical", to_json(work))
    world.lake.put(staged(world)[0], b"{", overwrite=True)

    fold_calls(world, work)

    assert world.current_ids() == world.truth()


def test_a_fold_that_fails_in_a_later_call_fails_the_table_and_the_next_run_folds_all() -> None:
    world = wide_world(step_budget_seconds=0.0, **SMALL_GROUPS)
    Folds(world, fails_at=2)

    failed = world.table(world.run())
    left = staged(world)
    mended = world.table(world.run())

    assert (failed["status"], failed["error"]) == ("failed", "the disk is full")
    assert len(left) == 1
    assert mended["status"] == "completed"
    assert world.current_ids() == world.truth()
    world.run(maintain=True)
    assert staged(world) == []


def test_a_state_machine_that_gives_up_between_two_calls_ends_in_a_failure() -> None:
    """Its document then holds the word of the last call that answered, beside the error of the one that did not."""
    world = wide_world(step_budget_seconds=0.0, **SMALL_GROUPS)
    work = read_work(world)
    answer = world.application.run_step("transform_canonical", to_json(work))
    end = to_json(TableEnd(task=work.task, work=work)) | {
        "result": answer,
        "error": {"Error": "Lambda.Unknown", "Cause": "it was killed"},
    }

    result = from_json(TableResult, world.application.run_step("finish_table", end))

    assert (result.status, result.error) == (Status.FAILED, "it was killed")


def test_a_verification_that_takes_many_calls_reads_each_part_once_and_finds_the_same() -> None:
    world = wide_world(**SMALL_GROUPS)
    world.run()
    world.with_bounds(step_budget_seconds=0.0)
    folds = Folds(world)
    assert world.context.upkeep is not None
    reader, read = world.context.upkeep.raw, []
    once = reader.read
    reader.read = lambda part: (read.append(part.key), once(part))[1]  # type: ignore[method-assign,func-returns-value]
    work = replace(read_work(world, verify=True), plan=None)
    calls = 0

    while True:
        calls += 1
        try:
            result = verify_for_run(world.context, work)
        except TimeIsUp:
            continue
        break

    assert result.status is Status.COMPLETED
    assert len(read) == len(set(read)) > 2
    assert len(folds.compared) == len(set(folds.compared)) > 2
    assert calls == len(read) + len(folds.compared) - 1
    assert staged(world) == []


def test_a_verification_over_many_calls_still_names_what_an_early_call_found() -> None:
    world = wide_world(**SMALL_GROUPS)
    world.run()
    first = min(world.context.raw.list("acme", "connectwise", TICKETS), key=lambda part: part.key)
    world.lake.put(first.key, b"not Parquet", overwrite=True)
    world.with_bounds(step_budget_seconds=0.0)

    result = world.table(world.run(verify=True))

    assert result["status"] == "failed"
    assert first.key in result["error"]
    assert "raw_unreadable" in result["error"]


@pytest.mark.parametrize("rows", [1, 16_384])
def test_time_that_is_up_after_the_last_unit_changes_nothing(rows: int) -> None:
    world = wide_world(step_budget_seconds=0.0, fold_rows=rows, fold_buckets=1_000_000)
    work = read_work(world)

    answers = fold_calls(world, work)

    assert answers[-1].status is Status.COMPLETED
    assert (len(answers) == 1) == (rows == 16_384)
