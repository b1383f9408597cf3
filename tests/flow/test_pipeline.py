"""The main job over real HTTP with real adapters: after any history, every row and column equals the source's truth."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from avesa.application.context import Bounds
from avesa.simulator.site import Changes, CompanySpec, FaultKind, Rule, Site
from tests.flow.pipeline import PATHS, mapping_folder, pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flow.pipeline import Pipeline, Row

SIZES = {"service/tickets": 3_000, "time/entries": 2_000, "company/companies": 120, "company/contacts": 700}
SMALL = {"service/tickets": 400, "time/entries": 200, "company/companies": 40, "company/contacts": 120}


def site_of(*logins: str, sizes: dict[str, int] | None = None, profile: str = "normal") -> Site:
    return Site(seed=5, companies=[CompanySpec(login=login, sizes=sizes or SMALL) for login in logins], profile=profile)


def change_all(site: Site, login: str, changes: Changes, at: datetime | None = None) -> None:
    for path in PATHS.values():
        site.company(login).apply(path, changes, at=at)


class EditsDuringTheRead:
    """Changes the tables between the requests of a read, as users do."""

    def __init__(self, site: Site, login: str, *, times: int) -> None:
        self._site, self._login, self._left = site, login, times
        self._lock = threading.Lock()

    def __call__(self, _: object) -> None:
        with self._lock:
            if self._left <= 0:
                return
            self._left -= 1
            path = list(PATHS.values())[self._left % len(PATHS)]
            self._site.company(self._login).apply(path, Changes(edits=6, touches=3, inserts=2, deletes=1))


def test_load_change_and_increment_under_live_edits_equal_the_source_in_every_column(tmp_path: Path) -> None:
    site = site_of("acme", sizes=SIZES)
    with pipeline(site, tmp_path / "home", "acme", processes=2) as made:
        # Load, while people work.
        site.on_request = EditsDuringTheRead(site, "acme", times=24)
        first = made.run()
        assert first["status"] == "completed"
        # Change, and an increment, while people work.
        change_all(site, "acme", Changes(edits=40, touches=20, inserts=15, deletes=5))
        site.on_request = EditsDuringTheRead(site, "acme", times=24)
        assert made.run()["status"] == "completed"
        site.on_request = None
        # What was edited behind the last read's back comes with the next; what was deleted, with a sweep.
        last = made.run(detect_deletes=True)

        assert last["status"] == "completed"
        made.assert_true()
        for table in made.tables(last).values():
            assert table["reconciled"]["source"] == table["reconciled"]["lake"]
        before = {table: made.rows(table) for table in PATHS}
        assert made.run(rebuild=True)["status"] == "completed"
        assert {table: made.rows(table) for table in PATHS} == before


def test_deleted_records_are_closed_and_those_that_come_back_open_again(tmp_path: Path) -> None:
    site = site_of("acme")
    acme = site.company("acme")
    with pipeline(site, tmp_path / "home", "acme") as made:
        made.run()
        gone = sorted(acme.records("service/tickets"))[10:14]
        for record_id in gone:
            acme.delete("service/tickets", record_id)

        closed = made.tables(made.run(table_name="tickets", detect_deletes=True))["tickets"]

        rows = {int(row["id"]): row for row in made.rows("tickets")}
        assert closed["versions_closed"] == len(gone)
        assert all(rows[record_id]["is_deleted"] and not rows[record_id]["is_current"] for record_id in gone)
        deletions = list((made.lake / "acme/raw/connectwise/service/tickets/deletions").rglob("*.parquet"))
        (deletion,) = [pq.ParquetFile(file).read() for file in deletions]
        assert deletion.column_names == ["id", "found_missing_at", "job_id"]
        assert {int(text) for text in deletion.column("id").to_pylist()} == set(gone)

        acme.restore("service/tickets", gone[0])
        acme.restore("service/tickets", gone[1])
        acme.edit("service/tickets", gone[1], {"summary": "back, and edited"})
        made.run(table_name="tickets", detect_deletes=True)

        made.assert_true(tables=("tickets",))
        first, second = (row for row in made.rows("tickets") if int(row["id"]) == gone[0])
        assert first["is_deleted"]
        assert second["is_current"]
        # It came back as it was: it is open from when it was found again, and the gap between is right.
        assert second["valid_from"] > first["valid_to"]


def test_a_silent_change_corrects_the_version_in_place_at_the_next_whole_read(tmp_path: Path) -> None:
    site = site_of("acme")
    with pipeline(site, tmp_path / "home", "acme") as made:
        made.run()
        site.company("acme").apply("service/tickets", Changes(silent=7))

        assert made.tables(made.run())["tickets"]["versions_corrected"] == 0
        corrected = made.tables(made.run(full_sync=True))["tickets"]

        counts = [corrected[f"versions_{kind}"] for kind in ("opened", "closed", "corrected")]
        assert counts == [0, 0, 7]
        made.assert_true()


def test_a_merged_company_is_seen_by_the_sweep_although_its_time_did_not_move(tmp_path: Path) -> None:
    site = site_of("acme")
    with pipeline(site, tmp_path / "home", "acme") as made:
        made.run()
        merged = site.company("acme").apply("company/companies", Changes(merges=3)).merged

        made.run()
        assert not any(made.current("companies")[record_id]["deleted_flag"] for record_id in merged)
        made.run(detect_deletes=True)

        current = made.current("companies")
        assert all(current[record_id]["deleted_flag"] for record_id in merged)
        assert not any(row["is_deleted"] for row in made.rows("companies"))
        made.assert_true()


def test_a_state_that_arrives_late_goes_into_the_past(tmp_path: Path) -> None:
    site = site_of("acme")
    acme = site.company("acme")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with pipeline(site, tmp_path / "home", "acme") as made:
        record_id = min(acme.records("service/tickets"))
        acme.edit("service/tickets", record_id, {"summary": "A"}, at=at)
        made.run(table_name="tickets")
        acme.edit("service/tickets", record_id, {"summary": "A"}, at=at + timedelta(days=3))
        newest = acme.records("service/tickets")[record_id]
        made.run(table_name="tickets", full_sync=True)
        # A restored backup shows, for a moment, what was between the two.
        acme.edit("service/tickets", record_id, {"summary": "B"}, at=at + timedelta(days=2))
        made.run(table_name="tickets", full_sync=True)
        acme.put("service/tickets", newest)
        made.run(table_name="tickets", full_sync=True)

        versions = [row for row in made.rows("tickets") if int(row["id"]) == record_id]
        assert [row["summary"] for row in versions] == ["A", "B", "A"]
        assert [row["valid_from"] for row in versions] == [at, at + timedelta(days=2), at + timedelta(days=3)]
        assert [row["is_current"] for row in versions] == [False, False, True]
        made.assert_true(tables=("tickets",))


def test_a_touch_opens_no_version_and_moves_last_updated(tmp_path: Path) -> None:
    site = site_of("acme")
    with pipeline(site, tmp_path / "home", "acme") as made:
        made.run()
        site.company("acme").apply("service/tickets", Changes(touches=20))

        found = made.tables(made.run())["tickets"]

        assert (found["records_extracted"], found["versions_opened"], found["versions_closed"]) == (20, 0, 0)
        made.assert_true()


def test_links_that_change_without_a_business_change_open_no_version(tmp_path: Path) -> None:
    site = site_of("acme")
    acme = site.company("acme")
    with pipeline(site, tmp_path / "home", "acme") as made:
        made.run()
        for record_id in sorted(acme.records("service/tickets"))[:5]:
            acme.edit("service/tickets", record_id, {"_info/image_href": f"https://x/?lm={record_id}"})

        assert made.tables(made.run())["tickets"]["versions_opened"] == 0


# ------------------------------------------------------------------------------------------------- mappings


def test_another_mapping_rebuilds_the_table_from_raw(tmp_path: Path) -> None:
    site = site_of("acme")

    def with_source_column(documents: dict[str, Any]) -> None:
        columns = documents["canonical/tickets.json"]["columns"]
        columns.insert(5, {"name": "source_name", "type": "string", "source": "source/name"})

    with pipeline(site, tmp_path / "home", "acme") as made:
        made.run()
        site.company("acme").apply("service/tickets", Changes(edits=10))
        made.run()
        before = made.rows("tickets")
    site.statistics.clear()
    mappings = mapping_folder(tmp_path / "mappings", with_source_column)
    with pipeline(site, tmp_path / "home", "acme", mappings=mappings) as made:
        assert made.run(table_name="tickets")["status"] == "completed"

        after = made.rows("tickets")
        assert all(row["source_name"] is not None for row in after)
        names = set(before[0]) - {"record_hash"}
        assert [{name: row[name] for name in names} for row in after] == [
            {name: row[name] for name in names} for row in before
        ]


def test_an_endpoint_and_a_table_are_added_by_editing_json_alone(tmp_path: Path) -> None:
    site = site_of("acme", sizes=SMALL | {"finance/invoices": 90})

    def with_invoices(documents: dict[str, Any]) -> None:
        endpoint = documents["integrations/connectwise_endpoints.json"]["endpoints"]["finance/invoices"]
        endpoint |= {"enabled": True, "canonical_table": "invoices"}
        documents["canonical/invoices.json"] = {
            "table": "invoices",
            "service": "connectwise",
            "endpoint": "finance/invoices",
            "columns": [
                {"name": "id", "type": "string", "source": "id"},
                {"name": "company_name", "type": "string", "source": "company/name"},
                {"name": "last_updated", "type": "timestamp", "source": "_info/lastUpdated"},
                {"name": "last_updated_by", "type": "string", "source": "_info/updatedBy"},
            ],
        }

    mappings = mapping_folder(tmp_path / "mappings", with_invoices)
    with pipeline(site, tmp_path / "home", "acme", mappings=mappings) as made:
        assert made.run()["status"] == "completed"
        site.company("acme").apply("finance/invoices", Changes(inserts=4, deletes=2))
        made.run(detect_deletes=True)

        truth = site.company("acme").records("finance/invoices")
        current = made.current("invoices")
        assert current.keys() == truth.keys()
        for record_id, record in truth.items():
            assert current[record_id]["company_name"] == (record.get("company") or {}).get("name")


def test_an_endpoint_without_a_table_is_kept_raw_alone(tmp_path: Path) -> None:
    site = site_of("acme", sizes=SMALL | {"sales/activities": 30})

    def with_activities(documents: dict[str, Any]) -> None:
        documents["integrations/connectwise_endpoints.json"]["endpoints"]["sales/activities"]["enabled"] = True

    with pipeline(site, tmp_path / "home", "acme", mappings=mapping_folder(tmp_path / "m", with_activities)) as made:
        found = made.tables(made.run(table_name="sales/activities"))["sales/activities"]

        assert (found["status"], found["records_extracted"], found["versions_opened"]) == ("completed", 30, 0)
        assert len(made.raw("sales/activities")) == 30


# ------------------------------------------------------------------------------------------------------ raw


def test_raw_holds_the_contracts_columns_and_the_text_as_received(tmp_path: Path) -> None:
    site = site_of("acme")
    with pipeline(site, tmp_path / "home", "acme") as made:
        job = made.run()["job_id"]

        snapshot = site.company("acme").table("service/tickets").snapshot
        sent = dict(zip(snapshot.ids, snapshot.bodies, strict=True))
        rows = made.raw("service/tickets")
        assert list(rows[0]) == ["id", "last_updated", "ingested_at", "job_id", "chunk_id", "payload"]
        assert {int(row["id"]): row["payload"].encode() for row in rows} == sent
        for row in rows:
            told = json.loads(row["payload"])["_info"]["lastUpdated"]
            assert row["last_updated"] == datetime.fromisoformat(told)
            assert row["job_id"] == job
            assert row["chunk_id"].startswith(f"{job}/service/tickets/")
            assert row["ingested_at"].tzinfo is not None


def test_dropped_fields_of_contacts_reach_no_disk(tmp_path: Path) -> None:
    site = site_of("acme")
    acme = site.company("acme")
    planted = 0
    for record_id, record in acme.records("company/contacts").items():
        acme.put(
            "company/contacts", record | {"portalPassword": f"planted-{record_id}", "securityIdentifier": "plantedtoo"}
        )
        planted += 1
    # One that cannot be read must not carry them into quarantine either.
    acme.put_body("company/contacts", 999_001, b'{"portalPassword":"planted-x","securityIdentifier":"plantedtoo"}')
    with pipeline(site, tmp_path / "home", "acme") as made:
        assert made.tables(made.run())["contacts"]["quarantined"] == 1

        assert len(made.raw("company/contacts")) == planted
        texts = [row["payload"] for row in made.raw("company/contacts")]
        assert not any("planted" in text or "portalPassword" in text for text in texts)
        assert not any(b"planted" in file.read_bytes() for file in made.home.rglob("*") if file.is_file())


# ------------------------------------------------------------------------------------------- many, and nasty


def test_eight_tenants_side_by_side_each_get_their_own_rows(tmp_path: Path) -> None:
    logins = [f"tenant-{number}" for number in range(8)]
    sizes = {"service/tickets": 120, "time/entries": 60, "company/companies": 20, "company/contacts": 40}
    site = site_of(*logins, sizes=sizes)
    site.faults.add(Rule(kind=FaultKind.TOO_MANY_REQUESTS, probability=0.05, times=3, retry_after=0))
    site.faults.add(Rule(kind=FaultKind.UNAUTHORIZED, company="tenant-3", path="service/tickets*", skip=3))
    with pipeline(site, tmp_path / "home", *logins) as made:
        result = made.run()

        states = {item["tenant_id"]: item["status"] for item in result["tenants"]}
        assert states == dict.fromkeys(logins, "completed") | {"tenant-3": "partial_success"}
        assert all(peak <= 8 for peak in site.statistics.peak_under_way().values())
        for login in logins:
            if login != "tenant-3":
                made.assert_true(login)


def test_the_hostile_profile_completes_with_everything_readable_present(tmp_path: Path) -> None:
    site = site_of("acme", profile="hostile", sizes={**SMALL, "service/tickets": 600})
    acme = site.company("acme")
    acme.put_body("service/tickets", 999_001, b'{"summary":"no id"}')
    acme.put_body("service/tickets", 999_002, b"5")
    with pipeline(site, tmp_path / "home", "acme") as made:
        result = made.run()

        assert result["status"] == "completed"
        found = made.tables(result)
        assert found["tickets"]["quarantined"] == 2
        for table, path in PATHS.items():
            readable = set(acme.table(path).snapshot.ids) - {999_001, 999_002}
            assert made.current(table).keys() == readable
            assert {int(row["id"]) for row in made.raw(path)} == readable
        assert found["tickets"]["coerced"] > 0
        again = made.run(full_sync=True)
        assert all(
            (table["versions_opened"], table["versions_corrected"]) == (0, 0) for table in made.tables(again).values()
        )
        before = {table: made.rows(table) for table in PATHS}
        made.run(rebuild=True)
        assert {table: made.rows(table) for table in PATHS} == before


@pytest.mark.parametrize("table", ["tickets"])
def test_a_lone_surrogate_and_a_nul_cost_their_text_alone(tmp_path: Path, table: str) -> None:
    site = site_of("acme")
    acme = site.company("acme")
    acme.put_body("service/tickets", 999_001, b'{"id":999001,"summary":"half \\ud83d.","severity":"Low"}')
    acme.put_body("service/tickets", 999_002, b'{"id":999002,"summary":"before\\u0000after","severity":"Low"}')
    with pipeline(site, tmp_path / "home", "acme") as made:
        made.run(table_name=table)

        current = made.current(table)
        assert current[999_001]["severity"] == current[999_002]["severity"] == "Low"
        assert current[999_002]["summary"] == "beforeafter"
        payloads = {row["id"]: row["payload"] for row in made.raw("service/tickets")}
        assert "\\ud83d" in payloads["999001"]
        assert "\\u0000" in payloads["999002"]


# ------------------------------------------------------------------------------------------- the wire itself


@pytest.mark.parametrize(
    "rule",
    [
        Rule(kind=FaultKind.CUT_BODY, path="service/tickets", times=3),
        Rule(kind=FaultKind.TRUNCATED_JSON, path="service/tickets", times=3),
        Rule(kind=FaultKind.SERVER_ERROR, path="service/tickets", times=2, html=True),
        Rule(kind=FaultKind.TOO_MANY_REQUESTS, path="service/tickets", times=2, retry_after=0, html=True),
        Rule(kind=FaultKind.CODEBASE_MOVE, path="service/tickets", skip=2, times=1, codebase="v2026_1/"),
    ],
    ids=lambda rule: rule.kind.value,
)
def test_a_faulty_wire_loses_nothing(tmp_path: Path, rule: Rule) -> None:
    site = site_of("acme", sizes=SMALL | {"service/tickets": 2_200})
    with pipeline(site, tmp_path / "home", "acme") as made:
        site.faults.add(rule)

        assert made.run(table_name="tickets")["status"] == "completed"
        assert sum(struck for _, struck in site.faults.rules()) > 0
        made.assert_true(tables=("tickets",))


def test_groups_that_hold_few_rows_give_the_same_tables(tmp_path: Path) -> None:
    site = site_of("acme", sizes=SIZES)
    rows: list[dict[str, list[Row]]] = []
    for name, bounds in (("a", Bounds()), ("b", Bounds(fold_rows=100, fold_buckets=1))):
        with pipeline(site, tmp_path / name, "acme", bounds=bounds) as made:
            made.run(table_name="tickets")
            made.assert_true(tables=("tickets",))
            rows.append({"tickets": _timeless(made)})

    assert rows[0] == rows[1]


def _timeless(made: Pipeline) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "ingested_at"} for row in made.rows("tickets")]
