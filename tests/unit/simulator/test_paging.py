"""Paging: every page carries the filter, forward-only loses nothing under edits, page numbers do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avesa.simulator.paging import Limits
from avesa.simulator.site import Behaviour, Changes, Site
from tests.unit.simulator.asking import FORWARD, ask, follow, ids, links, rows, small_site, walk

if TYPE_CHECKING:
    from avesa.simulator.wire import Request

TICKETS = "service/tickets"
OPEN = 'closedFlag=False and summary contains "e" or id = 1'


def test_pages_by_number_hold_every_record_once_in_order_of_id() -> None:
    site = small_site()

    found = [record_id for page in walk(site, TICKETS, pageSize=7) for record_id in ids(page)]

    assert found == sorted(site.company("acme").records(TICKETS))


def test_forward_only_pages_hold_every_record_once_in_order_of_id() -> None:
    site = small_site()

    found = [record_id for page in walk(site, TICKETS, headers=FORWARD, pageSize=7) for record_id in ids(page)]

    assert found == sorted(site.company("acme").records(TICKETS))


@pytest.mark.parametrize("headers", [{}, FORWARD], ids=["numbered", "forward-only"])
def test_every_next_link_carries_the_filter_and_ends_with_the_page(headers: dict[str, str]) -> None:
    site = small_site()
    last = "pageId" if headers else "page"

    pages = walk(site, TICKETS, headers=headers, conditions=OPEN, pageSize=5, fields="id,summary")

    assert len(pages) > 3
    for page in pages[:-1]:
        query = parse_qsl(urlsplit(links(page)["next"]).query)
        assert dict(query)["conditions"] == OPEN
        assert dict(query)["fields"] == "id,summary"
        assert query[-1][0] == last
        assert links(page)["next"].startswith("http://psa.test/v2025_1/apis/3.0/service/tickets?")


def test_the_links_of_a_page_in_the_middle_name_its_neighbours() -> None:
    page = ask(small_site(), TICKETS, pageSize=50, page=2)

    numbers = {name: dict(parse_qsl(urlsplit(url).query))["page"] for name, url in links(page).items()}

    assert numbers == {"next": "3", "last": "3", "first": "1", "prev": "1"}


def test_the_last_forward_only_page_has_a_link_header_that_is_empty() -> None:
    site = small_site()

    pages = walk(site, TICKETS, headers=FORWARD, pageSize=60)

    assert [bool(links(page)) for page in pages] == [True, False]
    assert pages[-1].header("Link") == ""


def test_forward_only_ignores_page_and_refuses_order_by() -> None:
    site = small_site()

    assert ids(ask(site, TICKETS, headers=FORWARD, page=3)) == ids(ask(site, TICKETS, headers=FORWARD))
    assert ask(site, TICKETS, headers=FORWARD, orderBy="id asc").status == 400


@pytest.mark.parametrize("headers", [{}, FORWARD], ids=["numbered", "forward-only"])
def test_past_the_end_is_an_empty_list(headers: dict[str, str]) -> None:
    page = ask(small_site(), TICKETS, headers=headers, page=99, pageId=2_000_000_000)

    assert rows(page) == []
    assert "next" not in links(page)


def test_a_page_has_25_records_unless_asked_and_1000_at_most() -> None:
    site = small_site(sizes={"tickets": 1_100})

    assert len(rows(ask(site, TICKETS))) == 25
    assert len(rows(ask(site, TICKETS, pagesize=5_000))) == 1_000


def test_an_old_server_refuses_a_page_that_is_too_large() -> None:
    behaviour = Behaviour(limits=Limits(max_page_size=100, is_oversize_refused=True))

    answer = ask(small_site(behaviour=behaviour), TICKETS, pageSize=101)

    body = json.loads(answer.body)
    assert (answer.status, body["code"], body["errors"][0]["code"]) == (400, "InvalidObject", "OutOfRange")
    assert body["errors"][0]["message"] == "The field pageSize must be between 1 and 100."


@pytest.mark.parametrize("query", [{"page": 0}, {"page": "x"}, {"pageSize": -1}, {"pageId": "1e3"}])
def test_a_page_that_is_no_number_is_refused(query: dict[str, object]) -> None:
    assert ask(small_site(), TICKETS, headers=FORWARD if "pageId" in query else {}, query=query).status == 400


@pytest.mark.parametrize("conditions", ["id > 100050", OPEN, "lastUpdated > [2023-06-01T00:00:00Z]", "id = 1"])
def test_count_agrees_with_the_pages(conditions: str) -> None:
    site = small_site()

    pages = walk(site, TICKETS, conditions=conditions, pageSize=9)

    counted = json.loads(ask(site, f"{TICKETS}/count", conditions=conditions).body)
    assert counted == {"count": sum(len(rows(page)) for page in pages)}


@pytest.mark.parametrize(
    ("order", "path"), [("lastUpdated desc", ("_info", "lastUpdated")), ("board/name asc, id desc", ("board", "name"))]
)
def test_order_by_orders_the_whole_list(order: str, path: tuple[str, str]) -> None:
    pages = walk(small_site(), TICKETS, orderBy=order, pageSize=25)

    found = [row[path[0]][path[1]].lower() for page in pages for row in rows(page)]

    assert len(found) == 120
    assert found == sorted(found, reverse=order.endswith("desc") and "asc" not in order)


def test_nulls_come_first_in_ascending_order() -> None:
    found = [row.get("budgetHours") for row in rows(ask(small_site(), TICKETS, orderBy="budgetHours", pageSize=1000))]

    nulls = found.count(None)
    assert nulls > 0
    assert found[:nulls] == [None] * nulls


def test_an_order_that_the_table_does_not_know_is_refused() -> None:
    assert (
        json.loads(ask(small_site(), TICKETS, orderBy="colour").body)["message"] == "colour is not a recognized name."
    )
    assert ask(small_site(), TICKETS, orderBy="id up").status == 400


def test_fields_leave_out_info_unless_it_is_listed() -> None:
    site = small_site()

    row = rows(ask(site, TICKETS, fields="id,status/name,Board", pageSize=1))[0]
    with_info = rows(ask(site, TICKETS, fields="id,_info", pageSize=1))[0]
    deep = rows(ask(site, TICKETS, fields="id,summary,_info/lastUpdated", pageSize=1))[0]

    assert set(row) == {"id", "status", "board"}
    assert set(row["status"]) == {"name"}
    assert "updatedBy" in with_info["_info"]
    assert set(deep["_info"]) == {"lastUpdated"}


@pytest.mark.parametrize("fields", ["id", "id,_info/lastUpdated"])
@pytest.mark.parametrize("profile", ["normal", "hostile"])
def test_ids_and_times_answered_from_the_arrays_are_those_of_the_records(fields: str, profile: str) -> None:
    site = small_site(profile=profile)
    records = site.company("acme").records(TICKETS)

    found = rows(ask(site, TICKETS, fields=fields, pageSize=1000))

    assert [row["id"] for row in found] == sorted(records)
    for row in found:
        if "_info" in row:
            assert row["_info"]["lastUpdated"] == records[row["id"]]["_info"]["lastUpdated"]


def test_a_time_with_a_fraction_is_compared_with_its_fraction() -> None:
    site = small_site()
    info = {"lastUpdated": "2026-02-01T00:00:00.500Z", "updatedBy": "x"}
    site.company("acme").put(TICKETS, {"id": 5, "summary": "odd", "_info": info})

    assert 5 in ids(ask(site, TICKETS, conditions="lastUpdated > [2026-02-01T00:00:00Z]"))
    assert 5 not in ids(ask(site, TICKETS, conditions="lastUpdated = [2026-02-01T00:00:00Z]"))


def test_a_search_by_post_pages_like_the_list() -> None:
    site = small_site()
    body = json.dumps({"conditions": "id > 100010", "Unknown": 1}).encode()

    answer = ask(site, f"{TICKETS}/search", method="POST", body=body, pageSize=5, page=2)

    assert ids(answer) == ids(ask(site, TICKETS, conditions="id > 100010", pageSize=5, page=2))
    assert ask(site, f"{TICKETS}/search", method="POST", body=b"[]").status == 400
    assert ask(site, f"{TICKETS}/search", method="POST", body=b"{").status == 400


# Edits during a read: 10,000 rows, 1,000 a page, 40 edits, 5 deletes and 20 inserts between two pages.


def _shaken(site: Site) -> list[set[int]]:
    """Change the tickets before every page after the first; keep which ids were there all along."""
    company = site.company("acme")
    present = [set(company.records(TICKETS))]

    def shake(request: Request) -> None:
        if "page=1" not in request.target and "pageId=0" not in request.target:
            applied = company.apply(TICKETS, Changes(edits=40, deletes=5, inserts=20))
            present.append(present[-1] - set(applied.deleted))

    site.on_request = shake
    return present


def _missed(site: Site, pages: list[set[int]], present: list[set[int]]) -> set[int]:
    site.on_request = None
    return present[-1] - set().union(*pages)


def test_forward_only_under_edits_loses_nothing() -> None:
    site = small_site(sizes={"tickets": 2_000})
    present = _shaken(site)

    pages = [set(ids(page)) for page in walk(site, TICKETS, headers=FORWARD, pageSize=200, pageId=0)]

    assert not _missed(site, pages, present)
    assert sum(map(len, pages)) == len(set().union(*pages))


def test_a_keyset_of_the_clients_own_under_edits_loses_nothing() -> None:
    site = small_site(sizes={"tickets": 2_000})
    present = _shaken(site)
    pages: list[set[int]] = []
    last = 0

    while not pages or len(pages[-1]) == 200:  # each request inserts, so an empty page never comes
        conditions = f"id > {last} and lastUpdated > [2000-01-01T00:00:00Z]"
        found = ids(ask(site, TICKETS, conditions=conditions, orderBy="id asc", pageSize=200))
        pages.append(set(found))
        last = found[-1] if found else last

    assert not _missed(site, pages, present)


@pytest.mark.parametrize("order", ["id asc", "lastUpdated asc"])
def test_page_numbers_under_edits_lose_records(order: str) -> None:
    site = small_site(sizes={"tickets": 2_000})
    present = _shaken(site)
    first = ask(site, TICKETS, orderBy=order, pageSize=200, page=1)
    pages = [set(ids(first))]
    url = links(first).get("next")

    while url:
        page = follow(site, url)
        pages.append(set(ids(page)))
        url = links(page).get("next")

    assert _missed(site, pages, present)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40), st.integers(0, 100_200), st.sampled_from(["", "closedFlag=False", "lastUpdated>[2023-10-01]"])
)
def test_forward_only_pages_cover_exactly_what_the_conditions_say(size: int, after: int, rest: str) -> None:
    conditions = " and ".join(filter(None, [f"id > {after}", rest]))

    found = [
        one for page in walk(SITE, TICKETS, headers=FORWARD, conditions=conditions, pageSize=size) for one in ids(page)
    ]

    truth = SITE.company("acme").records(TICKETS)
    assert found == [
        record_id for record_id, record in sorted(truth.items()) if record_id > after and _holds(record, rest)
    ]


SITE = small_site()


def _holds(record: dict[str, object], rest: str) -> bool:
    info = record["_info"]
    assert isinstance(info, dict)
    if rest.startswith("closed"):
        return record["closedFlag"] is False
    return not rest or bool(info["lastUpdated"] > "2023-10-01T00:00:00Z")
