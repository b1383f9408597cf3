"""Every kind of fault does what it says, to whom it says, as often as it says, and the same again for the same seed."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from avesa.simulator.faults import FaultKind, Rule
from tests.unit.simulator.asking import FORWARD, NOW, ask, ids, links, rows, small_site, walk

if TYPE_CHECKING:
    from avesa.simulator.site import Site

TICKETS = "service/tickets"


def _site(kind: FaultKind, **parameters: object) -> Site:
    site = small_site()
    site.faults.add(Rule(kind=kind, **parameters))  # type: ignore[arg-type] # each test knows its rule's parameters
    return site


def test_too_many_requests_says_when_to_come_back_in_seconds() -> None:
    answer = ask(_site(FaultKind.TOO_MANY_REQUESTS, retry_after=30), TICKETS)

    assert (answer.status, answer.header("Retry-After")) == (429, "30")
    assert json.loads(answer.body) == {
        "error": "ConnectWiseAPI",
        "message": "Too many requests. Please try again in 30 seconds.",
    }


def test_too_many_requests_may_say_it_as_a_date_and_in_html() -> None:
    answer = ask(_site(FaultKind.TOO_MANY_REQUESTS, retry_after=30, as_date=True, html=True), TICKETS)

    assert parsedate_to_datetime(answer.header("Retry-After") or "") == NOW + timedelta(seconds=30)
    assert answer.content_type == "text/html"
    assert answer.body.startswith(b"<!DOCTYPE")


@pytest.mark.parametrize("html", [False, True])
def test_a_server_error_has_the_status_asked_for(html: bool) -> None:  # noqa: FBT001 - a parameter of the test
    answer = ask(_site(FaultKind.SERVER_ERROR, status=502, html=html), TICKETS)

    assert answer.status == 502
    assert answer.body.startswith(b"<" if html else b"{")


def test_a_timeout_is_a_500_that_says_so_as_the_api_spells_it() -> None:
    answer = ask(_site(FaultKind.TIMEOUT), TICKETS)

    assert answer.status == 500
    assert json.loads(answer.body)["message"] == "A timeout has occured. Please try again."


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.UNAUTHORIZED, 401), (FaultKind.FORBIDDEN, 403), (FaultKind.NOT_FOUND_PAGE, 404)],
)
def test_a_refusal_hits_the_endpoint_that_the_rule_names_and_no_other(kind: FaultKind, status: int) -> None:
    site = _site(kind, path="time/*")

    assert ask(site, "time/entries").status == status
    assert ask(site, TICKETS).status == 200


def test_a_redirect_leads_to_another_host() -> None:
    answer = ask(_site(FaultKind.REDIRECT, host="elsewhere.example"), TICKETS, pageSize=2)

    assert answer.status == 302
    assert answer.header("Location") == "http://elsewhere.example/v2025_1/apis/3.0/service/tickets?pageSize=2"


def test_a_codebase_that_moves_is_found_at_its_new_place_only() -> None:
    site = _site(FaultKind.CODEBASE_MOVE, codebase="v2025_2/", skip=1, times=1)

    assert ask(site, TICKETS).status == 200
    assert ask(site, TICKETS).status == 404
    assert json.loads(ask(site, "/login/companyinfo/acme").body)["Codebase"] == "v2025_2/"
    assert ask(site, "/v2025_2/apis/3.0/service/tickets").status == 200


def test_latency_delays_the_answer_and_changes_nothing_else() -> None:
    answer = ask(_site(FaultKind.LATENCY, seconds=1.5), TICKETS)

    assert answer.delay_seconds == 1.5
    assert len(rows(answer)) == 25


def test_a_cut_body_announces_more_than_is_sent() -> None:
    answer = ask(_site(FaultKind.CUT_BODY, share=0.25), TICKETS)

    assert answer.sent_bytes == len(answer.body) // 4


def test_truncated_json_has_a_right_length_and_cannot_be_read() -> None:
    answer = ask(_site(FaultKind.TRUNCATED_JSON, share=0.5), TICKETS)

    assert answer.sent_bytes is None
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


def test_an_empty_list_lies_about_the_list_and_not_about_the_count() -> None:
    site = _site(FaultKind.EMPTY_LIST)

    assert rows(ask(site, TICKETS)) == []
    assert json.loads(ask(site, f"{TICKETS}/count").body) == {"count": 120}


def test_a_capped_page_has_fewer_records_and_a_link_that_goes_on_from_them() -> None:
    site = _site(FaultKind.CAPPED_PAGE, limit=10)

    pages = walk(site, TICKETS, headers=FORWARD, pageSize=1000)

    assert [len(rows(page)) for page in pages] == [10] * 12
    assert len({record_id for page in pages for record_id in ids(page)}) == 120


def test_an_ignored_filter_answers_with_everything() -> None:
    site = _site(FaultKind.IGNORED_FILTER)

    assert len(rows(ask(site, TICKETS, conditions="id = 1", pageSize=1000))) == 120
    assert json.loads(ask(site, f"{TICKETS}/count", conditions="id = 1").body) == {"count": 120}


def test_a_repeated_page_comes_under_the_link_of_the_page_that_was_due() -> None:
    site = _site(FaultKind.REPEATED_PAGE, skip=1, times=1)

    pages = walk(site, TICKETS, pageSize=40)

    assert ids(pages[0]) == ids(pages[1])
    assert "page=3" in links(pages[1])["next"]
    assert ids(pages[2]) != ids(pages[1])


def test_a_repeated_page_is_never_the_one_that_is_asked_for_however_often_that_is() -> None:
    site = _site(FaultKind.REPEATED_PAGE)

    served = [ids(ask(site, TICKETS, pageSize=40, page=page)) for page in (1, 2, 2, 3, 2, 3)]

    truth = {page: ids(ask(small_site(), TICKETS, pageSize=40, page=page)) for page in (1, 2, 3)}
    assert served == [truth[page] for page in (1, 1, 1, 2, 3, 2)]


def test_a_missing_record_is_lacking_from_one_page() -> None:
    site = _site(FaultKind.MISSING_RECORD, times=1)

    lacking, whole = ids(ask(site, TICKETS)), ids(ask(site, TICKETS))

    assert len(lacking) == 24
    assert set(lacking) < set(whole)


def test_a_wrong_count_is_off_by_its_delta() -> None:
    assert json.loads(ask(_site(FaultKind.WRONG_COUNT, delta=-3), f"{TICKETS}/count").body) == {"count": 117}


def test_a_rule_for_one_company_spares_the_others() -> None:
    site = _site(FaultKind.FORBIDDEN, company="ACME")

    assert ask(site, TICKETS).status == 403
    assert ask(site, TICKETS, login="birch").status == 200


def test_a_rule_passes_the_first_requests_and_then_strikes_as_often_as_it_may() -> None:
    site = _site(FaultKind.SERVER_ERROR, skip=2, times=2)

    assert [ask(site, TICKETS).status for _ in range(6)] == [200, 200, 503, 503, 200, 200]
    assert site.faults.rules()[0][1] == 2


def test_the_same_seed_strikes_the_same_requests() -> None:
    first, second = (_site(FaultKind.SERVER_ERROR, probability=0.3) for _ in range(2))

    struck = [ask(first, TICKETS).status for _ in range(30)]

    assert struck == [ask(second, TICKETS).status for _ in range(30)]
    assert 200 in struck
    assert 503 in struck


def test_cleared_rules_strike_no_more() -> None:
    site = _site(FaultKind.SERVER_ERROR)
    site.faults.clear()

    assert ask(site, TICKETS).status == 200
