"""`avesa demo`: one command from nothing to tables, which shows its evidence and leaves no process behind."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from avesa.application.payloads import to_json
from avesa.bootstrap.environment import read_settings
from avesa.domain.model import Reconciled, Status, TableResult, TenantResult
from avesa.entrypoints.demo_report import Act, verdict
from avesa.entrypoints.options import Place
from avesa.entrypoints.running import RunEnding
from tests.flow.calling import COMMAND, Called, avesa, environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def demo(home: Path) -> Called:
    return avesa("demo", "--home", home, "--records", "1500")


def _is_served(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0


def test_the_demo_ends_well_with_three_tenants_and_four_tables(demo: Called) -> None:
    assert demo.status == 0, demo.err
    for tenant in ("acme", "birch", "cedar"):
        for table in ("companies", "contacts", "tickets", "time_entries"):
            assert len(re.findall(rf"^{tenant} +{table} .* = [\d,]+$", demo.out, re.MULTILINE)) == 2


def test_the_demo_shows_changes_and_what_became_of_them(demo: Called) -> None:
    row = re.search(r"^acme +tickets +([\d/]+) +(\d+) +(\d+) +(\d+) +0 +\d+ = \d+$", demo.out, re.MULTILINE)

    assert row is not None
    edits, touches, inserts, deletes = map(int, row[1].split("/"))
    extracted, opened, closed = map(int, row.groups()[1:])
    assert min(edits, touches, inserts, deletes) > 0
    assert extracted == edits + touches + inserts
    assert (opened, closed) == (edits + inserts, edits + deletes)


def test_the_demo_shows_a_history_of_two_versions_and_where_files_lie(demo: Called, home: Path) -> None:
    _, _, rest = demo.out.partition("The history of one edited ticket")
    history, _, files = rest.partition("Where the Parquet lies")

    assert len(re.findall(r" (?:true|false)$", history, re.MULTILINE)) == 2
    assert f"{home / 'data-storage-msp-local'}" in files
    assert re.search(r"canonical/tickets +\d+ files, [\d.]+ kB", files)


def test_the_commands_that_the_demo_proposes_work(demo: Called, home: Path) -> None:
    proposed = re.findall(r"^  avesa (.+) --home .+$", demo.out, re.MULTILINE)
    query, status, job = proposed

    assert avesa("query", query.removeprefix("query ").strip('"'), "--home", home).status == 0
    assert avesa(status, "--home", home).status == 0
    assert avesa(*job.split(), "--home", home).status == 0


def test_piped_output_holds_no_control_codes(demo: Called) -> None:
    assert "\x1b" not in demo.out + demo.err
    assert "\r" not in demo.out + demo.err


def test_the_simulator_ends_with_the_demo(demo: Called) -> None:
    served = re.search(r"serves (\S+)", demo.out)

    assert served is not None
    assert not _is_served(served[1])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_simulator_ends_with_a_demo_that_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--home", str(tmp_path / "home"), "--records", "6000"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    served = next(line.split()[-1] for line in process.stdout if "serves" in line)

    process.send_signal(number)
    process.communicate(timeout=60)

    # The simulator sees the end of its standard input a moment later; each try below asks it and waits for its answer.
    assert process.returncode != 0
    assert any(not _is_served(served) for _ in range(100_000))


def test_the_demo_does_not_touch_a_home_that_is_in_use(demo: Called, home: Path) -> None:
    again = avesa("demo", "--home", home)

    assert demo.status == 0
    assert again.status == 2
    assert "needs a folder of its own" in again.err


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ({"reconciled": Reconciled(source=9, lake=8)}, "acme service/tickets: source and lake were not reconciled"),
        ({"reconciled": None}, "acme service/tickets: source and lake were not reconciled"),
        ({"versions_opened": 2, "versions_closed": 1}, "acme service/tickets: the changes call for 3 versions opened"),
        ({"status": Status.FAILED, "error": "HTTP 500"}, "acme service/tickets: HTTP 500"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(tmp_path: Path, result: dict[str, object], problem: str) -> None:
    good: dict[str, object] = {
        "status": Status.COMPLETED,
        "reconciled": Reconciled(source=3, lake=3),
        "versions_opened": 3,
        "versions_closed": 3,
    }
    changes = {("acme", "service/tickets"): {"edited": [1, 2], "touched": [3], "inserted": [4], "deleted": [5]}}

    found = verdict(_act(tmp_path, good | result, changes))

    assert verdict(_act(tmp_path, good, changes)) == []
    assert any(line.startswith(problem) for line in found)


def _act(tmp_path: Path, facts: dict[str, object], changes: dict[tuple[str, str], dict[str, list[int]]]) -> Act:
    table = TableResult(table_name="service/tickets", canonical_table="tickets", **facts)  # type: ignore[arg-type]
    tenant = TenantResult(tenant_id="acme", status=table.status, tables=(table,))
    whole = RunEnding(result={"job_id": "j", "status": "completed", "tenants": []}, seconds=1.0, is_stopped=False)
    ending = RunEnding(
        result={"job_id": "j", "status": "completed", "tenants": [to_json(tenant)]}, seconds=1.0, is_stopped=False
    )
    place = Place(home=tmp_path, is_home_given=True, settings=read_settings({}))
    return Act(place=place, full=whole, changes=changes, increment=ending)
