"""The commands on a loaded home: what they answer, in which form, and with which exit status."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sqlite3
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from avesa.bootstrap.local_reading import local_sql
from avesa.domain.errors import UsageError
from avesa.entrypoints.demo_source import DemoSource, demo_source
from tests.flow.calling import COMMAND, ROOT, Called, avesa, credentials, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = {"service/tickets": 60, "time/entries": 40, "company/companies": 25, "company/contacts": 30}


@pytest.fixture(scope="module")
def source() -> Iterator[DemoSource]:
    with demo_source(seed=5, companies=2, sizes=SIZES) as running:
        yield running


@pytest.fixture(scope="module")
def setups(source: DemoSource, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Called]]:
    home = tmp_path_factory.mktemp("cli") / "home"
    called = [
        avesa(
            *("setup-service", "--tenant-id", company["company_id"], "--company-name", "Some IT", "--home", home),
            variables=credentials(company),
        )
        for company in source.companies
    ]
    return home, called


@pytest.fixture(scope="module")
def first_run(setups: tuple[Path, list[Called]]) -> Called:
    return avesa("run", "--home", setups[0], "--output", "json")


@pytest.fixture(scope="module")
def home(setups: tuple[Path, list[Called]], first_run: Called) -> Path:
    assert first_run.status == 0, first_run.err
    return setups[0]


def _ask(home: Path, sql: str, *options: str) -> list[dict[str, object]]:
    called = avesa("query", sql, "--home", home, "--output", "json", *options)
    assert called.status == 0, called.err
    rows: list[dict[str, object]] = json.loads(called.out)
    return rows


# -------------------------------------------------------------------------------------------------- status


def test_a_stale_table_is_marked_and_fails_a_check(home: Path, tmp_path: Path) -> None:
    own = shutil.copytree(home, tmp_path / "own")
    config = own / "data-storage-msp-local" / "mappings" / "backfill_config.json"
    fresh = avesa("status", "--check", "--home", own)
    with sqlite3.connect(own / "state.sqlite3") as database:
        database.execute('UPDATE LastUpdated SET value = replace(value, \'"bookmark_at":"20\', \'"bookmark_at":"19\')')
    config.write_text(config.read_text(encoding="utf-8").replace('": 180', '": 1'), encoding="utf-8")

    stale = avesa("status", "--check", "--home", own)
    told = avesa("status", "--home", own, "--output", "json")

    assert fresh.status == 0, fresh.out + fresh.err
    assert (stale.status, told.status) == (1, 0)
    assert "8 of 8 tables are stale" in stale.out
    assert told.json["stale"] == 8
    assert {table["target_seconds"] for table in told.json["tables"]} == {60}


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--watch",), "needs a terminal"), (("--watch", "--output", "json"), "for people")],
)
def test_watching_without_somebody_to_look_is_a_wrong_call(home: Path, options: tuple[str, ...], message: str) -> None:
    called = avesa("status", *options, "--home", home)

    assert called.status == 2
    assert message in called.err


# ---------------------------------------------------------------------------------------------------- plan


def test_a_plan_is_one_json_object_and_the_job_tells_how_far_off_it_was(
    home: Path, source: DemoSource, tmp_path: Path
) -> None:
    own = shutil.copytree(home, tmp_path / "own")
    tenant = source.companies[0]["company_id"]

    planned = avesa("plan", "--tenant-id", tenant, "--full-sync", "--home", own, "--output", "json")
    ran = avesa("run", "--tenant-id", tenant, "--full-sync", "--home", own, "--output", "json")
    told = avesa("job", ran.json["job_id"], "--home", own, "--output", "json")

    assert planned.status == 0, planned.err
    assert planned.json["total"]["records"] == sum(SIZES.values())
    assert 0 < planned.json["total"]["dollars"] < 1
    assert len(told.json["forecasts"]) == len(SIZES)
    assert all(item["forecast"]["records"] == item["actual"]["records"] for item in told.json["forecasts"])
    assert "As planned at" in avesa("job", ran.json["job_id"], "--home", own).out


def test_a_plan_for_people_names_its_guesses_and_the_date_of_its_prices(home: Path, tmp_path: Path) -> None:
    own = shutil.copytree(home, tmp_path / "own")

    called = avesa("plan", "--since", "2024-01-01", "--home", own)

    assert called.status == 0, called.err
    assert re.search(r"together: \d+ requests, .* on AWS \(prices of \d{4}-\d\d-\d\d\)", called.out)
    assert "guessed" in called.out


def test_a_plan_for_two_things_at_once_is_a_wrong_call(home: Path) -> None:
    called = avesa("plan", "--since", "2024-01-01", "--full-sync", "--home", home)

    assert called.status == 2
    assert "choose one" in called.err


# ------------------------------------------------------------------------------------------- setup-service


def test_setup_shows_what_it_tested_of_each_table(setups: tuple[Path, list[Called]]) -> None:
    _, (first, _second) = setups

    assert first.status == 0, first.err
    for table, size in SIZES.items():
        assert re.search(rf"{table} +{size}  works", first.out)


def test_setup_again_replaces_the_credentials(home: Path, source: DemoSource) -> None:
    company = source.companies[0]

    called = avesa(
        *("setup-service", "--tenant-id", company["company_id"], "--company-name", "Some IT", "--home", home),
        variables=credentials(company),
    )

    assert called.status == 0
    assert "set up again" in called.out


def test_wrong_credentials_store_nothing_and_are_not_repeated(source: DemoSource, tmp_path: Path) -> None:
    wrong = credentials(source.companies[0], private_key="planted-private-key")

    called = avesa(
        *("setup-service", "--tenant-id", "other", "--company-name", "Other", "--home", tmp_path), variables=wrong
    )

    assert called.status == 1
    assert "nothing was stored" in called.err
    assert "planted-private-key" not in called.out + called.err
    assert not (tmp_path / "secrets").exists()
    assert avesa("status", "--home", tmp_path).out.startswith("no tenant is registered")


def test_missing_credentials_are_named_when_nobody_can_be_asked(source: DemoSource, tmp_path: Path) -> None:
    some = credentials(source.companies[0])
    del some["CONNECTWISE_PRIVATE_KEY"], some["CONNECTWISE_CLIENT_ID"]

    called = avesa("setup-service", "--tenant-id", "other", "--company-name", "x", "--home", tmp_path, variables=some)

    assert called.status == 2
    assert "set CONNECTWISE_PRIVATE_KEY, CONNECTWISE_CLIENT_ID;" in called.err
    assert list(tmp_path.iterdir()) == []


def test_plain_http_to_another_host_is_refused(source: DemoSource, tmp_path: Path) -> None:
    elsewhere = credentials(source.companies[0], api_base_url="http://psa.example.com")

    called = avesa(
        "setup-service", "--tenant-id", "other", "--company-name", "x", "--home", tmp_path, variables=elsewhere
    )

    assert called.status == 2
    assert "use https" in called.err


def test_a_paused_tenant_is_not_run_until_it_is_resumed(home: Path) -> None:
    paused = avesa("setup-service", "--tenant-id", "birch", "--disabled", "--home", home, "--output", "json")
    refused = avesa("run", "--tenant-id", "birch", "--home", home)
    resumed = avesa("setup-service", "--tenant-id", "birch", "--enabled", "--home", home, "--output", "json")

    assert (paused.json["is_enabled"], refused.status, resumed.json["is_enabled"]) == (False, 2, True)
    assert "is paused" in refused.err


def test_the_guides_script_is_a_door_to_the_same_command() -> None:
    script = [COMMAND[0], str(ROOT / "scripts" / "setup-service.py"), "--help"]

    door = subprocess.run(script, env=environment(), capture_output=True, text=True, check=True)

    assert door.stdout == avesa("setup-service", "--help").out


# ----------------------------------------------------------------------------------------------------- run


def test_a_run_prints_one_json_object_of_the_contracts_shape(first_run: Called) -> None:
    lines = first_run.out.splitlines()
    result = first_run.json
    table = result["tenants"][0]["tables"][0]

    assert len(lines) == 1
    assert set(result) == {"job_id", "status", "tenants"}
    assert result["status"] == "completed"
    assert set(result["tenants"][0]) == {"tenant_id", "status", "error", "tables"}
    assert set(table) == {
        *("table_name", "canonical_table", "status", "records_extracted", "versions_opened", "versions_closed"),
        *("versions_corrected", "quarantined", "coerced", "reconciled", "error"),
    }
    assert {item["table_name"]: item["reconciled"] for item in result["tenants"][0]["tables"]} == {
        name: {"source": size, "lake": size} for name, size in SIZES.items()
    }


def test_progress_of_a_json_run_is_plain_lines_on_standard_error(first_run: Called) -> None:
    assert "acme service/tickets: reading: whole table" in first_run.err
    assert "birch time/entries: completed: 40 extracted, 40 opened, 0 closed" in first_run.err
    assert "\x1b" not in first_run.err


def test_a_text_run_reports_each_table_without_control_codes(home: Path) -> None:
    called = avesa("run", "--home", home, "--tenant-id", "acme", "--table-name", "tickets")

    assert called.status == 0
    assert re.search(r"^acme +service/tickets +completed +0 +0 +0 +0 +0$", called.out, re.MULTILINE)
    assert re.search(r"^job \S+: completed, 0 records in [\d.]+ s$", called.out, re.MULTILINE)
    assert "\x1b" not in called.out + called.err


def test_a_failed_table_makes_the_exit_status_1_and_the_rest_is_done(home: Path, source: DemoSource) -> None:
    source.strike(kind="forbidden", path="time/entries*", company="acme")
    try:
        called = avesa("run", "--home", home, "--output", "json")
    finally:
        source.spare()

    statuses = {
        (tenant["tenant_id"], table["table_name"]): table["status"]
        for tenant in called.json["tenants"]
        for table in tenant["tables"]
    }
    assert called.status == 1
    assert called.json["status"] == "partial_success"
    assert {key for key, status in statuses.items() if status != "completed"} == {("acme", "time/entries")}
    assert "security role" in avesa("job", called.json["job_id"], "--home", home).out


def test_a_rebuild_gives_the_same_rows_without_asking_the_source(home: Path) -> None:
    before = _ask(home, "SELECT * FROM tickets ORDER BY ALL")

    called = avesa("rebuild", "--home", home, "--table-name", "tickets", "--output", "json")

    assert called.status == 0, called.err
    assert called.json["tenants"][0]["tables"][0]["records_extracted"] == 0
    assert _ask(home, "SELECT * FROM tickets ORDER BY ALL") == before


def test_a_backfill_reads_a_range_again_and_leaves_the_bookmark(home: Path) -> None:
    def bookmarks() -> dict[str, str]:
        tables = avesa("status", "--home", home, "--output", "json").json["tables"]
        return {f"{item['tenant_id']} {item['table_name']}": item["bookmark_at"] for item in tables}

    before = bookmarks()

    called = avesa(
        *("backfill", "--since", "2022-01-01", "--until", "2026-01-01T00:00:00Z", "--tenant-id", "acme"),
        *("--table-name", "company/contacts", "--home", home, "--output", "json"),
    )

    table = called.json["tenants"][0]["tables"][0]
    assert called.status == 0, called.err
    assert (table["records_extracted"], table["versions_opened"]) == (30, 0)
    assert bookmarks() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--table-name", "nope"], "the enabled tables are: service/tickets"),
        (["run", "--tenant-id", "zulu"], "registered tenants: acme, birch"),
        (["run", "--tenant-id", "../x"], "tenant id '../x' is not allowed"),
        (["run", "--mappings", "no-such-folder"], "there is no such folder"),
        (["run", "--environment", "dev"], "--home is for the local environment"),
        (["run", "--bogus"], "No such option"),
        (["run", "--chunks", "0"], "--chunks"),
        (["backfill", "--since", "yesterday"], "--since"),
        (["backfill", "--since", "2025-01-02", "--until", "2025-01-01"], "must be before until"),
        (["job", "no-such-job"], "`avesa jobs` lists"),
        (["status", "--tenant-id", "zulu"], "registered tenants: acme, birch"),
        (["query", "SELECT 1", "--tenant-id", "zulu"], "registered tenants: acme, birch"),
    ],
)
def test_a_wrong_call_says_what_is_right_and_ends_with_2(home: Path, arguments: list[str], message: str) -> None:
    called = avesa(*arguments, "--home", home)

    assert called.status == 2
    assert called.out == ""
    assert message in called.err
    assert "Traceback" not in called.err


def test_a_broken_mapping_is_named_by_file_and_path_and_the_lake_keeps_the_old_one(home: Path, tmp_path: Path) -> None:
    mappings = tmp_path / "mappings"
    shutil.copytree(ROOT / "mappings", mappings)
    file = mappings / "integrations" / "connectwise_endpoints.json"
    file.write_text(file.read_text().replace('"page_size": 1000', '"page_size": 5000'))
    in_lake = home / "data-storage-msp-local" / "mappings" / "integrations" / "connectwise_endpoints.json"
    before = in_lake.read_bytes()

    called = avesa("run", "--home", home, "--mappings", mappings)

    assert called.status == 2
    assert f"{file}: limits.page_size is 5000" in called.err
    assert in_lake.read_bytes() == before


@pytest.mark.parametrize("command", [["run"], ["status"], ["jobs"], ["job", "x"], ["query", "SELECT 1"], ["rebuild"]])
def test_a_mistyped_home_is_said_and_not_made(tmp_path: Path, command: list[str]) -> None:
    called = avesa(*command, "--home", tmp_path / "typo")

    assert called.status == 2
    assert str(tmp_path / "typo") in called.err
    assert list(tmp_path.iterdir()) == []


def test_a_home_of_a_newer_version_is_left_alone(home: Path, tmp_path: Path) -> None:
    newer = tmp_path / "home"
    shutil.copytree(home, newer)
    with sqlite3.connect(newer / "state.sqlite3") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()

    called = avesa("run", "--home", newer)

    assert called.status == 1
    assert "a newer avesa wrote it" in called.err


# ------------------------------------------------------------------------------------- status, jobs, job


def test_status_tells_each_tables_freshness(home: Path) -> None:
    tables = avesa("status", "--home", home, "--output", "json").json["tables"]

    assert [(item["tenant_id"], item["table_name"]) for item in tables] == [
        (tenant, table) for tenant in ("acme", "birch") for table in SIZES
    ]
    assert all(item["bookmark_at"].endswith("Z") and item["age_seconds"] >= 0 for item in tables)
    assert all(item["lease"] is None for item in tables)


def test_jobs_lists_the_newest_first_up_to_the_limit(home: Path, first_run: Called) -> None:
    everything = avesa("jobs", "--home", home, "--limit", "1000", "--output", "json").json["jobs"]
    two = avesa("jobs", "--home", home, "--limit", "2", "--output", "json").json["jobs"]

    ids = [item["job_id"] for item in everything]
    started = [item["started_at"] for item in everything]
    assert started == sorted(started, reverse=True)  # ids tell the second only: two of one second sort by chance
    assert ids[-1] == first_run.json["job_id"]
    assert [item["job_id"] for item in two] == ids[:2]


def test_a_job_shows_its_numbers_and_the_retries_on_its_way(home: Path, source: DemoSource) -> None:
    source.strike(kind="server_error", path="service/tickets*", company="acme", times=1)
    try:
        ran = avesa("run", "--home", home, "--tenant-id", "acme", "--table-name", "tickets", "--output", "json")
    finally:
        source.spare()
    job_id = ran.json["job_id"]

    shown = avesa("job", job_id, "--home", home)
    told = avesa("job", job_id, "--home", home, "--output", "json").json

    assert ran.status == 0
    assert [event["event"] for event in told["events"]] == ["request_retried"]
    assert told["tenants"] == ran.json["tenants"]
    assert "try 1 failed" in shown.out
    assert f"job {job_id}: completed" in shown.out


# ---------------------------------------------------------------------------------------------------- query


def test_a_view_holds_the_rows_of_all_tenants(home: Path) -> None:
    rows = _ask(home, "SELECT tenant_id, count(*) AS n FROM tickets WHERE is_current GROUP BY ALL ORDER BY ALL")

    assert rows == [{"tenant_id": "acme", "n": 60}, {"tenant_id": "birch", "n": 60}]


def test_one_tenants_query_needs_no_other_tenants_files(home: Path, tmp_path: Path) -> None:
    alone = tmp_path / "home"
    shutil.copytree(home, alone)
    shutil.rmtree(alone / "data-storage-msp-local" / "birch")

    rows = _ask(alone, "SELECT DISTINCT tenant_id FROM contacts", "--tenant-id", "acme")

    assert rows == [{"tenant_id": "acme"}]


def test_a_tenant_without_the_table_is_absent_from_the_view(home: Path, tmp_path: Path) -> None:
    some = tmp_path / "home"
    shutil.copytree(home, some)
    shutil.rmtree(some / "data-storage-msp-local" / "birch" / "canonical" / "contacts")

    assert _ask(some, "SELECT DISTINCT tenant_id FROM contacts") == [{"tenant_id": "acme"}]
    assert len(_ask(some, "SELECT DISTINCT tenant_id FROM tickets")) == 2


def test_a_file_that_its_table_names_and_that_is_gone_is_an_error(home: Path, tmp_path: Path) -> None:
    torn = tmp_path / "home"
    shutil.copytree(home, torn)
    for file in (torn / "data-storage-msp-local" / "birch" / "canonical" / "contacts").rglob("*.parquet"):
        file.unlink()

    called = avesa("query", "SELECT 1", "--home", torn)

    assert called.status == 1
    assert "is missing from the lake" in called.err


def test_every_output_tells_times_as_iso_in_utc(home: Path) -> None:
    sql = "SELECT valid_from, valid_to, TIMESTAMPTZ '2024-01-01 00:00:00.5+02' AS at FROM tickets LIMIT 1"

    as_json = _ask(home, sql)[0]
    as_csv = next(csv.DictReader(io.StringIO(avesa("query", sql, "--home", home, "--output", "csv").out)))
    as_table = avesa("query", sql, "--home", home).out

    assert as_json["at"] == as_csv["at"] == "2023-12-31T22:00:00.500000Z"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(as_json["valid_from"]))
    assert (as_json["valid_to"], as_csv["valid_to"]) == (None, "")
    assert "2023-12-31T22:00:00.500000Z" in as_table


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nothere", "The tables are: companies, contacts, tickets, time_entries"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("", "one statement at a time"),
        ("DROP VIEW tickets", "only reads"),
        ("CREATE TABLE x AS SELECT 1", "only reads"),
        ("SET lock_configuration = false", "only reads"),
        ("ATTACH 'other.db'", "only reads"),
        ("COPY (SELECT 1) TO '{file}'", "only reads"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'", "only reads"),
        ("explain /* so */ analyze COPY (SELECT 1) TO '{file}'", "only reads"),
        ("SELECT * FROM read_csv('{other}')", "disabled by configuration"),
        ("SELECT * FROM read_text('{other}')", "disabled by configuration"),
        ("SELECT * FROM glob('/*')", "disabled by configuration"),
    ],
)
def test_a_query_reads_the_views_and_nothing_else(home: Path, tmp_path: Path, sql: str, message: str) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    file = next((home / "data-storage-msp-local" / "acme" / "canonical" / "tickets").rglob("*.parquet"))
    before = file.read_bytes()

    with local_sql(home) as session, pytest.raises(UsageError, match=re.escape(message)):
        list(session.run(sql.format(file=file, other=other)).rows)

    assert file.read_bytes() == before


def test_a_refused_query_ends_with_2_and_the_engines_own_message(home: Path) -> None:
    called = avesa("query", "SELECT nothing FROM tickets", "--home", home)

    assert called.status == 2
    assert called.err.startswith('error: Binder Error: Referenced column "nothing" not found')


def test_a_reader_that_has_seen_enough_ends_a_query_quietly(home: Path) -> None:
    sql = "SELECT i, repeat('x', 200) FROM range(200000) t(i)"
    process = subprocess.Popen(
        [*COMMAND, "query", sql, "--home", str(home), "--output", "csv"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    complaint = process.stderr.read()
    process.stderr.close()

    assert process.wait(30) == 1
    assert complaint == ""


# -------------------------------------------------------------------------------------------------- secrets


def test_no_secret_is_in_any_output_or_file(home: Path, source: DemoSource, setups: tuple[Path, list[Called]]) -> None:
    secrets = [company[name] for company in source.companies for name in ("public_key", "private_key", "client_id")]
    outputs = [text for called in setups[1] for text in (called.out, called.err)]
    outputs += [avesa(*command, "--home", home).out for command in (["status"], ["jobs"], ["run"])]
    files = [path for path in home.rglob("*") if path.is_file()]

    assert len(files) > 20
    for secret in secrets:
        assert [text for text in outputs if secret in text] == []
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_secrets_are_for_their_owner_only(home: Path) -> None:
    folder = home / "secrets"

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
