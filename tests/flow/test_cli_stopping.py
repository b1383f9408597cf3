"""Stopping a run: the first signal ends it after the pages in flight, the second at once, and the next run goes on."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from avesa.entrypoints.demo_source import DemoSource, demo_source
from tests.flow.calling import COMMAND, avesa, credentials, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SIZES = {"service/tickets": 5000, "time/entries": 20, "company/companies": 20, "company/contacts": 20}


@pytest.fixture(scope="module")
def source() -> Iterator[DemoSource]:
    with demo_source(seed=6, companies=1, sizes=SIZES) as running:
        yield running


@pytest.fixture
def home(source: DemoSource, tmp_path: Path) -> Iterator[Path]:
    company = source.companies[0]
    called = avesa(
        *("setup-service", "--tenant-id", "acme", "--company-name", "Acme", "--home", tmp_path),
        variables=credentials(company),
    )
    assert called.status == 0, called.err
    yield tmp_path
    source.spare()


def _begun(home: Path) -> subprocess.Popen[str]:
    """Return a run whose first page has landed."""
    process = subprocess.Popen(
        [*COMMAND, "run", "--home", str(home), "--table-name", "tickets", "--chunks", "1"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if " chunk " in line:
            return process
    raise AssertionError(process.communicate())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_after_the_pages_in_flight_and_the_next_run_goes_on(
    home: Path, source: DemoSource, number: signal.Signals
) -> None:
    source.strike(kind="latency", path="service/tickets*", seconds=0.3)
    process = _begun(home)

    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    source.spare()
    after = avesa("run", "--home", home, "--table-name", "tickets", "--output", "json")
    assert process.returncode == 1
    assert "stopping after the pages in flight" in err
    assert "stopped as you asked" in out
    assert after.status == 0, after.err
    assert "going on with an earlier plan" in after.err
    assert after.json["tenants"][0]["tables"][0]["reconciled"] == {"source": 5000, "lake": 5000}


def test_the_second_signal_ends_at_once_and_nothing_durable_is_lost(home: Path, source: DemoSource) -> None:
    source.strike(kind="latency", path="service/tickets*", seconds=20, skip=5)
    process = _begun(home)
    assert process.stderr is not None

    process.send_signal(signal.SIGINT)
    notice = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)

    source.spare()
    after = avesa("run", "--home", home, "--table-name", "tickets", "--output", "json")
    assert process.returncode == 130
    assert "interrupt again to end at once" in notice
    assert after.status == 0, after.err
    assert after.json["tenants"][0]["tables"][0]["reconciled"] == {"source": 5000, "lake": 5000}


def test_a_table_that_another_run_holds_is_skipped_with_its_job(home: Path, source: DemoSource) -> None:
    source.strike(kind="latency", path="service/tickets*", seconds=0.3)
    process = _begun(home)

    called = avesa("run", "--home", home, "--table-name", "tickets", "--output", "json")
    status = avesa("status", "--home", home, "--output", "json").json["tables"]

    source.spare()
    process.communicate(timeout=60)
    table = called.json["tenants"][0]["tables"][0]
    holder = next(item["lease"] for item in status if item["table_name"] == "service/tickets")
    assert called.status == 1
    assert (table["status"], called.json["status"]) == ("skipped", "partial_success")
    assert holder["is_alive"] is True
    assert holder["job_id"] in table["error"]
    assert process.returncode == 0
