"""Asking a company: retries within a budget, the codebase, and pages that cannot be believed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from avesa.adapters.memory.clock import FakeClock
from avesa.adapters.memory.executor import InlineExecutor
from avesa.application.catalog import load_catalog
from avesa.application.connection import connect, find_tenant
from avesa.application.source import IdRange
from avesa.connectors.pages import split_page
from avesa.domain.errors import SourceError, TablePermanentError, TenantPermanentError, TransientSourceError
from avesa.domain.model import Window
from avesa.ports.source import HttpRequest, HttpResponse
from avesa.simulator.site import FaultKind, Rule
from tests.unit.application.world import NOW, SMALL, TICKETS, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.application.source import Answer, Source
    from avesa.connectors.pages import Page

ONE_RECORD = b'[{"id":1,"summary":"A record of more than its id"}]'


def source(world: World) -> Source:
    return connect(world.context, find_tenant(world.context, "acme", "connectwise"), load_catalog(world.lake))


def count(world: World, asked: Source | None = None) -> int:
    catalog = load_catalog(world.lake)
    return (asked or source(world)).count(catalog.endpoint(TICKETS), catalog.limits(TICKETS), window=Window())[0]


def page(world: World, *, after: int | None = None, upto: int | None = None) -> Answer[Page]:
    catalog = load_catalog(world.lake)
    return source(world).page(
        catalog.endpoint(TICKETS),
        catalog.limits(TICKETS),
        window=Window(),
        ids=IdRange(after=after, upto=upto),
        split=split_page,
    )


def answering(*answers: HttpResponse) -> Callable[[HttpRequest], HttpResponse | None]:
    """Give these answers first, in turn, to what is asked of the API; then let the site speak."""
    left = list(answers)
    return lambda request: left.pop(0) if left and "companyinfo" not in request.url else None


def response(body: bytes, *, status: int = 200, **headers: str) -> HttpResponse:
    return HttpResponse(status=status, headers=headers, body=body)


# ---------------------------------------------------------------------------------------------- retries


@pytest.mark.parametrize(
    "rule",
    [
        Rule(kind=FaultKind.SERVER_ERROR, times=3),
        Rule(kind=FaultKind.SERVER_ERROR, times=3, html=True),
        Rule(kind=FaultKind.TIMEOUT, times=3),
        Rule(kind=FaultKind.CUT_BODY, times=3),
        Rule(kind=FaultKind.TRUNCATED_JSON, times=3),
    ],
    ids=lambda rule: rule.kind.value,
)
def test_what_may_pass_is_asked_for_again_with_growing_waits(rule: Rule) -> None:
    world = World()
    world.site.faults.add(rule)

    assert count(world) == 300
    assert len(world.clock.slept) == 3
    for slept, longest in zip(world.clock.slept, (0.5, 1.0, 2.0), strict=True):
        assert longest / 2 <= slept <= longest


def test_a_source_that_never_answers_is_given_up_after_the_configured_tries() -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.SERVER_ERROR, path=f"{TICKETS}/count"))
    world.transport.sent.clear()

    with pytest.raises(TransientSourceError, match=r"service/tickets/count: HTTP 503 .*gave up after 4 tries"):
        count(world)

    assert len(world.asked("/count")) == 4


def test_the_longest_wait_between_tries_is_half_a_minute() -> None:
    world = World(edit=lambda endpoints: endpoints["limits"].update(max_attempts=20))
    world.site.faults.add(Rule(kind=FaultKind.TIMEOUT, times=15))

    count(world)

    assert max(world.clock.slept) <= 30.0


@pytest.mark.parametrize("as_date", [False, True])
@pytest.mark.parametrize("html", [False, True])
def test_retry_after_is_honoured_in_both_its_forms(*, as_date: bool, html: bool) -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.TOO_MANY_REQUESTS, times=1, retry_after=30, as_date=as_date, html=html))
    before = world.clock.monotonic()

    assert count(world) == 300
    assert world.clock.monotonic() - before == pytest.approx(30.0)


def test_everybody_of_a_company_waits_when_one_is_throttled() -> None:
    world = World("acme", "other")
    one, another = source(world), source(world)
    world.transport.before = answering(response(b"{}", status=429, **{"retry-after": "20"}))
    sent_at: list[float] = []
    site = world.transport.before

    def watched(request: HttpRequest) -> HttpResponse | None:
        sent_at.append(world.clock.monotonic())
        return site(request)

    world.transport.before = watched
    began = world.clock.monotonic()
    count(world, one)
    count(world, another)

    # The first was told to wait; nobody sent anything until the time was up.
    assert sent_at[0] == began
    assert all(at - began >= 20 for at in sent_at[1:])


def test_another_company_does_not_wait_for_one_that_is_throttled() -> None:
    world = World("acme", "other")
    budgets = world.context.budget
    budgets("https://x", "acme", 8).throttled(60.0)
    before = world.clock.monotonic()

    with budgets("https://x", "other", 8).slot():
        pass

    assert world.clock.monotonic() == before


def test_a_throttled_request_is_tried_longer_than_a_failing_one() -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.TOO_MANY_REQUESTS, times=15, retry_after=1))

    assert count(world) == 300


def test_a_site_that_throttles_for_ever_is_given_up() -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=1))

    with pytest.raises(TransientSourceError, match="gave up after 16 tries"):
        count(world)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (Rule(kind=FaultKind.UNAUTHORIZED), TenantPermanentError),
        (Rule(kind=FaultKind.REDIRECT), TenantPermanentError),
        (Rule(kind=FaultKind.FORBIDDEN, path=f"{TICKETS}*"), TablePermanentError),
        (Rule(kind=FaultKind.NOT_FOUND_PAGE, path=f"{TICKETS}*"), TablePermanentError),
    ],
    ids=["401", "redirect", "403", "404"],
)
def test_what_cannot_pass_is_asked_for_once(rule: Rule, kind: type[SourceError]) -> None:
    world = World()
    world.site.faults.add(rule)
    world.transport.sent.clear()

    with pytest.raises(kind):
        count(world)

    assert len(world.asked("/count")) <= 1
    assert world.clock.slept == []


def test_credentials_never_go_to_another_host() -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.REDIRECT))

    with pytest.raises(TenantPermanentError, match=r"redirects to other\.example"):
        count(world)

    assert all("other.example" not in url for url in world.transport.sent)


# --------------------------------------------------------------------------------------------- codebase


def test_a_codebase_that_moved_is_looked_up_and_asked_again() -> None:
    world = World()
    asked = source(world)
    count(world, asked)
    world.site.move_codebase("v2026_2/")
    world.transport.sent.clear()

    assert count(world, asked) == 300
    assert [url.split("/")[3] for url in world.transport.sent] == ["v2025_1", "login", "v2026_2"]


def test_a_404_with_an_unmoved_codebase_is_believed() -> None:
    world = World()
    world.site.faults.add(Rule(kind=FaultKind.NOT_FOUND_PAGE, path=f"{TICKETS}/count"))
    world.transport.sent.clear()

    with pytest.raises(TablePermanentError, match="HTTP 404"):
        count(world)

    assert len(world.asked("/count")) == 1


def test_a_site_that_is_no_connectwise_is_told_as_that() -> None:
    world = World()
    world.context.codebases.clear()
    world.transport.before = lambda _: response(b"<html>", status=404)

    with pytest.raises(SourceError, match="Is CONNECTWISE_API_BASE_URL a ConnectWise site"):
        count(world)


# ------------------------------------------------------------------------------------------------ pages


def test_a_page_out_of_order_is_asked_for_again() -> None:
    world = World()
    world.transport.before = answering(response(b'[{"id":5},{"id":4}]', link=""))

    assert len(page(world).page.records) == 100
    (told,) = world.events.named("request_retried")
    assert "repeats an id or is out of order (4 after 5)" in str(told["reason"])


def test_a_repeated_page_is_asked_for_again() -> None:
    world = World()
    first = page(world)
    last = first.page.records[-1].id
    bodies = b"[" + b",".join(record.payload for record in first.page.records) + b"]"
    world.transport.before = answering(response(bodies, link=""))

    second = page(world, after=last)

    assert second.page.records[0].id > last


def test_a_page_of_ids_alone_is_no_page_of_records() -> None:
    world = World()
    ids = [record.id for record in page(world).page.records]
    world.transport.before = answering(response(b"[" + b",".join(b'{"id": %d}' % number for number in ids) + b"]"))

    assert len(page(world).page.records[0].payload) > 1000


def test_a_page_that_ignores_its_upper_end_is_asked_for_again() -> None:
    world = World()
    highest = page(world).page.records[50].id
    world.site.faults.add(Rule(kind=FaultKind.IGNORED_FILTER, times=1))

    assert page(world, upto=highest).page.records[-1].id == highest


def test_a_page_of_other_records_than_were_asked_for_is_asked_for_again() -> None:
    world = World()
    catalog = load_catalog(world.lake)
    wanted = sorted(world.truth())[150:160]
    world.site.faults.add(Rule(kind=FaultKind.IGNORED_FILTER, times=1))

    pages = source(world).records(catalog.endpoint(TICKETS), catalog.limits(TICKETS), wanted)

    assert [record.id for found in pages for record in found.records] == wanted


def test_records_asked_for_by_id_all_come_however_few_a_page_holds() -> None:
    world = World()
    catalog = load_catalog(world.lake)
    wanted = sorted(world.truth())
    world.site.faults.add(Rule(kind=FaultKind.CAPPED_PAGE, limit=40))

    pages = source(world).records(catalog.endpoint(TICKETS), catalog.limits(TICKETS), wanted)

    assert [record.id for found in pages for record in found.records] == wanted


def test_addresses_stay_within_the_guides_length() -> None:
    world = World()
    catalog = load_catalog(world.lake)
    world.transport.sent.clear()

    wanted = [2**31 - number for number in range(400, 0, -1)]
    list(source(world).records(catalog.endpoint(TICKETS), catalog.limits(TICKETS), wanted))

    assert max(map(len, world.transport.sent)) <= 2_300
    assert len(world.transport.sent) == 3


def test_a_server_without_link_headers_is_asked_until_a_page_is_empty() -> None:
    world = World()
    world.transport.before = answering(
        HttpResponse(status=200, headers={}, body=ONE_RECORD), HttpResponse(status=200, headers={}, body=b"[]")
    )

    assert page(world).has_more
    assert not page(world, after=1).has_more


def test_without_link_headers_a_page_with_the_last_id_that_was_asked_for_is_the_last() -> None:
    world = World()
    world.transport.before = answering(
        HttpResponse(status=200, headers={}, body=ONE_RECORD),
        HttpResponse(status=200, headers={}, body=ONE_RECORD),
    )

    assert not page(world, upto=1).has_more
    assert page(world, upto=2).has_more


def test_nothing_is_asked_for_while_too_much_waits_for_a_core_and_no_slot_is_held_meanwhile() -> None:
    world = World()
    told: list[str] = []

    class Crowded(InlineExecutor):
        """Has no room at the first look, as if it had gone while a slot was waited for."""

        @property
        def has_room(self) -> bool:
            told.append("looked")
            return len(told) > 2

        def wait_for_room(self) -> None:
            told.append("waited")

    context = replace(world.context, executor=Crowded())
    crowded = connect(context, find_tenant(context, "acme", "connectwise"), load_catalog(world.lake))
    world.transport.sent.clear()

    assert count(world, crowded) == len(world.truth())
    assert told == ["waited", "looked", "waited", "looked"]
    assert len(world.transport.sent) == 1


def test_ids_are_listed_past_a_record_that_has_none() -> None:
    world = World(sizes=SMALL | {TICKETS: 250})
    catalog = load_catalog(world.lake)
    ids = sorted(world.truth())
    for record_id in ids[90:110]:
        world.site.company("acme").put_body(TICKETS, record_id, b'{"summary":"no id"}')

    listed = [
        record.id
        for found in source(world).ids(
            catalog.endpoint(TICKETS), catalog.limits(TICKETS), window=Window(), ids=IdRange()
        )
        for record in found.records
    ]

    assert listed == ids[:90] + ids[110:]


def test_a_listing_that_nothing_leads_past_ends_instead_of_turning_for_ever() -> None:
    world = World()
    catalog = load_catalog(world.lake)
    world.transport.before = lambda request: (
        None if "companyinfo" in request.url else response(b'[{"a":1}]', link='<https://x/y?page=2>; rel="next"')
    )

    with pytest.raises(TablePermanentError, match="nothing leads past it"):
        list(source(world).ids(catalog.endpoint(TICKETS), catalog.limits(TICKETS), window=Window(), ids=IdRange()))


# --------------------------------------------------------------------------------------- the source's clock


@pytest.mark.parametrize("skew_seconds", [-600.0, 0.0, 600.0])
def test_the_sources_clock_is_its_own_date(skew_seconds: float) -> None:
    world = World()
    object.__setattr__(world.site.behaviour, "clock_skew_seconds", skew_seconds)

    assert page(world).source_now == world.clock.now() + timedelta(seconds=skew_seconds)


def test_the_time_that_an_answer_took_is_taken_off() -> None:
    world = World()
    world.transport.before = answering(
        HttpResponse(
            status=200,
            headers={"date": "Mon, 23 Nov 2026 12:00:30 GMT", "link": ""},
            body=ONE_RECORD,
            elapsed_seconds=25.0,
        )
    )

    assert page(world).source_now == datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("headers", [{}, {"date": "noon"}, {"date": "Mon, 23 Nov 2026 12:00:00 -0000"}])
def test_a_source_without_a_readable_date_is_read_by_our_clock(headers: dict[str, str]) -> None:
    world = World()
    world.transport.before = answering(HttpResponse(status=200, headers={"link": "", **headers}, body=ONE_RECORD))

    assert page(world).source_now == NOW
    assert isinstance(world.clock, FakeClock)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"count":true}', b'{"count":-1}', b'{"count":"5"}', b"[]", b"<html>", b"null"]
)
def test_a_count_that_is_none_is_asked_for_again(body: bytes) -> None:
    world = World()
    world.transport.before = answering(response(body))

    assert count(world) == 300


# ----------------------------------------------------------------------------------- what every request says


def test_every_page_carries_the_filter() -> None:
    world = World(edit=lambda endpoints: endpoints["limits"].update(page_size=5))
    world.run()
    world.site.company("acme").edit(TICKETS, min(world.truth()), {"summary": "x"}, at=world.clock.now())
    world.run(since="2024-01-01T00:00:00Z", until="2024-08-01T00:00:00Z")

    pages = world.asked("service/tickets?")
    assert len(pages) > 3
    assert any("pageId=" in url for url in pages)
    assert all("lastUpdated" in url for url in pages)


def test_a_page_longer_than_asked_for_is_taken_whole() -> None:
    world = World()
    body = json.dumps([{"id": number, "summary": "A record of more than its id"} for number in range(1, 501)]).encode()
    link = '<https://x/y?pageId=500>; rel="next"'
    world.transport.before = answering(response(body, link=link))

    found = page(world)

    assert (len(found.page.records), found.has_more, found.resume_after) == (500, True, 500)
