"""Whole runs in memory: what completes, what fails alone, what is resumed, and where the bookmark stands afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from avesa.application.context import Bounds
from avesa.application.setup import enable_service
from avesa.application.workflow import run_pipeline
from avesa.domain.errors import (
    AvesaError,
    CommitConflict,
    CommitOutcomeUnknown,
    SourceError,
    TenantPermanentError,
    UsageError,
)
from avesa.domain.model import Holder
from avesa.simulator.site import Changes, FaultKind, Rule
from tests.unit.application.world import NOW, SMALL, TICKETS, World

if TYPE_CHECKING:
    from avesa.ports.source import HttpRequest, HttpResponse

COUNT = f"{TICKETS}/count"
WIDE = SMALL | {TICKETS: 2_500}


def bookmark(world: World, table: str = TICKETS, tenant: str = "acme") -> Any:  # noqa: ANN401 - a time or None
    return world.state.tables.get(tenant, table).bookmark_at


def company(world: World) -> Any:  # noqa: ANN401 - the simulator's own type
    return world.site.company("acme")


# ------------------------------------------------------------------------------------------- completeness


def test_a_first_run_loads_everything_and_shows_both_counts() -> None:
    world = World()

    found = world.table(world.run())

    assert (found["status"], found["records_extracted"], found["versions_opened"]) == ("completed", 300, 300)
    assert found["reconciled"] == {"source": 300, "lake": 300}
    assert world.current_ids() == world.truth()


def test_a_record_that_a_page_lost_is_fetched_by_its_id() -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.MISSING_RECORD, path=TICKETS, times=1, skip=1))

    found = world.table(world.run())

    assert (found["status"], found["reconciled"]) == ("completed", {"source": 300, "lake": 300})
    assert world.current_ids() == world.truth()
    assert [told["found"] for told in world.events.named("records_repaired")] == [1]


def test_an_empty_answer_to_an_increment_is_not_believed_when_the_count_disagrees() -> None:
    world = World()
    world.run()
    applied = company(world).apply(TICKETS, Changes(edits=5, inserts=2))
    world.site.faults.add(Rule(kind=FaultKind.EMPTY_LIST, path=TICKETS, times=1))

    found = world.table(world.run())

    assert (found["status"], found["versions_opened"]) == ("completed", 7)
    assert found["reconciled"] == {"source": 7, "lake": 7}
    assert set(applied.inserted) <= world.current_ids()


def test_a_server_that_caps_its_pages_loses_nothing() -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.CAPPED_PAGE, path=TICKETS, limit=33))

    assert world.table(world.run())["status"] == "completed"
    assert world.current_ids() == world.truth()


def test_a_wrong_count_that_passes_does_not_fail_the_table() -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.WRONG_COUNT, path=COUNT, delta=3, skip=1, times=1))

    assert world.table(world.run())["reconciled"] == {"source": 300, "lake": 300}


@pytest.mark.parametrize("delta", [-3, 3])
def test_a_count_that_stays_wrong_is_no_success_and_the_bookmark_stays(delta: int) -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.WRONG_COUNT, path=COUNT, delta=delta, skip=1))

    found = world.table(world.run())

    assert found["status"] == "failed"
    assert f"the source counts {300 + delta} records and lists 300, of which 300 are durable" in found["error"]
    assert bookmark(world) is None

    world.site.faults.clear()
    assert world.table(world.run())["status"] == "completed"


def test_live_edits_during_an_increment_lose_nothing() -> None:
    world = World()
    world.run()
    company(world).apply(TICKETS, Changes(edits=150))
    left = iter(range(12))

    def edit(_: object) -> None:
        if next(left, None) is not None:
            company(world).apply(TICKETS, Changes(edits=9, inserts=1, deletes=1), at=world.clock.now())

    world.site.on_request = edit
    found = world.table(world.run())
    world.site.on_request = None

    assert found["status"] == "completed"
    world.clock.advance(1200)
    world.run(detect_deletes=True)
    assert world.current_ids() == world.truth()


def test_a_record_that_nobody_can_read_is_in_quarantine_and_does_not_fail_the_table() -> None:
    world = World()
    ids = sorted(world.truth())
    company(world).put_body(TICKETS, ids[7], b'{"id":123456789012345678901234567890,"summary":"planted"}')
    company(world).put_body(TICKETS, ids[99], b'{"summary":"planted, and last of its page"}')
    company(world).put_body(TICKETS, ids[150], b"5")

    found = world.table(world.run())

    assert (found["status"], found["quarantined"], found["records_extracted"]) == ("completed", 3, 297)
    assert found["reconciled"] == {"source": 300, "lake": 297}
    assert world.current_ids() == world.truth() - {ids[7], ids[99], ids[150]}
    lines = [
        json.loads(line)
        for info in world.lake.list("acme/quarantine/connectwise/service/tickets/")
        for line in world.lake.get(info.key).splitlines()
    ]
    assert sorted(line["reason"] for line in lines) == [
        "the record has no integer id",
        "the record is not a JSON object",
        "the record's id does not fit 64 bits",
    ]


def test_unreadable_records_do_not_hide_a_lost_one() -> None:
    world = World()
    ids = sorted(world.truth())
    company(world).put_body(TICKETS, ids[120], b'{"summary":"no id"}')
    world.site.faults.add(Rule(kind=FaultKind.MISSING_RECORD, path=TICKETS, times=1))

    found = world.table(world.run())

    assert found["status"] == "completed"
    assert world.current_ids() == world.truth() - {ids[120]}


def test_a_page_on_which_nothing_can_be_read_is_passed_by() -> None:
    world = World()
    ids = sorted(world.truth())
    for record_id in ids[100:205]:
        company(world).put_body(TICKETS, record_id, b'{"summary":"no id"}')

    found = world.table(world.run())

    assert (found["status"], found["quarantined"]) == ("completed", 105)
    assert world.current_ids() == set(ids[:100] + ids[205:])


# ------------------------------------------------------------------------------------------------- sweeps


def test_a_sweep_closes_what_is_gone_and_nothing_else() -> None:
    world = World()
    world.run()
    applied = company(world).apply(TICKETS, Changes(deletes=4, moves_to_project=2))

    found = world.table(world.run(detect_deletes=True))

    assert (found["status"], found["versions_closed"]) == ("completed", 6)
    assert world.current_ids() == world.truth()
    assert not world.current_ids() & {*applied.deleted, *applied.moved}


def test_a_run_without_a_sweep_closes_nothing() -> None:
    world = World()
    world.run()
    company(world).apply(TICKETS, Changes(deletes=4))

    assert world.table(world.run())["versions_closed"] == 0
    assert len(world.current_ids()) == 300


def test_a_listing_that_lacks_records_closes_none_of_them() -> None:
    world = World()
    world.run()
    world.site.faults.add(Rule(kind=FaultKind.MISSING_RECORD, path=TICKETS, times=4, skip=1))

    found = world.table(world.run(detect_deletes=True))

    assert (found["status"], found["versions_closed"]) == ("completed", 0)
    assert world.current_ids() == world.truth()


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_the_guard_holds_back_a_sweep_that_would_close_too_much(share: float) -> None:
    world = World()
    world.run()
    company(world).apply(TICKETS, Changes(deletes=int(300 * share)))

    found = world.table(world.run(detect_deletes=True))

    assert found["status"] == "failed"
    assert f"{int(300 * share)} of 300 current records are missing" in found["error"]
    assert "--allow-mass-delete" in found["error"]
    assert len(world.current_ids()) == 300


def test_what_has_just_come_does_not_make_little_of_what_goes() -> None:
    world = World()
    world.run()
    company(world).apply(TICKETS, Changes(deletes=300))
    company(world).apply(TICKETS, Changes(inserts=3000))

    found = world.table(world.run(detect_deletes=True))

    assert found["status"] == "failed"
    assert "300 of 300 current records are missing" in found["error"]


def test_the_guard_can_be_overridden_for_one_run() -> None:
    world = World()
    world.run()
    company(world).apply(TICKETS, Changes(deletes=100))

    found = world.table(world.run(detect_deletes=True, allow_mass_delete=True))

    assert (found["status"], found["versions_closed"]) == ("completed", 100)
    assert world.current_ids() == world.truth()


def test_a_role_that_hides_rows_looks_like_deletes_and_the_guard_refuses() -> None:
    world = World()
    world.run()
    for record_id in sorted(world.truth())[:290]:
        company(world).delete(TICKETS, record_id)

    assert "look at the rights of the API member" in world.table(world.run(detect_deletes=True))["error"]


def test_a_sweep_finds_what_no_increment_brought() -> None:
    world = World()
    world.run()
    record = company(world).records(TICKETS)[min(world.truth())]
    company(world).put(TICKETS, record | {"id": 999_999})  # restored from a backup: its time is long past

    assert 999_999 not in world.current_ids() or world.table(world.run())
    world.run(detect_deletes=True)

    assert 999_999 in world.current_ids()


def test_a_sweep_over_all_tables_leaves_a_table_without_rows_alone() -> None:
    def enable(endpoints: dict[str, Any]) -> None:
        endpoints["endpoints"]["finance/invoices"]["enabled"] = True

    world = World(only=None, edit=enable)

    assert world.run(detect_deletes=True)["status"] == "completed"
    asked_by_name = world.run(table_name="finance/invoices", detect_deletes=True)
    assert "deletions need a canonical table" in world.table(asked_by_name, "finance/invoices")["error"]


# ------------------------------------------------------------------------------------------ bookmark, clock


def test_the_bookmark_is_the_sources_clock_when_the_read_began() -> None:
    world = World()
    object.__setattr__(world.site.behaviour, "clock_skew_seconds", 600.0)
    began = world.clock.now() + timedelta(seconds=1)
    world.site.on_request = lambda _: world.clock.advance(5)

    world.run()

    assert began <= bookmark(world) - timedelta(seconds=600) <= began + timedelta(seconds=5)


@pytest.mark.parametrize("skew_seconds", [-600.0, 600.0])
def test_a_source_clock_ten_minutes_off_loses_nothing(skew_seconds: float) -> None:
    world = World()
    object.__setattr__(world.site.behaviour, "clock_skew_seconds", skew_seconds)
    world.run()
    for _ in range(3):
        world.clock.advance(60)
        # Records are stamped by the source's own clock.
        company(world).apply(TICKETS, Changes(edits=10, inserts=3), at=world.site.now())
        world.clock.advance(60)
        assert world.table(world.run())["status"] == "completed"

    assert world.current_ids() == world.truth()
    parts = world.context.raw.list("acme", "connectwise", TICKETS)
    assert world.context.raw.ids(parts) == world.truth()


def test_records_dated_far_in_the_future_do_not_move_the_bookmark() -> None:
    world = World()
    company(world).edit(TICKETS, min(world.truth()), {"summary": "x"}, at=NOW + timedelta(days=27_000))
    world.run()
    company(world).apply(TICKETS, Changes(inserts=3))

    world.run()

    assert bookmark(world) < world.clock.now() + timedelta(minutes=1)
    assert world.current_ids() == world.truth()


def test_a_commit_that_becomes_visible_late_is_covered_by_the_overlap() -> None:
    world = World()
    at = world.clock.now()
    world.run()
    company(world).apply(TICKETS, Changes(inserts=3), at=at - timedelta(seconds=20))

    world.run()

    assert world.current_ids() == world.truth()


def test_many_records_of_one_second_all_come() -> None:
    world = World()
    world.run()
    company(world).apply(TICKETS, Changes(edits=250))

    assert world.table(world.run())["versions_opened"] == 250


def test_a_failed_table_keeps_its_bookmark() -> None:
    world = World()
    world.run()
    before = bookmark(world)
    company(world).apply(TICKETS, Changes(edits=5))
    world.site.faults.add(Rule(kind=FaultKind.SERVER_ERROR, path=TICKETS))

    assert world.table(world.run())["status"] == "failed"
    assert bookmark(world) == before

    world.site.faults.clear()
    assert world.table(world.run())["versions_opened"] == 5


def test_a_backfill_leaves_the_bookmark() -> None:
    world = World()
    world.run()
    before = bookmark(world)

    found = world.table(world.run(since="2024-01-01T00:00:00Z", until="2024-03-01T00:00:00Z"))

    assert found["status"] == "completed"
    assert found["records_extracted"] > 0
    assert bookmark(world) == before


def test_an_endpoint_without_a_filter_is_read_once_by_a_backfill() -> None:
    def whole(endpoints: dict[str, Any]) -> None:
        endpoints["endpoints"][TICKETS]["incremental_field"] = None

    world = World(edit=whole)

    found = world.table(world.run(since="2024-01-01T00:00:00Z", until="2025-01-01T00:00:00Z"))

    assert (found["status"], found["records_extracted"]) == ("completed", 300)


@pytest.mark.parametrize("fault", [FaultKind.IGNORED_FILTER, FaultKind.EMPTY_LIST])
def test_a_filter_that_is_ignored_is_found_out_at_set_up_and_the_table_read_whole(fault: FaultKind) -> None:
    world = World()
    if fault is FaultKind.IGNORED_FILTER:
        world.site.faults.add(Rule(kind=fault))
    else:
        world.site.faults.add(Rule(kind=FaultKind.WRONG_COUNT, path=COUNT, delta=-10_000, skip=1, times=1))

    result = world.register("acme")
    world.site.faults.clear()

    assert result.tenant.untrusted_filters == (TICKETS,)
    world.run()
    company(world).apply(TICKETS, Changes(silent=4))
    assert world.table(world.run())["versions_corrected"] == 4


# ------------------------------------------------------------------------------------------------- resuming


def test_a_failed_chunk_goes_on_after_its_last_durable_page() -> None:
    world = World(sizes=WIDE)
    world.site.faults.add(Rule(kind=FaultKind.SERVER_ERROR, path=TICKETS, skip=14))
    assert world.table(world.run())["status"] == "failed"
    (job,) = world.state.jobs.list(limit=1)
    durable = sum(chunk.pages for chunk in world.state.chunks.list("acme", TICKETS, job.job_id))
    world.site.faults.clear()

    found = world.table(world.run())

    # The read that is gone on with is compared id by id: those pages hold ids alone.
    asked = len([url for url in world.asked(f"{TICKETS}?") if "fields=" not in url])
    pages = sum(chunk.pages for chunk in world.state.chunks.list("acme", TICKETS, job.job_id))
    assert (found["status"], found["records_extracted"]) == ("completed", 2_500)
    assert durable > 5
    assert durable + asked == pages
    assert world.current_ids() == world.truth()


def test_what_was_deleted_and_added_between_two_attempts_is_neither_lost_nor_kept() -> None:
    world = World(sizes=WIDE)
    world.site.faults.add(Rule(kind=FaultKind.SERVER_ERROR, path=TICKETS, skip=2 + 12))
    world.run()
    world.site.faults.clear()
    company(world).apply(TICKETS, Changes(deletes=20, inserts=20, edits=50))

    assert world.table(world.run())["status"] == "completed"
    world.run(detect_deletes=True)

    assert world.current_ids() == world.truth()


def test_a_chunk_whose_time_is_up_is_called_again_until_it_is_done() -> None:
    world = World()
    world.with_bounds(step_budget_seconds=0.0)

    assert world.table(world.run())["records_extracted"] == 300


def test_a_run_that_is_asked_to_stop_says_so_and_the_next_goes_on() -> None:
    world = World(sizes=WIDE)

    def stop(_: object) -> None:
        world.stopping = len(world.asked("service/tickets?")) > 6

    world.site.on_request = stop
    found = world.table(world.run())
    world.site.on_request, world.stopping = None, False

    assert found["status"] == "failed"
    assert "asked to stop" in found["error"]
    assert world.table(world.run())["status"] == "completed"
    assert world.current_ids() == world.truth()


def test_a_transform_that_is_called_again_under_its_lease_folds_the_same_rows() -> None:
    world = World()
    started = world.application.run_step("orchestrate_pipeline", {})
    tenant: Any = started["tenants"]
    table: Any = world.application.run_step("process_tenant", tenant[0])["tables"]
    work = world.application.run_step("process_table", table[0])
    for chunk in work["chunk_ids"]:  # type: ignore[attr-defined]
        world.application.run_step("process_chunk", {"work": work, "chunk_id": chunk})
    work = world.application.run_step("reconcile_table", work)
    commit = world.context.canonical.commit
    world.context.canonical.commit = _dying  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        world.application.run_step("transform_canonical", work)
    world.context.canonical.commit = commit  # type: ignore[method-assign]
    assert world.current_ids() == set()

    world.application.run_step("transform_canonical", work)

    assert world.current_ids() == world.truth()


def _dying(*_: object, **__: object) -> Any:  # noqa: ANN401 - stands in for a commit
    raise ZeroDivisionError


# ------------------------------------------------------------------------------------------- who fails alone


def test_one_tenants_401_leaves_the_others_completed() -> None:
    world = World("acme", "other")
    world.site.faults.add(Rule(kind=FaultKind.UNAUTHORIZED, company="acme"))

    result = world.run()

    assert result["status"] == "partial_success"
    assert [item["status"] for item in result["tenants"]] == ["failed", "completed"]
    assert "renew the API key" in world.table(result)["error"]


def test_one_tables_403_leaves_the_others_completed() -> None:
    world = World(only=None)
    world.site.faults.add(Rule(kind=FaultKind.FORBIDDEN, path="company/contacts*"))

    result = world.run()

    states = {item["table_name"]: item["status"] for item in result["tenants"][0]["tables"]}
    assert result["status"] == "partial_success"
    assert states == {
        "company/companies": "completed",
        "company/contacts": "failed",
        "service/tickets": "completed",
        "time/entries": "completed",
    }


def test_a_tenant_without_credentials_fails_alone() -> None:
    world = World("acme", "other")
    world.secrets.delete("acme/connectwise-local")

    result = world.run()

    assert result["status"] == "partial_success"
    assert "run `avesa setup-service --tenant-id acme" in result["tenants"][0]["error"]


def test_an_unforeseen_fault_fails_its_table_and_leaves_its_place_in_the_events() -> None:
    world = World("acme", "other")

    def broken(request: HttpRequest) -> HttpResponse | None:
        if "lastUpdated" not in request.url and request.headers:
            raise ZeroDivisionError("planted")
        return None

    world.transport.before = broken
    result = world.run(tenant_id="acme")

    assert "unforeseen ZeroDivisionError" in world.table(result)["error"]
    (told,) = world.events.named("unforeseen_error")
    assert told["kind"] == "ZeroDivisionError"


def test_tables_go_in_the_order_of_their_priority() -> None:
    world = World(only=None)

    result = world.run()

    assert [item["table_name"] for item in result["tenants"][0]["tables"]] == [
        "company/companies",
        "company/contacts",
        "service/tickets",
        "time/entries",
    ]


# --------------------------------------------------------------------------------------------------- leases


def hold(world: World, job: str) -> Any:  # noqa: ANN401 - a lease
    return world.state.tables.acquire(
        "acme",
        TICKETS,
        holder=Holder(job_id=job),
        now=world.clock.now(),
        ttl_seconds=60.0,
        is_gone=world.liveness.is_gone,
    )


def test_a_table_that_another_run_holds_is_skipped_with_the_holders_job_and_age() -> None:
    world = World("acme", "other")
    hold(world, "job-of-another")
    world.clock.advance(20)

    result = world.run()

    found = world.table(result)
    assert found["status"] == "skipped"
    assert "job-of-another has held the table for 21 s" in found["error"]
    assert [item["status"] for item in result["tenants"]] == ["partial_success", "completed"]
    assert result["status"] == "partial_success"


def test_a_run_may_wait_for_the_other_to_end() -> None:
    world = World()
    lease = hold(world, "job-of-another")
    world.site.faults.clear()
    sleep = world.clock.sleep

    def released_meanwhile(seconds: float) -> None:
        sleep(seconds)
        world.state.tables.release(lease)

    world.clock.sleep = released_meanwhile  # type: ignore[method-assign]

    assert world.table(world.run(wait_seconds=30.0))["status"] == "completed"
    assert world.clock.slept == [2.0]


def test_waiting_ends_after_the_time_asked_for() -> None:
    world = World()
    hold(world, "job-of-another")

    assert world.table(world.run(wait_seconds=5.0))["status"] == "skipped"
    assert sum(world.clock.slept) == 5.0


def test_the_lease_of_a_dead_holder_is_taken_over_at_once() -> None:
    world = World()
    hold(world, "job-of-the-dead")
    world.liveness.gone.add("job-of-the-dead")

    assert world.table(world.run())["status"] == "completed"


def test_a_lease_that_expired_is_taken_over() -> None:
    world = World()
    hold(world, "job-of-another")
    world.clock.advance(60)

    assert world.table(world.run())["status"] == "completed"


def test_a_run_that_lost_its_table_writes_nothing_more() -> None:
    world = World()
    asked = iter(range(100))

    def take_over(_: object) -> None:
        if next(asked) == 3:
            world.liveness.gone |= {job.job_id for job in world.state.jobs.list(limit=10)}
            hold(world, "the-new-holder")

    world.site.on_request = take_over
    found = world.table(world.run())

    assert found["status"] == "failed"
    assert "another run took the table over" in found["error"]
    assert world.current_ids() == set()
    assert bookmark(world) is None
    lease = world.state.tables.get("acme", TICKETS).lease
    assert lease is not None
    assert lease.holder.job_id == "the-new-holder"


# ------------------------------------------------------------------------------------------------- the call


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"tenant_id": "nobody"}, "unknown tenant 'nobody'; registered tenants: acme"),
        ({"tenant_id": "../x"}, "tenant id '../x' is not allowed"),
        (
            {"table_name": "service/unicorns"},
            "unknown table 'service/unicorns'; the enabled tables are",
        ),
        ({"table_name": "time/entries"}, r"table 'time/entries' is disabled; set endpoints\['time/entries'\].enabled"),
        ({"tables": "all"}, "unknown key 'tables' in the run's input"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_stored(request_: dict[str, object], told: str) -> None:
    world = World()

    with pytest.raises(UsageError, match=told):
        world.run(**request_)

    assert world.state.jobs.list(limit=10) == []


def test_a_table_may_be_named_as_it_is_called_in_the_lake() -> None:
    world = World()

    assert world.table(world.run(table_name="tickets"))["status"] == "completed"


def test_a_paused_tenant_is_left_out_and_refused_by_name() -> None:
    world = World("acme", "other")
    enable_service(world.context, tenant_id="acme", service="connectwise", is_enabled=False)

    assert [item["tenant_id"] for item in world.run()["tenants"]] == ["other"]
    with pytest.raises(UsageError, match="tenant 'acme' is paused; resume it with"):
        world.run(tenant_id="acme")

    enable_service(world.context, tenant_id="acme", service="connectwise", is_enabled=True)
    assert len(world.run()["tenants"]) == 2


def test_a_run_without_tenants_says_what_to_do() -> None:
    world = World()
    enable_service(world.context, tenant_id="acme", service="connectwise", is_enabled=False)

    with pytest.raises(UsageError, match="no tenant is enabled, all are paused; resume one with"):
        world.run()


def test_an_unknown_step_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown step 'fly'; steps: orchestrate_pipeline, process_tenant"):
        World().application.run_step("fly", {})


def test_a_step_refuses_input_that_does_not_fit() -> None:
    with pytest.raises(UsageError, match="does not fit TableTask"):
        World().application.run_step("process_table", {"job_id": 5})


def test_the_job_is_on_record_with_what_it_came_to() -> None:
    world = World()
    result = world.run()

    (job,) = world.state.jobs.list(limit=10)
    assert (job.job_id, job.tenant_id, str(job.status)) == (result["job_id"], "ALL", "completed")
    assert job.tenants[0].tables[0].records_extracted == 300


# --------------------------------------------------------------------------------------------------- set-up


def test_wrong_credentials_store_nothing() -> None:
    world = World()
    before = world.secrets.get("acme/connectwise-local"), world.state.tenants.get("acme", "connectwise")

    for tenant in ("acme", "brand-new"):
        with pytest.raises(TenantPermanentError, match="the test of service/tickets failed, nothing was stored"):
            _register(world, tenant, private_key="wrong")

    after = world.secrets.get("acme/connectwise-local"), world.state.tenants.get("acme", "connectwise")
    assert before == after
    assert world.secrets.get("brand-new/connectwise-local") is None
    assert world.state.tenants.get("brand-new", "connectwise") is None


def _register(world: World, tenant: str, **changed: str) -> None:
    from avesa.application.setup import setup_service

    values = world.values("acme") | changed
    setup_service(world.context, tenant_id=tenant, service="connectwise", company_name="Acme", values=values)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"company_id": "nobody"}, TenantPermanentError),
        ({"client_id": "00000000-0000-4000-8000-000000000000"}, TenantPermanentError),
        ({"api_base_url": "http://psa.example"}, UsageError),
        ({"private_key": ""}, UsageError),
    ],
)
def test_set_up_refuses_what_would_fail_every_run(changed: dict[str, str], kind: type[AvesaError]) -> None:
    with pytest.raises(kind):
        _register(World(), "new-one", **changed)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"tenant_id": "all"}, "tenant id 'all'"),
        ({"service": "hubspot"}, "unknown service 'hubspot'; known services: connectwise"),
        ({"company_name": "  "}, "--company-name must not be empty"),
        ({"company_name": "Acme\x1b[31m"}, "holds characters that cannot be printed"),
    ],
)
def test_set_up_refuses_a_wrong_call(arguments: dict[str, str], told: str) -> None:
    from avesa.application.setup import setup_service

    world = World()
    call = {"tenant_id": "new-one", "service": "connectwise", "company_name": "New"} | arguments

    with pytest.raises(UsageError, match=told):
        setup_service(world.context, values=world.values("acme"), **call)


def test_set_up_names_the_table_that_refuses() -> None:
    world = World(only=None)
    world.site.faults.add(Rule(kind=FaultKind.FORBIDDEN, path="time/entries*"))

    with pytest.raises(SourceError, match="the test of time/entries failed, nothing was stored"):
        _register(world, "new-one")


def test_set_up_again_replaces_the_credentials_and_keeps_the_tenants_age_and_pause() -> None:
    world = World()
    enable_service(world.context, tenant_id="acme", service="connectwise", is_enabled=False)
    world.clock.advance(60)

    again = world.register("acme")

    assert not again.is_new
    assert not again.tenant.is_enabled
    assert again.tenant.created_at == NOW
    assert again.tenant.updated_at == NOW + timedelta(seconds=60)


def test_two_runs_one_after_the_other_share_nothing_but_the_lake() -> None:
    world = World()
    first = run_pipeline(world.application, {"job_id": "one"})
    second = run_pipeline(world.application, {"job_id": "two"})

    assert (first["job_id"], second["job_id"]) == ("one", "two")
    assert world.table(second)["versions_opened"] == 0


@pytest.mark.parametrize("kind", [CommitConflict, CommitOutcomeUnknown])
@pytest.mark.parametrize(("times", "status"), [(2, "completed"), (3, "failed")])
def test_a_commit_that_did_not_land_is_folded_again_from_what_is_there_now(
    kind: type[AvesaError], times: int, status: str
) -> None:
    world = World()
    commit = world.context.canonical.commit
    left = iter(range(times))

    def refused(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the step passes
        if next(left, None) is not None:
            raise kind("another writer")
        return commit(*arguments, **named)

    world.context.canonical.commit = refused  # type: ignore[method-assign]

    assert world.table(world.run())["status"] == status
    assert world.current_ids() == (world.truth() if status == "completed" else set())
    assert (bookmark(world) is not None) == (status == "completed")


def test_more_tenants_than_one_run_can_carry_are_told_before_anything_is_stored() -> None:
    world = World("acme", "birch", bounds=Bounds(run_tenants=1))

    with pytest.raises(UsageError, match=r"2 tenants are enabled and one run over all takes no more than 1 here"):
        world.run()

    assert world.state.jobs.list(limit=5) == []
    assert world.run(tenant_id="birch")["status"] == "completed"
