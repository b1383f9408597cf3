"""What random histories found, each as the shortest story that goes wrong without its remedy."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from avesa.application.pipeline import Application
from avesa.domain.errors import CommitOutcomeUnknown, StorageError
from avesa.domain.model import RawRecord
from avesa.ports.tables import PartName
from avesa.simulator.site import Changes
from tests.unit.application.world import NOW, TICKETS, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.ports.source import HttpRequest, HttpResponse
    from avesa.ports.tables import CanonicalStore, FoldedGroup, FoldGroup


class Once:
    """A canonical store whose first commit goes wrong: before it lands, or after."""

    def __init__(self, store: CanonicalStore, error: Exception, *, lands: bool) -> None:
        self._store, self._error, self._lands, self.is_over = store, error, lands, False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the other methods, as they are
        return getattr(self._store, name)

    def commit(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the port has it
        if self.is_over:
            return self._store.commit(*args, **kwargs)
        self.is_over = True
        if self._lands:
            self._store.commit(*args, **kwargs)
        raise self._error


def with_first_commit(world: World, error: Exception, *, lands: bool = False) -> None:
    store: Any = Once(world.context.canonical, error, lands=lands)
    world.context = replace(world.context, canonical=store)
    world.application = Application(world.context)


def raw_times(world: World) -> list[Any]:
    parts = world.context.raw.list("acme", "connectwise", TICKETS)
    with world.lake.local_copies([part.key for part in parts]) as paths:
        return [
            at for path in paths for at in pq.ParquetFile(path).read(["ingested_at"]).column(0).unique().to_pylist()
        ]


def test_a_page_counts_as_seen_when_it_was_asked_for() -> None:
    # A worker that stands still with an answer in its hands would make it look newer than a deletion found meanwhile.
    world = World()
    asked_at = []

    def slowly(request: HttpRequest) -> HttpResponse:
        if "/count" not in request.url and "fields=" not in request.url:
            asked_at.append(world.clock.now())
        world.transport.before = None
        answer = world.transport.send(request)
        world.transport.before = slowly
        world.clock.advance(3600)
        return answer

    world.transport.before = slowly
    world.run()

    assert set(raw_times(world)) <= set(asked_at)


def test_a_part_that_lands_while_a_fold_is_under_way_is_folded_by_the_next() -> None:
    # A worker that has lost its lease may still write; what it wrote is in no row yet, so no commit may say it is.
    world = World()
    late, canonical = 999_999, world.context.canonical
    fold = canonical.fold

    def folding(group: FoldGroup) -> FoldedGroup:
        canonical.fold = fold  # type: ignore[method-assign]
        payload = json.dumps({"id": late, "summary": "late", "_info": {"lastUpdated": "2025-01-01T00:00:00Z"}}).encode()
        name = PartName(
            tenant_id="acme",
            service="connectwise",
            endpoint=TICKETS,
            job_id="lost",
            chunk_id="lost/1",
            fence=0,
            page=1,
        )
        world.context.raw.write(name, [RawRecord(late, None, payload)], ingested_at=world.clock.now())
        return fold(group)

    canonical.fold = folding  # type: ignore[method-assign]
    world.run()
    assert late not in world.current_ids()

    world.run()

    assert late in world.current_ids()


def test_a_sweep_finds_what_died_before_its_commit_and_is_gone() -> None:
    world = World()
    world.run()
    (new,) = world.site.company("acme").apply(TICKETS, Changes(inserts=1)).inserted
    with_first_commit(world, StorageError("the disk is full"))
    world.run()
    world.site.company("acme").delete(TICKETS, new)

    result = world.run(detect_deletes=True)

    assert result["status"] == "completed"
    assert world.current_ids() == world.truth()


def test_a_record_that_is_back_before_its_deletion_was_committed_stays() -> None:
    world = World()
    world.run()
    company = world.site.company("acme")
    gone = company.table(TICKETS).snapshot.ids[7]
    company.delete(TICKETS, gone)
    with_first_commit(world, StorageError("the disk is full"))
    world.run(detect_deletes=True)
    company.restore(TICKETS, gone)

    result = world.run(detect_deletes=True)

    assert result["status"] == "completed"
    assert world.current_ids() == world.truth()


def test_a_sweep_after_a_whole_read_sees_that_as_many_came_as_went() -> None:
    world = World()
    with_first_commit(world, StorageError("the disk is full"))
    world.run()
    world.clock.advance(7200)
    world.site.company("acme").apply(TICKETS, Changes(inserts=3, deletes=3))

    result = world.run(detect_deletes=True)

    assert result["status"] == "completed"
    assert world.current_ids() == world.truth()


def test_a_run_that_goes_on_with_an_old_plan_also_reads_what_changed_since() -> None:
    world = World()
    with_first_commit(world, StorageError("the disk is full"))
    world.run()
    world.clock.advance(7200)
    changed = world.site.company("acme").apply(TICKETS, Changes(edits=4, inserts=3))

    result = world.run()

    assert result["status"] == "completed"
    assert world.current_ids() >= set(changed.inserted)
    assert world.table(result)["records_extracted"] == 300 + 4 + 3


def test_a_plan_that_fails_again_and_again_gathers_no_catch_ups_that_nobody_read() -> None:
    world = World()
    with_first_commit(world, StorageError("the disk is full"))
    world.run()

    def refused(_: HttpRequest) -> HttpResponse:
        from avesa.ports.source import HttpResponse

        return HttpResponse(status=403, headers={}, body=b"{}")

    unheard: Callable[[HttpRequest], HttpResponse] = refused
    world.transport.before = unheard
    for _ in range(4):
        world.run()
    plan = world.state.tables.get("acme", TICKETS).plan

    assert plan is not None
    assert len(world.state.chunks.list("acme", TICKETS, plan.job_id)) == plan.chunk_count <= 3


def test_a_commit_that_landed_without_an_answer_tells_what_it_changed() -> None:
    world = World()
    with_first_commit(world, CommitOutcomeUnknown("no answer"), lands=True)

    table = world.table(world.run())

    assert (table["status"], table["versions_opened"]) == ("completed", 300)
    state = world.state.tables.get("acme", TICKETS)
    assert state.bookmark_at is not None
    assert state.bookmark_at - NOW < timedelta(seconds=5)
