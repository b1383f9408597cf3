"""`avesa erase-record` and `erase-tenant` on a real home: what was erased is in no file any more."""

from __future__ import annotations

import base64
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from avesa.simulator.site import Changes, CompanySpec, Site
from tests.flow.calling import avesa
from tests.flow.pipeline import PATHS, SECRET_KEY, pipeline
from tests.flow.searching import files_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flow.calling import Called

CONTACTS = "company/contacts"
FIRST, SECOND = "Zyxomar-planted", "Quivelle-planted"
COMPANY_NAME = "Acme"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A home with two tenants and a contact that was loaded, renamed and loaded again, and put into quarantine."""
    home = tmp_path_factory.mktemp("erase") / "home"
    sizes = dict.fromkeys(PATHS.values(), 10)
    site = Site(seed=5, companies=[CompanySpec(login=login, sizes=sizes) for login in ("acme", "bolt")])
    acme = site.company("acme")
    contact = sorted(acme.records(CONTACTS))[4]
    with pipeline(site, home, "acme", "bolt") as made:
        acme.edit(CONTACTS, contact, {"firstName": FIRST})
        assert made.run()["status"] == "completed"
        acme.edit(CONTACTS, contact, {"firstName": SECOND})
        acme.apply(CONTACTS, Changes(edits=3))
        assert made.run()["status"] == "completed"
        job_id = made.run()["job_id"]
    # The simulator sends no text that is not UTF-8.
    broken = b'{"id":%d,"firstName":"%s\xff"}' % (contact, FIRST.encode())
    line = {
        "reason": "the record is not UTF-8",
        "content_base64": base64.b64encode(broken).decode(),
        "quarantined_at": "2026-11-23T12:00:00Z",
        "job_id": job_id,
    }
    folder = home / "data-storage-msp-local" / "acme" / "quarantine" / "connectwise" / CONTACTS
    folder.mkdir(parents=True)
    (folder / "j-1-f1-p00001.jsonl").write_text(json.dumps(line) + "\n")
    return home, contact


@pytest.fixture
def home(loaded: tuple[Path, int], tmp_path: Path) -> Path:
    return shutil.copytree(loaded[0], tmp_path / "home")


def call(home: Path, *arguments: str) -> Called:
    return avesa(*arguments, "--home", home, variables={"AVESA_SECRET_KEY": SECRET_KEY})


def receipt_of(called: Called) -> dict[str, object]:
    assert called.status == 0, called.err
    found: dict[str, object] = called.json
    return found


def test_an_erased_contact_is_in_no_file_of_the_home(home: Path, loaded: tuple[Path, int]) -> None:
    record_id = str(loaded[1])
    where = files_with(home, FIRST)
    assert any("/raw/" in name for name in where)
    assert any("/canonical/" in name for name in where)
    assert any("/quarantine/" in name for name in where)
    place = ("--tenant-id", "acme", "--table-name", "contacts", "--id", record_id, "--confirm", record_id)

    called = call(home, "erase-record", *place, "--output", "json")

    receipt = receipt_of(called)
    assert files_with(home, FIRST) == files_with(home, SECOND) == []
    assert FIRST not in called.out
    counts = receipt["counts"]
    assert isinstance(counts, dict)
    assert counts["canonical_rows"] == 2
    stored = home / "data-storage-msp-local" / "receipts" / f"{receipt['receipt_id']}.json"
    assert json.loads(stored.read_text()) == receipt
    assert record_id not in stored.read_text()
    assert call(home, "verify", "--tenant-id", "acme").status == 0
    again = call(home, "erase-record", *place)
    assert (again.status, "nothing to erase" in again.out) == (0, True)


def test_an_erased_tenant_is_in_no_file_but_its_receipt_and_the_log(home: Path) -> None:
    before = call(home, "verify", "--tenant-id", "bolt", "--output", "json").json

    receipt = receipt_of(call(home, "erase-tenant", "acme", "--confirm", "acme", "--output", "json"))

    lake = home / "data-storage-msp-local"
    assert not (lake / "acme").exists()
    assert files_with(home, FIRST) == files_with(home, COMPANY_NAME) == []
    logs = {"logs/events.jsonl", f"data-storage-msp-local/receipts/{receipt['receipt_id']}.json"}
    assert set(files_with(home, "acme")) <= logs
    assert [path.name for path in (home / "secrets").iterdir()] == ["bolt%2Fconnectwise-local.secret"]
    assert call(home, "verify", "--tenant-id", "bolt", "--output", "json").json == before
    again = call(home, "erase-tenant", "acme", "--confirm", "acme")
    assert (again.status, "nothing to erase" in again.out) == (0, True)
    assert call(home, "status", "--tenant-id", "acme").status == 2


def test_a_wrong_confirmation_is_a_wrong_call(home: Path) -> None:
    called = call(home, "erase-tenant", "acme", "--confirm", "bolt")

    assert called.status == 2
    assert "--confirm acme" in called.err
    assert (home / "data-storage-msp-local" / "acme").is_dir()


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert call(tmp_path / "nothing", "erase-tenant", "acme", "--confirm", "acme").status == 2
    assert call(tmp_path / "nothing", "verify").status == 2
    assert not (tmp_path / "nothing").exists()


def test_what_lies_in_quarantine_is_listed_without_its_content_unless_it_is_asked_for(
    home: Path, loaded: tuple[Path, int]
) -> None:
    listed = call(home, "quarantine", "list", "--tenant-id", "acme", "--output", "json")

    (record,) = listed.json["records"]
    assert (record["table_name"], record["id"], record["reason"]) == (
        CONTACTS,
        str(loaded[1]),
        "the record is not UTF-8",
    )
    assert record["job_id"] in call(home, "jobs").out
    assert FIRST not in listed.out
    assert FIRST in call(home, "quarantine", "list", "--show", "1").out


def test_retrying_what_nobody_can_read_leaves_it_where_it_is(home: Path) -> None:
    called = call(home, "quarantine", "retry", "--table-name", "contacts", "--output", "json")

    assert called.status == 0, called.err
    assert [(table["readable"], table["unreadable"]) for table in called.json["tables"]] == [(0, 1), (0, 0)]
    assert len(call(home, "quarantine", "list", "--output", "json").json["records"]) == 1


def test_a_damaged_lake_is_told_with_what_would_mend_it_and_exit_status_1(home: Path) -> None:
    part = next((home / "data-storage-msp-local" / "acme" / "raw" / "connectwise" / "service").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])

    told = call(home, "verify", "--output", "json")
    shown = call(home, "verify")

    assert told.status == shown.status == 1
    wrong = [table for table in told.json["tables"] if not table["is_sound"]]
    assert [(table["tenant_id"], table["table_name"]) for table in wrong] == [("acme", "service/tickets")]
    assert "raw_unreadable" in shown.out
    assert "to mend it: put the object back from a copy" in shown.out


def test_values_that_did_not_fit_are_listed_by_id_and_column(tmp_path: Path) -> None:
    home = tmp_path / "home"
    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=dict.fromkeys(PATHS.values(), 10))])
    ticket = min(site.company("acme").records("service/tickets"))
    site.company("acme").edit("service/tickets", ticket, {"actualHours": "planted-not-a-number"})
    with pipeline(site, home, "acme") as made:
        made.run()

    called = call(home, "quarantine", "coerced", "--table-name", "tickets", "--output", "json")

    assert called.status == 0, called.err
    assert (called.json["id"], called.json["columns"]) == (str(ticket), ["actual_hours"])
    assert "planted" not in called.out
