"""The machine's clock is put back between two runs: what is seen later still counts as later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from avesa.application.leasing import acquire
from avesa.domain.errors import StorageError
from avesa.domain.model import Holder
from tests.reliability.test_found_by_histories import with_first_commit
from tests.unit.application.world import TICKETS, World


def put_back(world: World, **by: float) -> None:
    """Put the pipeline's clock back; the source's goes on, as if nothing had happened."""
    ahead = timedelta(**by)
    world.clock.set(world.clock.now() - ahead)
    now = world.clock.now
    world.site.clock = lambda: now() + ahead


def summary_of(world: World, record_id: int) -> Any:  # noqa: ANN401 - a value of a row
    from deltalake import DeltaTable

    from avesa.application.catalog import load_catalog

    mapping = load_catalog(world.lake).canonical["tickets"]
    uri, options = world.lake.table_uri("acme/canonical/tickets/")
    rows = DeltaTable(uri, storage_options=options).to_pyarrow_table().to_pylist()
    assert mapping.table == "tickets"
    return next(row["summary"] for row in rows if row["id"] == str(record_id) and row["is_current"])


@pytest.mark.parametrize("hours", [0.001, 1, 30])
def test_a_silent_change_that_is_read_later_counts_although_the_clock_says_earlier(hours: float) -> None:
    world = World()
    record_id = sorted(world.truth())[5]
    world.run()
    put_back(world, hours=hours)
    world.site.company("acme").edit(TICKETS, record_id, {"summary": "changed in silence"}, silent=True)

    result = world.run(full_sync=True)

    assert world.table(result)["versions_corrected"] == 1
    assert summary_of(world, record_id) == "changed in silence"


def test_a_deletion_that_is_found_later_counts_although_the_clock_says_earlier() -> None:
    world = World()
    world.run()
    put_back(world, hours=3)
    gone = sorted(world.truth())[7]
    world.site.company("acme").delete(TICKETS, gone)

    result = world.run(detect_deletes=True)

    assert world.table(result)["versions_closed"] == 1
    assert world.current_ids() == world.truth()


def test_a_record_that_comes_back_after_a_failed_run_of_a_fast_clock_is_current() -> None:
    world = World()
    world.run()
    gone = sorted(world.truth())[7]
    world.site.company("acme").delete(TICKETS, gone)
    with_first_commit(world, StorageError("the disk is full"))
    world.run(detect_deletes=True)
    put_back(world, hours=3)
    world.site.company("acme").restore(TICKETS, gone)

    world.run(detect_deletes=True)

    assert world.current_ids() == world.truth()


def test_a_lease_of_a_dead_holder_whose_clock_was_ahead_is_followed_by_later_times() -> None:
    world = World()
    ahead = world.clock.now() + timedelta(hours=2)
    world.state.tables.acquire(
        "acme",
        TICKETS,
        holder=Holder(job_id="dead", host="here", process="1"),
        now=ahead,
        ttl_seconds=60,
        is_gone=lambda _: True,
    )
    world.liveness.gone.add("dead")

    world.run()

    state = world.state.tables.get("acme", TICKETS)
    assert state.latest_at is not None
    assert state.latest_at >= ahead


def test_a_holder_whose_clock_is_ahead_is_not_taken_for_gone() -> None:
    world = World()
    world.state.tables.acquire(
        "acme",
        TICKETS,
        holder=Holder(job_id="alive", host="elsewhere", process="1"),
        now=world.clock.now() + timedelta(hours=2),
        ttl_seconds=60,
        is_gone=lambda _: True,
    )

    found = world.table(world.run())

    assert found["status"] == "skipped"
    assert "alive" in found["error"]


def test_a_run_after_the_clock_was_put_back_is_not_taken_over_by_another() -> None:
    world = World()
    world.run()
    put_back(world, hours=3)
    lease = acquire(world.context, "acme", TICKETS, Holder(job_id="alive", host="here", process="1"))
    world.state.tables.renew(lease, now=world.clock.now(), ttl_seconds=60)

    found = world.table(world.run())

    assert found["status"] == "skipped"
    assert "alive" in found["error"]


def test_what_a_dead_run_saw_is_followed_by_later_times_although_a_rebuild_came_in_between() -> None:
    # Found by histories 3739 and 6896: the rebuild's own lease ended in order, and with it went what told the time.
    world = World()
    started: Any = world.application.run_step("orchestrate_pipeline", {"job_id": "dies"})["tenants"]
    table: Any = world.application.run_step("process_tenant", started[0])["tables"]
    work = world.application.run_step("process_table", table[0])
    world.clock.advance(20)
    for chunk in work["chunk_ids"]:  # type: ignore[attr-defined]
        world.application.run_step("process_chunk", {"work": work, "chunk_id": chunk})
    world.liveness.gone.add("dies")
    world.run(rebuild=True)
    put_back(world, hours=30)
    gone = sorted(world.truth())[7]
    world.site.company("acme").delete(TICKETS, gone)

    world.run(detect_deletes=True)

    assert world.current_ids() == world.truth()
