"""Every way in which the source fails, over real HTTP: asked again within a budget, or a failure that names it."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from avesa.adapters.local.budget import BudgetBook
from avesa.application.pipeline import Application
from avesa.domain.errors import TransientSourceError
from avesa.simulator.site import Changes, CompanySpec, FaultKind, Rule, Site
from tests.flow.pipeline import mapping_folder, pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from avesa.ports.source import HttpRequest, HttpResponse, RequestBudget, Transport
    from tests.flow.pipeline import Pipeline

SIZES = {"service/tickets": 420, "time/entries": 20, "company/companies": 20, "company/contacts": 20}
TICKETS = "service/tickets"
LISTS = "*s"
TRIES = 4


class HurriedClock:
    """Real time plus all that anybody has slept: waits are kept, and cost nothing."""

    def __init__(self) -> None:
        self._slept = 0.0
        self._lock = threading.Lock()
        self._begin = datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._slept)

    def monotonic(self) -> float:
        return self.now().timestamp() - self._begin.timestamp()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._slept += max(seconds, 0.0)


class Watched:
    """A budget and a transport that know what no request may do: begin before a pause that was told is over."""

    def __init__(self, transport: Transport, clock: HurriedClock) -> None:
        self._transport, self._clock = transport, clock
        self._lock = threading.Lock()
        self.not_before = 0.0
        self.sent = 0
        self.violations: list[float] = []

    def budget(self, budget: RequestBudget) -> Watched._Budget:
        return Watched._Budget(self, budget)

    def send(self, request: HttpRequest) -> HttpResponse:
        with self._lock:
            self.sent += 1
        return self._transport.send(request)

    class _Budget:
        def __init__(self, watched: Watched, budget: RequestBudget) -> None:
            self._watched, self._budget = watched, budget

        @contextlib.contextmanager
        def slot(self) -> Iterator[None]:
            known = self._watched.not_before
            with self._budget.slot():
                # Whoever asked for a slot after the pause was told must have waited for its end.
                if self._watched._clock.monotonic() < known - 1e-3:
                    self._watched.violations.append(known)
                yield

        def throttled(self, retry_after_seconds: float | None) -> None:
            until = self._watched._clock.monotonic() + (retry_after_seconds or 0.0)
            self._budget.throttled(retry_after_seconds)
            self._watched.not_before = max(self._watched.not_before, until)

        def succeeded(self) -> None:
            self._budget.succeeded()


class Faulty:
    """A pipeline over HTTP whose source is made to fail."""

    def __init__(self, made: Pipeline, site: Site, clock: HurriedClock) -> None:
        self.made, self.site, self.clock = made, site, clock
        context = made.application.context
        self.wire = Watched(context.transport, clock)
        book = BudgetBook(clock=clock)
        self.budgets = book
        made.application = Application(
            replace(
                context,
                clock=clock,
                transport=self.wire,
                budget=lambda site, company, most: self.wire.budget(book.get(site, company, most)),
            )
        )

    def run(self, *rules: Rule, **request: object) -> dict[str, dict[str, Any]]:
        """Run while the rules hold; return each table's part of the result."""
        self.site.faults.add(*rules)
        try:
            return self.made.tables(self.made.run(**request))
        finally:
            self.site.faults.clear()

    def assert_recovers(self) -> None:
        """Run once more with nothing wrong, and compare every column."""
        assert {table["status"] for table in self.run(detect_deletes=True).values()} == {"completed"}
        self.made.assert_true()


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Faulty]:
    clock = HurriedClock()
    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=SIZES)], clock=clock.now)

    def small_pages(documents: dict[str, Any]) -> None:
        documents["integrations/connectwise_endpoints.json"]["limits"] |= {
            "page_size": 50,
            "max_attempts": TRIES,
            "timeout_seconds": 2.0,
        }

    mappings = mapping_folder(tmp_path / "mappings", small_pages)
    with pipeline(site, tmp_path / "home", "acme", mappings=mappings) as made:
        yield Faulty(made, site, clock)


PASSING = {
    "429 in seconds": Rule(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=30),
    "429 as a date": Rule(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=30, as_date=True),
    "429 as a page of HTML": Rule(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=30, html=True),
    "500 that says timeout": Rule(kind=FaultKind.TIMEOUT),
    **{
        f"{status}": Rule(kind=FaultKind.SERVER_ERROR, status=status, html=status > 500)
        for status in (500, 502, 503, 504, 520, 524)
    },
    "body cut on its way": Rule(kind=FaultKind.CUT_BODY),
    "JSON truncated": Rule(kind=FaultKind.TRUNCATED_JSON),
    "an answer that takes too long": Rule(kind=FaultKind.LATENCY, seconds=2.6),
}


@pytest.mark.parametrize("name", PASSING)
def test_an_error_that_passes_is_asked_again_and_nothing_is_lost(faulty: Faulty, name: str) -> None:
    tables = faulty.run(replace(PASSING[name], path=LISTS, times=2, skip=3))

    assert {table["status"] for table in tables.values()} == {"completed"}
    assert faulty.wire.violations == []
    faulty.made.assert_true()


NAMED = {
    "429 in seconds": "HTTP 429 (ConnectWiseAPI: Too many requests",
    "429 as a date": "HTTP 429",
    "429 as a page of HTML": "HTTP 429 (an HTML page)",
    "500 that says timeout": "A timeout has occured",
    "500": "HTTP 500",
    "502": "HTTP 502 (an HTML page)",
    "503": "HTTP 503",
    "524": "HTTP 524",
    "body cut on its way": "the answer broke off",
    "JSON truncated": "not a whole JSON array",
}


@pytest.mark.parametrize("name", NAMED)
def test_an_error_that_stays_is_named_after_a_bounded_number_of_tries(faulty: Faulty, name: str) -> None:
    tables = faulty.run(replace(PASSING[name], path=TICKETS), table_name="tickets")

    error = tables["tickets"]["error"]
    assert tables["tickets"]["status"] == "failed"
    assert NAMED[name] in error
    assert "gave up after" in error
    assert "Run again: it goes on where it stopped" in error
    assert faulty.wire.violations == []
    assert faulty.wire.sent <= 8 * TRIES * 4 + 12
    faulty.assert_recovers()


REFUSED = {
    "401": (Rule(kind=FaultKind.UNAUTHORIZED), "refuses the credentials; renew the API key"),
    "403": (Rule(kind=FaultKind.FORBIDDEN), "security role lacks 'Inquire' for this table"),
    "404": (Rule(kind=FaultKind.NOT_FOUND_PAGE), "HTTP 404 (an HTML page)"),
    "redirect": (Rule(kind=FaultKind.REDIRECT, host="evil.example"), "redirects to evil.example"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_not_asked_again_and_is_named(faulty: Faulty, name: str) -> None:
    rule, words = REFUSED[name]

    tables = faulty.run(replace(rule, path=f"{TICKETS}*"))

    assert tables["tickets"]["status"] == "failed"
    assert words in tables["tickets"]["error"]
    assert {tables[table]["status"] for table in ("companies", "contacts")} == {"completed"}
    faulty.assert_recovers()


def test_a_codebase_that_moves_is_followed(faulty: Faulty) -> None:
    faulty.site.faults.add(Rule(kind=FaultKind.CODEBASE_MOVE, codebase="v2026_4/", skip=4, times=1))

    tables = faulty.made.tables(faulty.made.run())

    assert {table["status"] for table in tables.values()} == {"completed"}
    faulty.made.assert_true()


def test_all_that_passes_at_once_costs_tries_and_no_record(faulty: Faulty) -> None:
    rules = [replace(rule, path="*", probability=0.015) for name, rule in PASSING.items() if "too long" not in name]

    for _ in range(3):
        faulty.run(*rules, detect_deletes=True)
        faulty.site.company("acme").apply(TICKETS, Changes(edits=9, inserts=4, deletes=2))

    assert faulty.wire.violations == []
    faulty.assert_recovers()


def test_a_throttled_company_is_asked_by_fewer_at_once_and_then_by_all_again(faulty: Faulty) -> None:
    budget = faulty.budgets.get(faulty.made.url, faulty.site.company("acme").credentials.company_id, 8)
    faulty.run(Rule(kind=FaultKind.TOO_MANY_REQUESTS, path=TICKETS, retry_after=2, times=3, skip=2))
    slowest = faulty.wire.not_before

    for _ in range(6):
        faulty.run(full_sync=True)

    assert slowest > 0
    assert faulty.wire.violations == []
    assert budget.limit == 8


# ------------------------------------------------------------------------------------------------- long pauses


@pytest.mark.parametrize("as_date", [False, True])
def test_a_pause_of_days_fails_the_run_at_once_and_names_its_end(faulty: Faulty, as_date: bool) -> None:  # noqa: FBT001
    began = faulty.clock.now()
    rule = Rule(kind=FaultKind.TOO_MANY_REQUESTS, path=TICKETS, retry_after=3 * 86_400, as_date=as_date, times=1)

    tables = faulty.run(rule)

    until = began + timedelta(days=3)
    assert tables["tickets"]["status"] == "failed"
    assert f"the site asks for no request before {until:%Y-%m-%d}" in tables["tickets"]["error"]
    assert "a run waits 900 s at most" in tables["tickets"]["error"]
    assert faulty.clock.now() - began < timedelta(minutes=20)
    sent = faulty.wire.sent
    again = faulty.run()
    assert {table["status"] for table in again.values()} == {"failed"}
    assert faulty.wire.sent == sent  # nobody asks before the pause is over
    faulty.clock.sleep(3 * 86_400)
    faulty.assert_recovers()


# ------------------------------------------------------------------------------------------------------- lies

LIES = {
    "empty lists": (Rule(kind=FaultKind.EMPTY_LIST, path=TICKETS), "the source counts 420 records and lists 0"),
    "an id condition ignored": (Rule(kind=FaultKind.IGNORED_FILTER, path=TICKETS), "the page ignores the condition id"),
    "a page repeated": (Rule(kind=FaultKind.REPEATED_PAGE, path=TICKETS), "the page "),
    "a count too high": (
        Rule(kind=FaultKind.WRONG_COUNT, path="*/count", delta=3),
        "the source counts 423 records",
    ),
    "a count too low": (
        Rule(kind=FaultKind.WRONG_COUNT, path="*/count", delta=-2),
        "the source counts 418 records",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_server_that_keeps_lying_fails_the_table_with_the_lie_named(faulty: Faulty, name: str) -> None:
    rule, words = LIES[name]

    tables = faulty.run(rule, table_name="tickets")

    assert tables["tickets"]["status"] == "failed"
    assert words in tables["tickets"]["error"]
    assert faulty.made.application.context.tables.get("acme", TICKETS).bookmark_at is None
    faulty.assert_recovers()


@pytest.mark.parametrize(
    "rule",
    [
        Rule(kind=FaultKind.CAPPED_PAGE, path=TICKETS, limit=7),
        Rule(kind=FaultKind.MISSING_RECORD, path=TICKETS, times=3, skip=2),
        Rule(kind=FaultKind.EMPTY_LIST, path=TICKETS, times=1, skip=2),
        Rule(kind=FaultKind.WRONG_COUNT, path="*/count", times=1, skip=1, delta=5),
    ],
    ids=["capped pages", "pages that lack a record", "one empty page", "one wrong count"],
)
def test_a_lie_that_is_found_out_in_time_costs_requests_and_no_record(faulty: Faulty, rule: Rule) -> None:
    tables = faulty.run(rule, table_name="tickets")

    assert tables["tickets"]["status"] == "completed"
    assert tables["tickets"]["reconciled"] == {"source": 420, "lake": 420}
    faulty.made.assert_true(tables=("tickets",))


def test_an_increment_whose_window_is_ignored_is_not_believed_to_be_empty(faulty: Faulty) -> None:
    faulty.run()
    faulty.site.company("acme").apply(TICKETS, Changes(edits=5))

    tables = faulty.run(Rule(kind=FaultKind.EMPTY_LIST, path=TICKETS), table_name="tickets")

    assert tables["tickets"]["status"] == "failed"
    assert "and lists 0" in tables["tickets"]["error"]
    faulty.assert_recovers()


def test_a_site_that_is_down_is_named_and_the_next_run_goes_on(faulty: Faulty) -> None:
    wire = faulty.wire

    class Down:
        def send(self, request: HttpRequest) -> HttpResponse:
            raise TransientSourceError("127.0.0.1: nothing accepts the connection")

    up, wire._transport = wire._transport, Down()
    tables = faulty.run(table_name="tickets")
    wire._transport = up

    assert "nothing accepts the connection" in tables["tickets"]["error"]
    assert "gave up after 4 tries" in tables["tickets"]["error"]
    faulty.assert_recovers()
