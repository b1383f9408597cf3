"""`avesa plan`: what is foretold is what a run then takes, and what is guessed is said to be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from avesa.application.demand import Read, demand_of
from avesa.application.forecast import forecast_run
from avesa.application.forecasts import compared, keep, total_of
from avesa.application.rates import Rates, rates_of
from avesa.bootstrap.prices import load_prices, parse_prices
from avesa.connectors.settings import Limits
from avesa.domain.errors import ConfigError, TablePermanentError, UsageError
from avesa.domain.model import ReadMode, Status, TableRun, TableState, Usage
from avesa.domain.names import forecasts_prefix
from tests.unit.application.world import NOW, TICKETS, World

if TYPE_CHECKING:
    from avesa.application.forecast import TableForecast
    from avesa.ports.source import HttpRequest, HttpResponse


def foretold(world: World, **request: object) -> TableForecast:
    (table,) = forecast_run(world.context, request, load_prices())
    return table


def state_after(*runs: TableRun) -> TableState:
    return TableState(tenant_id="acme", table_name=TICKETS, bookmark_at=NOW, runs=runs)


def a_run(mode: ReadMode, *, records: int, seconds: float, requests: int, chunks: int = 1) -> TableRun:
    return TableRun(
        job_id="j",
        mode=mode,
        status=Status.COMPLETED,
        started_at=NOW,
        seconds=seconds,
        records=records,
        chunks=chunks,
        usage=Usage(requests=requests, answered_seconds=requests * 0.5, received_bytes=records * 2_000),
    )


# ---------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize("tickets", [0, 1, 100, 199, 200, 201, 300, 1000, 1001, 2345])
def test_a_first_load_sends_the_requests_that_were_foretold(tickets: int) -> None:
    world = World(sizes={TICKETS: tickets})

    told = foretold(world)
    world.run()

    assert told.mode is ReadMode.FULL
    assert (told.records, told.requests) == (tickets, len(world.transport.sent))


@pytest.mark.parametrize(
    "request_of_run",
    [{}, {"detect_deletes": True}, {"full_sync": True}, {"full_sync": True, "detect_deletes": True}],
    ids=["increment", "sweep", "full", "full sweep"],
)
def test_a_later_run_sends_the_requests_that_were_foretold(request_of_run: dict[str, Any]) -> None:
    world = World(sizes={TICKETS: 1234})
    world.run()
    world.clock.advance(3600)
    for record_id in sorted(world.truth())[:130]:
        world.site.company("acme").edit(TICKETS, record_id, {"summary": "changed"})

    told = foretold(world, **request_of_run)
    result = world.run(**request_of_run)

    assert told.requests == len(world.transport.sent)
    assert told.records == world.table(result)["records_extracted"]


def test_a_backfill_in_windows_is_foretold_within_its_partial_pages() -> None:
    world = World(sizes={TICKETS: 1234})
    world.run()
    since = (NOW - timedelta(days=300)).isoformat()

    told = foretold(world, since=since)
    world.run(since=since)

    assert told.mode is ReadMode.BACKFILL
    assert abs(told.requests - len(world.transport.sent)) <= told.chunks
    assert any("evenly" in guess for guess in told.guesses)


def test_forecasting_is_cheap_and_takes_no_lease() -> None:
    world = World(sizes={TICKETS: 5000})
    world.transport.sent.clear()

    foretold(world)

    assert len(world.transport.sent) == 2  # a count, and a page of a few records of a table never read
    assert world.state.tables.get("acme", TICKETS) == TableState(tenant_id="acme", table_name=TICKETS)
    assert world.state.jobs.list(limit=5) == []


def test_a_table_that_was_read_before_is_asked_for_its_count_alone() -> None:
    world = World()
    world.run()
    world.transport.sent.clear()

    foretold(world)

    assert [url.partition("?")[0].rpartition("/")[2] for url in world.transport.sent] == ["count"]


def test_an_interrupted_read_is_foretold_for_what_is_left_of_it() -> None:
    world = World(sizes={TICKETS: 900})
    sent = 0

    def refuse(request: HttpRequest) -> HttpResponse | None:
        nonlocal sent
        sent += "pageSize=100" in request.url
        if sent > 4:
            raise TablePermanentError("no more")
        return None

    world.transport.before = refuse
    world.run()
    world.transport.before = None

    told = foretold(world)

    assert 0 < told.records < 900
    assert any("goes on" in guess for guess in told.guesses)


def test_a_refused_table_has_the_reason_in_its_place_and_the_others_a_forecast() -> None:
    world = World("acme", "birch")

    answers = iter(["403: no rights"])

    def refuse_once(request: HttpRequest) -> HttpResponse | None:
        for words in answers:
            raise TablePermanentError(f"{request.method} {words}")
        return None

    world.transport.before = refuse_once
    told = list(forecast_run(world.context, {}, load_prices()))

    assert [table.error for table in told] == ["GET 403: no rights", None]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"table_name": "nonsense"}, "unknown table"),
        ({"tenant_id": "nobody"}, "unknown tenant"),
        ({"since": "2026-01-01T00:00:00Z", "full_sync": True}, "choose one"),
    ],
)
def test_what_a_run_would_refuse_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        foretold(World(), **asked)


def test_requests_that_wait_for_each_other_decide_the_rounds() -> None:
    limits = Limits(page_size=1000, chunk_records=20_000, max_concurrency=8)
    one = demand_of(Read(mode=ReadMode.INCREMENT, records=5_000, is_counted=False), limits, chunks_at_once=8)
    many = demand_of(Read(mode=ReadMode.FULL, records=160_000, is_counted=True), limits, chunks_at_once=8)

    assert (one.chunks, one.rounds(8)) == (1, 6)  # five pages one after the other, and a count
    assert (many.chunks, many.requests) == (8, 1 + 7 + 160 + 1)
    assert many.rounds(8) == 2 + 20 + 1


# ------------------------------------------------------------------------------------------------- rates


def test_without_a_past_everything_but_counts_is_called_a_guess() -> None:
    guesses: list[str] = []

    rates = rates_of(state_after(), ReadMode.FULL, sampled=None, guesses=guesses)

    assert rates == Rates()
    assert len(guesses) == 2


def test_a_past_run_of_the_kind_tells_how_long_answers_and_records_take() -> None:
    guesses: list[str] = []
    past = a_run(ReadMode.FULL, records=10_000, seconds=20.0, requests=20, chunks=5)

    rates = rates_of(state_after(past), ReadMode.FULL, sampled=None, guesses=guesses)

    assert guesses == []
    assert (rates.answer_seconds, rates.record_bytes) == (0.5, 2_000)
    # Ten seconds of answers in five chunks side by side are two; half a second is always there.
    assert rates.record_seconds == pytest.approx((20 - 0.5 - 2) / 10_000)


def test_an_overhead_is_learned_from_small_runs_of_the_same_kind_only() -> None:
    small = a_run(ReadMode.INCREMENT, records=0, seconds=9.0, requests=2)

    alike = rates_of(state_after(small), ReadMode.INCREMENT, sampled=None, guesses=[])
    unlike = rates_of(state_after(small), ReadMode.FULL, sampled=None, guesses=[])

    assert alike.overhead_seconds == 8.0
    assert unlike.overhead_seconds == Rates().overhead_seconds


# --------------------------------------------------------------------------------------- total and error


def test_tenants_and_tables_side_by_side_take_as_long_as_the_longest() -> None:
    world = World("acme", "birch")
    tables = [replace(table, seconds=10.0) for table in forecast_run(world.context, {}, load_prices())]

    total = total_of(tables, world.context.bounds, load_prices())
    alone = total_of(tables, replace(world.context.bounds, tenants=1), load_prices())

    assert (total.seconds, alone.seconds) == (10.0, 20.0)
    assert total.dollars > sum(table.dollars for table in tables) > 0


def test_after_the_run_the_forecast_stands_beside_what_was_taken() -> None:
    world = World()
    told = foretold(world)
    keep(world.lake, [told], at=world.clock.now())

    result = world.run()

    job = world.state.jobs.get(result["job_id"])
    assert job is not None
    (found,) = compared(world.lake, world.state.tables.get, job)
    assert found.forecast == told
    assert (found.actual.records, found.actual.usage.requests) == (told.records, told.requests)


@pytest.mark.parametrize(("later", "request_of_run"), [(25 * 3600, {}), (0, {"detect_deletes": True})])
def test_an_old_forecast_or_one_of_another_read_is_no_measure(later: float, request_of_run: dict[str, Any]) -> None:
    world = World()
    keep(world.lake, [foretold(world)], at=world.clock.now())
    world.clock.advance(later)

    job = world.state.jobs.get(world.run(**request_of_run)["job_id"])

    assert job is not None
    assert compared(world.lake, world.state.tables.get, job) == []


def test_only_the_newest_forecasts_are_kept() -> None:
    world = World()
    told = foretold(world)

    for minute in range(25):
        keep(world.lake, [told], at=NOW + timedelta(minutes=minute))

    keys = [info.key for info in world.lake.list(forecasts_prefix("acme"))]
    assert len(keys) == 20
    assert "20261123T122400" in keys[-1]


def test_a_state_remembers_the_latest_runs_and_no_more() -> None:
    world = World()
    jobs = [world.run()["job_id"] for _ in range(10)]

    runs = world.state.tables.get("acme", TICKETS).runs

    assert [run.job_id for run in runs] == jobs[:1:-1]
    assert runs[0].usage.requests == len(world.transport.sent)


def test_retries_and_throttles_of_a_run_are_counted() -> None:
    world = World()
    failures = [429, 503]

    def fail(request: HttpRequest) -> HttpResponse | None:
        if "pageSize=100" in request.url and failures:
            from avesa.ports.source import HttpResponse as Response

            return Response(status=failures.pop(), headers={"retry-after": "1"}, body=b"{}")
        return None

    world.transport.before = fail
    world.run()

    usage = world.state.tables.get("acme", TICKETS).runs[0].usage
    assert (usage.retries, usage.throttles) == (2, 1)


def test_a_price_list_that_lacks_a_price_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigError, match="state_transition"):
        parse_prices(b'{"as_of": "2026-01-01", "region": "x", "source": "y"}')
