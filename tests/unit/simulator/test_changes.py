"""Records change as asked, the truth is known, and readers see one version of a table at a time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from avesa.simulator.runner import announcement, parse_sizes, specs
from avesa.simulator.site import Changes, CompanySpec, Site
from tests.unit.simulator.asking import NOW, ask, ids, small_site

if TYPE_CHECKING:
    from avesa.simulator.wire import Request

AT = datetime(2026, 2, 1, 8, tzinfo=UTC)
TICKETS, COMPANIES = "service/tickets", "company/companies"


def _business(record: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in record.items() if name != "_info"}


def test_each_kind_of_change_changes_what_it_says() -> None:
    company = small_site().company("acme")
    before = company.records(TICKETS)

    done = company.apply(TICKETS, Changes(edits=5, touches=4, inserts=3, deletes=2, silent=6, moves_to_project=1), AT)

    after = company.records(TICKETS)
    stamp = "2026-02-01T08:00:00Z"
    assert [len(done.edited), len(done.touched), len(done.inserted), len(done.deleted)] == [5, 4, 3, 2]
    for record_id in done.edited:
        assert after[record_id]["_info"]["lastUpdated"] == stamp
        assert _business(after[record_id]) != _business(before[record_id])
    for record_id in done.touched:
        assert after[record_id]["_info"]["lastUpdated"] == stamp
        assert _business(after[record_id]) == _business(before[record_id])
    for record_id in done.silent:
        assert after[record_id]["_info"] == before[record_id]["_info"]
        assert after[record_id] != before[record_id]
    assert set(done.inserted) == set(after) - set(before)
    assert set(done.deleted) | set(done.moved) == set(before) - set(after)
    assert set(done.moved) <= set(company.records("project/tickets"))


def test_a_merge_deletes_softly_and_does_not_say_so_by_its_time() -> None:
    company = small_site().company("acme")
    before = company.records(COMPANIES)

    done = company.apply(COMPANIES, Changes(merges=2), AT)

    for record_id in done.merged:
        after = company.records(COMPANIES)[record_id]
        assert after == before[record_id] | {"deletedFlag": True}


def test_an_increment_sees_edits_touches_and_inserts_and_nothing_else() -> None:
    site = small_site()
    done = site.company("acme").apply(TICKETS, Changes(edits=5, touches=4, inserts=3, deletes=2, silent=6), AT)

    found = ids(ask(site, TICKETS, conditions="lastUpdated > [2026-01-31T00:00:00Z]", pageSize=1000))

    assert sorted(found) == sorted([*done.edited, *done.touched, *done.inserted])


def test_the_same_calls_on_the_same_seed_change_the_same_records() -> None:
    first, second = (small_site().company("acme") for _ in range(2))
    changes = Changes(edits=3, inserts=2, deletes=1)

    for _ in range(2):
        assert first.apply(TICKETS, changes, AT) == second.apply(TICKETS, changes, AT)

    assert first.records(TICKETS) == second.records(TICKETS)


def test_more_changes_than_rows_change_every_row_once() -> None:
    company = small_site().company("acme")

    done = company.apply(COMPANIES, Changes(edits=8, deletes=100), AT)

    assert len(done.edited) + len(done.deleted) == 12
    assert company.apply("time_entries", Changes(edits=2, recent_share=1.0), AT).edited


def test_a_deleted_record_is_not_found_and_comes_back_as_it_was() -> None:
    site = small_site()
    company = site.company("acme")
    record_id, record = next(iter(company.records(TICKETS).items()))

    company.delete(TICKETS, record_id)
    missing = ask(site, f"{TICKETS}/{record_id}").status
    company.restore(TICKETS, record_id)

    assert missing == 404
    assert company.records(TICKETS)[record_id] == record
    assert ids(ask(site, TICKETS, pageSize=1))[0] == record_id


def test_an_id_is_not_given_twice() -> None:
    company = small_site().company("acme")
    highest = max(company.records(TICKETS))

    company.delete(TICKETS, highest)

    assert min(company.apply(TICKETS, Changes(inserts=1), AT).inserted) > highest


def test_edit_and_put_change_one_record() -> None:
    company = small_site().company("acme")
    record_id = next(iter(company.records(TICKETS)))

    company.edit(TICKETS, record_id, {"status/name": "Odd", "summary": None}, AT)
    company.put(TICKETS, {"id": 3, "summary": "new"})

    edited = company.records(TICKETS)[record_id]
    assert edited["status"]["name"] == "Odd"
    assert "summary" not in edited
    assert edited["_info"]["lastUpdated"] == "2026-02-01T08:00:00Z"
    assert company.records(TICKETS)[3] == {"id": 3, "summary": "new"}


def test_a_silent_edit_keeps_the_time_and_an_edit_without_one_takes_the_clocks() -> None:
    company = small_site().company("acme")
    first, second = list(company.records(TICKETS))[:2]
    former = company.records(TICKETS)[first]["_info"]

    company.edit(TICKETS, first, {"summary": "x"}, silent=True)
    company.edit(TICKETS, second, {"summary": "x"})

    assert company.records(TICKETS)[first]["_info"] == former
    assert company.records(TICKETS)[second]["_info"]["lastUpdated"] == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("act", ["edit", "delete", "restore"])
def test_a_change_to_a_record_that_is_not_there_is_refused(act: str) -> None:
    company = small_site().company("acme")

    with pytest.raises(KeyError):
        company.edit(TICKETS, 1, {}) if act == "edit" else getattr(company, act)(TICKETS, 1)


def test_a_text_that_is_no_record_is_listed_as_it_is_and_matches_nothing() -> None:
    site = small_site()
    site.company("acme").put_body(TICKETS, 1, b'"not a record"')

    assert ask(site, TICKETS, pageSize=1, fields="id").body == b'["not a record"]'
    assert ask(site, TICKETS, conditions="summary != null", pageSize=1000).status == 200


def test_a_snapshot_stays_what_it_was() -> None:
    company = small_site().company("acme")
    snapshot = company.table(TICKETS).snapshot
    bodies = list(snapshot.bodies)

    company.apply(TICKETS, Changes(edits=20, deletes=20, inserts=20), AT)

    assert snapshot.bodies == bodies
    assert len(snapshot.ids) == len(snapshot.stamps) == len(bodies)


def test_a_hook_changes_records_between_the_pages_of_a_read() -> None:
    site = small_site()
    seen: list[str] = []

    def hook(request: Request) -> None:
        seen.append(request.path)
        site.company("acme").apply(TICKETS, Changes(inserts=1))

    site.on_request = hook

    counts = [json.loads(ask(site, f"{TICKETS}/count").body)["count"] for _ in range(3)]

    assert counts == [121, 122, 123]
    assert len(seen) == 3


def test_an_unknown_table_or_profile_is_refused_with_what_is_known() -> None:
    with pytest.raises(ValueError, match=r"no such table; known are .*service/tickets"):
        Site(companies=[CompanySpec(login="acme", sizes={"service/unicorns": 3})])
    with pytest.raises(ValueError, match="use normal or hostile"):
        Site(companies=[], profile="odd")
    with pytest.raises(KeyError):
        small_site().company("acme").table("service/unicorns")


def test_sizes_are_read_from_text() -> None:
    assert parse_sizes("tickets=10, system/locations=2,") == {"tickets": 10, "system/locations": 2}
    with pytest.raises(ValueError, match="'tickets' is not of the form"):
        parse_sizes("tickets")


def test_the_announcement_has_five_lines_to_copy_for_each_company() -> None:
    site = Site(companies=specs(9, {}), clock=lambda: NOW)

    text = announcement(site, "http://127.0.0.1:1", "text")

    assert text.count("export CONNECTWISE_PRIVATE_KEY=") == 9
    assert "export CONNECTWISE_COMPANY_ID=company-9\n" in text
    assert text.count("export CONNECTWISE_API_BASE_URL=http://127.0.0.1:1") == 9
