"""Records look as the real API writes them, down to what is left out."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from avesa.simulator.schema import schemas
from avesa.simulator.site import Behaviour, CompanySpec, Site
from tests.unit.simulator.asking import ask, headers_of, rows, small_site

MAIN = ("service/tickets", "time/entries", "company/companies", "company/contacts")
SIZES = {"tickets": 600, "time_entries": 600, "companies": 120, "contacts": 600}
NORMAL = Site(seed=7, companies=[CompanySpec(login="acme", sizes=SIZES)])
HOSTILE = Site(seed=7, companies=[CompanySpec(login="acme", sizes=SIZES)], profile="hostile")
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _records(site: Site, path: str) -> list[dict[str, Any]]:
    return list(site.company("acme").records(path).values())


def _values(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _values(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _values(inner)]
    return [value]


@pytest.mark.parametrize("path", MAIN)
def test_nulls_are_left_out_and_empty_text_is_kept(path: str) -> None:
    values = [value for record in _records(NORMAL, path) for value in _values(record)]

    assert None not in values
    assert "" in values


@pytest.mark.parametrize("path", MAIN)
def test_every_record_has_a_time_of_its_last_update_to_the_second(path: str) -> None:
    times = [record["_info"]["lastUpdated"] for record in _records(NORMAL, path)]

    assert all(DATE.fullmatch(time) for time in times)
    assert len(set(times)) < len(times) or path == "company/companies"


@pytest.mark.parametrize("path", MAIN)
def test_info_is_a_map_of_text(path: str) -> None:
    for record in _records(NORMAL, path):
        assert all(isinstance(value, str) for value in record["_info"].values())


def test_numbers_of_hours_always_have_a_decimal_point() -> None:
    bodies = NORMAL.company("acme").table("time/entries").snapshot.bodies

    assert all(re.search(rb'"actualHours":-?\d+\.\d', body) for body in bodies)
    assert all(re.search(rb'"hourlyCost":"\d', body) for body in bodies)


@pytest.mark.parametrize(
    ("path", "low", "high", "fields"),
    [
        ("service/tickets", 4_400, 5_300, 86),
        ("time/entries", 2_500, 3_100, 49),
        ("company/companies", 3_500, 4_300, 54),
        ("company/contacts", 1_700, 2_200, 34),
    ],
)
def test_records_weigh_what_real_ones_weigh(path: str, low: int, high: int, fields: int) -> None:
    bodies = NORMAL.company("acme").table(path).snapshot.bodies
    records = _records(NORMAL, path)

    assert low < sum(map(len, bodies)) / len(bodies) < high
    assert abs(sum(map(len, records)) / len(records) - fields) < 5


def test_ids_have_gaps() -> None:
    ids = sorted(NORMAL.company("acme").records("service/tickets"))

    assert ids[-1] - ids[0] + 1 > len(ids)


def test_references_agree_on_id_and_name_over_all_tables() -> None:
    company = NORMAL.company("acme")
    names = {record["id"]: record["name"] for record in company.records("company/companies").values()}
    tickets, people = company.records("service/tickets"), company.records("company/contacts")

    for path in ("service/tickets", "time/entries", "company/contacts", "finance/invoices"):
        for record in company.records(path).values():
            if "company" in record:
                assert record["company"]["name"] == names[record["company"]["id"]]
    for entry in company.records("time/entries").values():
        if entry["chargeToType"] == "ServiceTicket":
            ticket = tickets[entry["chargeToId"]]
            assert entry["company"]["id"] == ticket["company"]["id"]
            assert entry["ticket"]["summary"] == ticket["summary"]
    for ticket in tickets.values():
        if "contact" in ticket:
            person = people[ticket["contact"]["id"]]
            assert ticket["contact"]["name"] == f"{person['firstName']} {person['lastName']}"


@pytest.mark.parametrize("site", [NORMAL, HOSTILE], ids=["normal", "hostile"])
def test_some_contacts_carry_what_must_never_reach_a_disk(site: Site) -> None:
    contacts = _records(site, "company/contacts")

    assert (
        0 < sum("portalPassword" in contact and "securityIdentifier" in contact for contact in contacts) < len(contacts)
    )


@pytest.mark.parametrize(
    "text",
    ["(Inactive)", '">', "\\\\\\\\", "é", "\u00a0", "\u200b", "💻", "1899-12-30", "0001-01-01", '"actualHours":-'],
)
def test_the_awkward_texts_of_real_sites_are_there(text: str) -> None:
    bodies = [body for path in MAIN for body in NORMAL.company("acme").table(path).snapshot.bodies]

    assert any(text.encode() in body for body in bodies)


def test_custom_fields_have_values_of_every_type_and_none() -> None:
    elements = [field for ticket in _records(NORMAL, "service/tickets") for field in ticket.get("customFields", [])]

    assert {type(element.get("value")) for element in elements} == {str, bool, int, float, type(None)}
    assert any("value" not in element for element in elements)


@pytest.mark.parametrize(
    "nasty",
    [
        b"\\u0000", b"\\ud83d.", b"123456789012345678901234567890", b'"a few"', b'"maybe"', b"just text",
        b"2025-02-30T25:61:00Z", b'"_info":{}', b"yesterday", b"2099-12-31", b'"customFields":null', b'"Same"',
        b"aFieldOfNextYear",
    ],
)  # fmt: skip
def test_the_hostile_profile_has_every_nasty_kind_and_the_normal_one_none(nasty: bytes) -> None:
    def found(site: Site) -> bool:
        return any(nasty in body for path in MAIN for body in site.company("acme").table(path).snapshot.bodies)

    assert found(HOSTILE)
    assert not found(NORMAL)


def test_hostile_records_may_lack_their_info_or_be_very_long() -> None:
    tickets = NORMAL.company("acme").table("service/tickets"), HOSTILE.company("acme").table("service/tickets")

    assert [any(len(body) > 200_000 for body in table.snapshot.bodies) for table in tickets] == [False, True]
    assert any("_info" not in ticket for ticket in _records(HOSTILE, "service/tickets"))


def test_at_least_twelve_more_tables_have_records_that_only_know_their_schema() -> None:
    more = [path for path in schemas() if "{" not in path and path not in MAIN]

    assert len(more) >= 12
    for path in more:
        records = _records(NORMAL, path)
        assert records, path
        known = {field.name for field in schemas()[path].fields.values()} | {"_info"}
        assert all(set(record) <= known for record in records), path


def test_a_board_and_its_statuses_are_those_that_tickets_name() -> None:
    company = NORMAL.company("acme")
    ticket = _records(NORMAL, "service/tickets")[0]

    statuses = company.records(f"service/boards/{ticket['board']['id']}/statuses")

    assert statuses[ticket["status"]["id"]]["name"] == ticket["status"]["name"]


def test_the_same_seed_gives_the_same_data_and_credentials_and_another_one_others() -> None:
    first, second, other = (small_site(seed=seed) for seed in (7, 7, 8))

    for path in (*MAIN, "system/members"):
        bodies = [site.company("acme").table(path).snapshot.bodies for site in (first, second, other)]
        assert bodies[0] == bodies[1]
        assert bodies[0] != bodies[2]
    keys = [site.company("acme").credentials for site in (first, second, other)]
    assert keys[0] == keys[1]
    assert keys[0].private_key != keys[2].private_key
    assert first.company("birch").credentials.private_key != keys[0].private_key


def test_a_private_key_does_not_show() -> None:
    keys = small_site().company("acme").credentials

    assert keys.private_key not in repr(keys)


# The door: who is let in, where things are, and the documented bodies of what is refused.


def test_company_info_needs_no_credentials_and_ends_its_codebase_with_a_slash() -> None:
    info = json.loads(ask(small_site(), "/login/companyinfo/ACME", headers={"authorization": "", "clientid": ""}).body)

    assert info["Codebase"] == "v2025_1/"
    assert info["IsCloud"] is True


def test_an_unknown_company_is_a_200_with_null() -> None:
    answer = ask(small_site(), "/login/companyinfo/nobody")

    assert (answer.status, answer.body) == (200, b"null")


@pytest.mark.parametrize("authorization", ["", "Basic !", "Basic YWNtZSt4Onk=", "Bearer x"])
def test_wrong_credentials_are_refused_with_401(authorization: str) -> None:
    answer = ask(small_site(), "service/tickets", headers={"authorization": authorization})

    assert answer.status == 401
    assert json.loads(answer.body) == {"code": "Unauthorized", "message": "Invalid credentials.", "errors": None}


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_client_id_is_refused_as_the_site_is_set_up(status: int) -> None:
    site = small_site(behaviour=Behaviour(missing_client_id_status=status))

    assert ask(site, "service/tickets", headers={"clientid": ""}).status == status
    assert ask(site, "service/tickets", headers={"clientid": headers_of(site)["clientid"].upper()}).status == 200


def test_a_company_cannot_sign_in_with_the_keys_of_another() -> None:
    site = small_site()
    stolen = headers_of(site, "birch")["authorization"]

    assert ask(site, "service/tickets", headers={"authorization": stolen}).status == 401


def test_a_wrong_codebase_is_the_web_servers_own_404() -> None:
    answer = ask(small_site(), "/v2019_3/apis/3.0/service/tickets")

    assert (answer.status, answer.content_type) == (404, "text/html")


def test_the_legacy_codebase_works_where_it_is_served() -> None:
    path = "/v4_6_release/apis/3.0/service/tickets"

    assert ask(small_site(), path).status == 200
    assert ask(small_site(behaviour=Behaviour(is_legacy_codebase_served=False)), path).status == 404


def test_an_unknown_record_is_a_404_that_names_it() -> None:
    answer = ask(small_site(), "service/tickets/1255787")

    assert answer.status == 404
    assert json.loads(answer.body) == {"code": "NotFound", "message": "Ticket 1255787 not found", "errors": None}


def test_a_record_is_found_by_its_id_with_trailing_slash_and_unknown_parameters() -> None:
    site = small_site()
    record_id, record = next(iter(site.company("acme").records("service/tickets").items()))

    answer = ask(site, f"Service/Tickets/{record_id}/", recordId="", recordType="x")

    assert json.loads(answer.body) == record
    assert len(rows(ask(site, "service/tickets/", PAGESIZE=3))) == 3


def test_other_methods_and_other_paths_are_refused() -> None:
    site = small_site()

    assert ask(site, "service/tickets", method="DELETE").status == 405
    assert ask(site, "service/unicorns").status == 404
    assert ask(site, "service/boards/999/statuses").status == 404
    assert ask(site, "service/tickets", conditions="id=1 or " * 2_000 + "id=1").status == 414


def test_an_answer_names_the_request_and_the_version() -> None:
    site = small_site()

    first, second = ask(site, "system/info"), ask(site, "system/info")

    assert first.header("x-cw-request-id") != second.header("x-cw-request-id")
    assert first.header("api-current-version") == "2025.1"
