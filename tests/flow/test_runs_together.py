"""Processes at work on one home together: who skips says so, pauses are shared, and readers see one version."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from avesa.simulator.api import respond
from avesa.simulator.server import serve
from avesa.simulator.site import Changes, CompanySpec, FaultKind, Rule, Site
from tests.flow.calling import COMMAND, avesa, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from avesa.simulator.wire import Request, Response

pytestmark = pytest.mark.slow

SIZES = {"service/tickets": 3000, "time/entries": 3000, "company/companies": 20, "company/contacts": 20}
TICKETS, TIMES = "service/tickets", "time/entries"
TOO_MANY = 429


class Served:
    """A simulator in this process, with the moment and status of each answer to a request for records."""

    def __init__(self, site: Site) -> None:
        self.site, self.url = site, ""
        self.answered: list[tuple[float, int]] = []

    def respond(self, site: Site, request: Request) -> Response:
        response = respond(site, request)
        if "/apis/" in request.target:
            self.answered.append((time.monotonic(), response.status))
        return response

    def variables(self) -> dict[str, str]:
        keys = self.site.company("acme").credentials
        return {
            "CONNECTWISE_COMPANY_ID": keys.company_id,
            "CONNECTWISE_PUBLIC_KEY": keys.public_key,
            "CONNECTWISE_PRIVATE_KEY": keys.private_key,
            "CONNECTWISE_CLIENT_ID": keys.client_id,
            "CONNECTWISE_API_BASE_URL": self.url,
        }


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    made = Served(Site(seed=8, companies=[CompanySpec(login="acme", sizes=SIZES)]))
    monkeypatch.setattr("avesa.simulator.server.respond", made.respond)
    with serve(made.site, port=0) as server:
        made.url = server.url
        yield made


@pytest.fixture
def home(served: Served, tmp_path: Path) -> Path:
    arguments = ("setup-service", "--tenant-id", "acme", "--company-name", "Acme", "--home", tmp_path)
    called = avesa(*arguments, variables=served.variables())
    assert called.status == 0, called.err
    return tmp_path


def _started(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*COMMAND, *arguments, "--home", str(home), "--output", "json"]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _truth(home: Path, served: Served) -> None:
    for table, path in (("tickets", TICKETS), ("time_entries", TIMES)):
        rows = DeltaTable(str(home / "data-storage-msp-local/acme/canonical" / table)).to_pyarrow_table().to_pylist()
        current = [row["id"] for row in rows if row["is_current"]]
        assert len(current) == len(set(current))
        assert {int(record_id) for record_id in current} == set(served.site.company("acme").records(path))
    verified = avesa("verify", "--home", home)
    assert verified.status == 0, verified.out


def test_runs_of_one_home_together_skip_by_name_or_complete_and_leave_the_truth(home: Path, served: Served) -> None:
    served.site.faults.add(Rule(kind=FaultKind.LATENCY, path="*s", seconds=0.2))

    runs = [_started(home, "run"), _started(home, "run", "--detect-deletes"), _started(home, "run", "--wait", "60")]
    told = [run.communicate(timeout=180) for run in runs]

    for (out, err), run in zip(told, runs, strict=True):
        assert "Traceback" not in err
        assert "unforeseen" not in err
        assert run.returncode in {0, 1}, err
        if run.returncode == 1:
            assert "has held the table for" in out + err
    assert 0 in [run.returncode for run in runs]
    served.site.faults.clear()
    assert avesa("run", "--home", home, "--detect-deletes").status == 0
    _truth(home, served)


def test_a_pause_that_one_process_is_told_of_is_kept_by_the_other(home: Path, served: Served) -> None:
    served.site.faults.add(
        Rule(kind=FaultKind.LATENCY, path="*s", seconds=0.6),
        Rule(kind=FaultKind.TOO_MANY_REQUESTS, path=TICKETS, retry_after=10, times=1, skip=1),
    )
    small = ("--chunks", "1")
    one, other = (
        _started(home, "run", "--table-name", "tickets", *small),
        _started(home, "run", "--table-name", "time_entries", *small),
    )
    for run in (one, other):
        out, err = run.communicate(timeout=180)
        assert run.returncode == 0, out + err

    # What was under way when it was told may still arrive; soon nothing may, until the ten seconds are over.
    (told_at,) = [at for at, status in served.answered if status == TOO_MANY]
    since = [at - told_at for at, _ in served.answered]
    assert [seconds for seconds in since if 3.5 < seconds < 9.5] == []
    assert max(since) > 9.5
    _truth(home, served)


def test_readers_see_one_version_throughout_and_a_rebuild_or_maintenance_beside_a_run_harms_nothing(
    home: Path, served: Served
) -> None:
    assert avesa("run", "--home", home).status == 0
    company = served.site.company("acme")
    versions = "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM tickets WHERE is_current"
    wrong: list[Any] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            called = avesa("query", versions, "--home", home, "--output", "json")
            if called.status != 0 or "3000" not in called.out:
                wrong.append((called.out, called.err))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(2):
        company.apply(TICKETS, Changes(edits=400))
        together = [
            _started(home, "run"),
            _started(home, "rebuild", "--table-name", "tickets", "--wait", "60"),
            _started(home, "maintain", "--table-name", "tickets"),
        ]
        for process in together:
            out, err = process.communicate(timeout=180)
            assert "Traceback" not in err
            assert process.returncode == 0 or "has held the table for" in out + err
    is_over.set()
    reader.join()

    assert wrong == []
    assert avesa("run", "--home", home).status == 0
    _truth(home, served)


def test_a_killed_run_is_taken_over_at_once_by_the_next(home: Path, served: Served) -> None:
    served.site.faults.add(Rule(kind=FaultKind.LATENCY, path=TICKETS, seconds=30, skip=3))
    process = _started(home, "run", "--table-name", "tickets", "--chunks", "1")
    assert process.stderr is not None
    for line in process.stderr:
        if " chunk " in line:
            break

    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    served.site.faults.clear()
    began = time.monotonic()
    after = avesa("run", "--home", home, "--output", "json")
    assert after.status == 0, after.err
    assert "going on with an earlier plan" in after.err
    assert time.monotonic() - began < 60
    _truth(home, served)
