"""What is told of runs and of their absence: freshness, measures of a table's end, and whether people should hear."""

from __future__ import annotations

from typing import Any

from avesa.application.mattering import reasons_of
from avesa.application.setup import enable_service
from avesa.bootstrap.prices import load_prices
from avesa.domain.model import Status, TableResult, TenantResult
from avesa.ports.source import HttpRequest, HttpResponse
from tests.unit.application.world import TICKETS, World

HOUR = 3600


def told(world: World, event: str) -> list[dict[str, Any]]:
    return [dict(fields) for name, fields in world.events.events if name == event]


def refused(request: HttpRequest) -> HttpResponse | None:
    return HttpResponse(status=403, headers={}, body=b"{}") if TICKETS in request.url else None


# ---------------------------------------------------------------------------------------------- freshness


def test_data_that_grows_old_is_told_although_nothing_runs() -> None:
    world = World("acme", "birch")
    world.run()
    world.clock.advance(4 * HOUR)
    world.run(tenant_id="birch")

    answer = world.application.run_step("check_freshness", {})

    (checked,) = told(world, "freshness_checked")
    (stale,) = told(world, "table_stale")
    assert (checked["stale"], checked["tenants"]) == (1, 2)
    assert checked["age_seconds"] >= 4 * HOUR
    assert (stale["tenant_id"], stale["target_seconds"]) == ("acme", 3 * HOUR)
    assert answer["tables"] == [
        {"table_name": TICKETS, "tenants": 2, "age_seconds": checked["age_seconds"], "stale": 1}
    ]


def test_a_table_that_no_tenant_has_is_told_of_as_fresh_and_paused_tenants_do_not_count() -> None:
    world = World()
    enable_service(world.context, tenant_id="acme", service="connectwise", is_enabled=False)
    world.clock.advance(99 * HOUR)

    world.application.run_step("check_freshness", {})

    (checked,) = told(world, "freshness_checked")
    assert (checked["table"], checked["age_seconds"], checked["stale"]) == (TICKETS, 0, 0)


# ------------------------------------------------------------------------------------------ a table's end


def test_a_tables_end_tells_what_it_took_and_what_that_costs_on_aws() -> None:
    from dataclasses import replace

    from avesa.application.pipeline import Application

    world = World()
    world.application = Application(replace(world.context, prices=load_prices()))

    world.run()

    (ended,) = told(world, "table_finished")
    assert ended["requests"] == len(world.transport.sent)
    assert 0 < ended["dollars"] < 0.01
    assert ended["seconds"] >= 0


def test_events_of_a_tables_steps_carry_its_table_and_those_of_a_run_do_not() -> None:
    world = World()
    failures = [503]

    def fail_once(request: HttpRequest) -> HttpResponse | None:
        return HttpResponse(status=failures.pop(), headers={}, body=b"") if failures and request.url else None

    world.transport.before = fail_once
    world.run(table_name="tickets")

    (retried,) = told(world, "request_retried")
    assert (retried["table"], retried["throttled"]) == (TICKETS, 0)
    assert "table" not in told(world, "job_started")[0]


# ------------------------------------------------------------------------------------- who should hear


def test_a_run_with_a_refused_table_matters_and_says_why() -> None:
    world = World()
    world.transport.before = refused

    world.run()

    (matters,) = told(world, "run_matters")
    assert len(matters["reasons"]) == 1
    assert matters["reasons"][0].startswith(f"acme {TICKETS}: ")
    assert "403" in matters["reasons"][0]


def test_a_run_that_completed_or_only_skipped_matters_to_nobody() -> None:
    skipped = TableResult(table_name=TICKETS, canonical_table="tickets", status=Status.SKIPPED, error="held by job-1")
    world = World()
    world.run()

    assert told(world, "run_matters") == []
    assert reasons_of([TenantResult(tenant_id="acme", status=Status.PARTIAL_SUCCESS, tables=(skipped,))]) == []


def test_a_tenant_that_failed_without_tables_is_told_in_its_own_words_and_a_long_list_is_cut() -> None:
    many = [TenantResult(tenant_id=f"t{number}", status=Status.FAILED, error="401") for number in range(25)]
    brief = [TenantResult(tenant_id="acme", status=Status.FAILED)]

    assert reasons_of(many)[0] == "t0: 401"
    assert reasons_of(many)[-1] == "and 5 more"
    assert "avesa status --tenant-id acme" in reasons_of(brief)[0]
