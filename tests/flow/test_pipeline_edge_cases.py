"""Odd records that real sites have, each put among normal ones: its row is right, and nothing else suffers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from avesa.simulator.paging import Limits
from avesa.simulator.site import Behaviour, CompanySpec, FaultKind, Rule, Site
from tests.flow.pipeline import mapping_folder, pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.flow.pipeline import Row

SMALL = {"service/tickets": 60, "time/entries": 40, "company/companies": 20, "company/contacts": 30}
STATUS = {"id": 5, "name": "New", "_info": {"status_href": "https://x"}}
LONG = "word " * 50_000
HTML = '<p style="a">\\\\server\\share &amp; <a href="https://safelinks.example/?url=x">x</a></p>\nFrom: a@b.example'
STRANGE = "a\u200bb\u00a0c\u200f"
CUSTOM = {"id": 1, "caption": "Same", "type": "Number", "entryMethod": "EntryField"}

TICKETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "absent, null and empty": (
        {"status": None, "severity": None, "summary": "", "impact": "Low"},
        {"status": None, "severity": None, "summary": "", "impact": "Low", "owner_name": None},
    ),
    "reference without _info, id 0": (
        {"board": {"id": 0, "name": "Gone"}, "owner": {"id": 999_999, "name": "Left the firm"}},
        {"board_id": "0", "board_name": "Gone", "owner_id": "999999", "owner_name": "Left the firm"},
    ),
    "reference without a name": ({"team": {"id": 7}}, {"team_id": "7", "team_name": None}),
    "customFields null": ({"customFields": None, "summary": "kept"}, {"summary": "kept"}),
    "customFields empty": ({"customFields": [], "summary": "kept"}, {"summary": "kept"}),
    "customFields of every type": (
        {
            "customFields": [CUSTOM | {"value": value} for value in ("a", True, 1, 1.5, "2025-01-01T00:00:00Z")]
            + [CUSTOM],
            "summary": "kept",
        },
        {"summary": "kept"},
    ),
    "whole number as double": ({"budgetHours": 2, "actualHours": 1.5}, {"budget_hours": 2.0, "actual_hours": 1.5}),
    "number as text": ({"actualHours": "45.00"}, {"actual_hours": 45.0}),
    "number past its column": (
        {"budgetHours": 10**400, "summary": "kept"},
        {"budget_hours": None, "summary": "kept"},
    ),
    "negative hours": ({"actualHours": -1.25}, {"actual_hours": -1.25}),
    "text longer than documented": ({"summary": "s" * 5_000}, {"summary": "s" * 5_000}),
    "NUL": ({"summary": "before\x00after"}, {"summary": "beforeafter"}),
    "zero width and NBSP": ({"summary": STRANGE}, {"summary": STRANGE}),
    "HTML and backslashes": ({"initialDescription": HTML}, {"description": HTML}),
    "a quarter of a megabyte": ({"initialDescription": LONG}, {"description": LONG}),
    "letters of the world": ({"summary": "Þór 株式会社 🎉"}, {"summary": "Þór 株式会社 🎉"}),
    "status of one name": ({"status": STATUS | {"id": 6}}, {"status": "New"}),
    "status beginning with >": ({"status": STATUS | {"name": ">Waiting"}}, {"status": ">Waiting"}),
    "closed by name alone": (
        {"status": STATUS | {"name": "Closed"}, "closedFlag": False, "closedDate": None, "closedBy": None},
        {"status": "Closed", "closed_date": None, "closed_by": None},
    ),
    "inactive contact": ({"contact": {"id": 1, "name": "Ann (Inactive)"}}, {"contact_name": "Ann (Inactive)"}),
    "merged parent that is missing": (
        {"mergedParentTicket": {"id": 1}, "parentTicketId": 1, "summary": "child"},
        {"summary": "child"},
    ),
    "date of year 1": ({"requiredDate": "0001-01-01T00:00:00Z", "summary": "kept"}, {"summary": "kept"}),
    "date that no type holds": ({"requiredDate": "2025-02-30T00:00:00Z"}, {"required_date": None}),
    "date without a year": ({"requiredDate": "Tue 11/04 9:00 AM UTC-05"}, {"required_date": None}),
    "fields of next year": ({"aFieldOfNextYear": {"deep": [1]}, "summary": "kept"}, {"summary": "kept"}),
}
FIRST_ID = 2_000_000_000
IDS = {name: FIRST_ID + 7 * number for number, name in enumerate(TICKETS)}
BIG_ID = 2**53 + 1


class Loaded(NamedTuple):
    """A load with every odd record in it."""

    sent: dict[str, str]
    """The text of each odd record."""
    current: dict[int, Row]
    result: dict[str, Any]
    raw: list[Row]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=SMALL)])
    acme = site.company("acme")
    normal = next(iter(acme.records("service/tickets").values()))
    sent = {}
    for name, (fields, _) in TICKETS.items():
        record = {key: value for key, value in normal.items() if key not in {"owner", "customFields"}}
        sent[name] = json.dumps(record | fields | {"id": IDS[name]}, ensure_ascii=False)
        acme.put_body("service/tickets", IDS[name], sent[name].encode())
    acme.put("service/tickets", normal | {"id": BIG_ID})
    with pipeline(site, tmp_path_factory.mktemp("odd"), "acme") as made:
        result = made.tables(made.run(table_name="tickets"))["tickets"]
        yield Loaded(sent, made.current("tickets"), result, made.raw("service/tickets"))


@pytest.mark.parametrize("name", TICKETS)
def test_an_odd_ticket_has_the_right_row(loaded: Loaded, name: str) -> None:
    row = loaded.current[IDS[name]]
    _, expected = TICKETS[name]

    assert {column: row[column] for column in expected} == expected


@pytest.mark.parametrize("name", TICKETS)
def test_raw_keeps_the_very_text_of_an_odd_ticket(loaded: Loaded, name: str) -> None:
    (found,) = [row for row in loaded.raw if row["id"] == str(IDS[name])]

    assert found["payload"] == loaded.sent[name]


def test_odd_records_fail_nothing_and_are_counted(loaded: Loaded) -> None:
    _, current, result, raw = loaded

    assert (result["status"], result["quarantined"]) == ("completed", 0)
    # A number and two dates that their columns cannot hold.
    assert result["coerced"] == 3
    assert len(current) == len(raw) == SMALL["service/tickets"] + len(TICKETS) + 1


def test_ids_have_gaps_and_never_pass_through_a_float(loaded: Loaded) -> None:
    assert loaded.current[BIG_ID]["id"] == str(BIG_ID)
    ids = {row["id"] for row in loaded.raw}
    assert str(BIG_ID) in ids
    assert str(round(float(BIG_ID))) not in ids


def test_a_rename_in_a_reference_corrects_the_version_at_the_next_whole_read(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=SMALL)])
    acme = site.company("acme")
    renamed = min(acme.records("service/tickets"))
    with pipeline(site, tmp_path_factory.mktemp("renamed"), "acme") as made:
        made.run(table_name="tickets")
        acme.edit("service/tickets", renamed, {"board/name": "Renamed"}, silent=True)

        found = made.tables(made.run(table_name="tickets", full_sync=True))["tickets"]

        assert (found["versions_corrected"], found["versions_opened"]) == (1, 0)
        assert made.current("tickets")[renamed]["board_name"] == "Renamed"


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_server_whose_greatest_page_is_smaller_loses_nothing_or_says_so(
    tmp_path_factory: pytest.TempPathFactory, *, is_refused: bool
) -> None:
    behaviour = Behaviour(limits=Limits(max_page_size=25, is_oversize_refused=is_refused))
    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=SMALL)], behaviour=behaviour)
    with pipeline(site, tmp_path_factory.mktemp("capped"), "acme") as made:
        found = made.tables(made.run(table_name="tickets"))["tickets"]

        if is_refused:
            assert found["status"] == "failed"
            assert "page object is invalid" in found["error"]
        else:
            made.assert_true(tables=("tickets",))

    def small_pages(documents: dict[str, Any]) -> None:
        documents["integrations/connectwise_endpoints.json"]["limits"]["page_size"] = 25

    folder = mapping_folder(tmp_path_factory.mktemp("mappings"), small_pages)
    with pipeline(site, tmp_path_factory.mktemp("mended"), "acme", mappings=folder) as made:
        assert made.run(table_name="tickets")["status"] == "completed"
        made.assert_true(tables=("tickets",))


def test_an_endpoint_without_forward_only_paging_is_walked_by_id(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def by_id(documents: dict[str, Any]) -> None:
        endpoints = documents["integrations/connectwise_endpoints.json"]
        endpoints["limits"]["page_size"] = 10
        endpoints["endpoints"]["service/tickets"]["paging"] = "id-condition"

    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=SMALL)])
    folder = mapping_folder(tmp_path_factory.mktemp("mappings"), by_id)
    with pipeline(site, tmp_path_factory.mktemp("walked"), "acme", mappings=folder) as made:
        assert made.run(table_name="tickets")["status"] == "completed"
        made.assert_true(tables=("tickets",))


def test_a_wide_condition_that_times_out_once_is_asked_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=SMALL)])
    with pipeline(site, tmp_path_factory.mktemp("wide"), "acme") as made:
        site.faults.add(Rule(kind=FaultKind.TIMEOUT, path="service/tickets/count", times=1))

        assert made.run(table_name="tickets")["status"] == "completed"
