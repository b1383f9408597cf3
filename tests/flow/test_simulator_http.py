"""The simulator over real sockets: connections, TLS, what is cut or late, the control plane, the program itself."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import avesa
from avesa.simulator.faults import FaultKind, Rule
from avesa.simulator.server import Server, serve
from avesa.simulator.site import Behaviour, Changes, CompanySpec, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
API = "/v2025_1/apis/3.0/"
TICKETS = f"{API}service/tickets"
SIZES = {"tickets": 300, "time_entries": 10, "companies": 5, "contacts": 10}


@pytest.fixture
def site() -> Site:
    return Site(companies=[CompanySpec(login="acme", sizes=SIZES)], clock=lambda: NOW)


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with serve(site) as running:
        yield running


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    yield made
    made.close()


def _headers(site: Site) -> dict[str, str]:
    keys = site.company("acme").credentials
    pair = base64.b64encode(f"{keys.company_id}+{keys.public_key}:{keys.private_key}".encode()).decode()
    return {"Authorization": f"Basic {pair}", "ClientID": keys.client_id}


def _ask(connection: http.client.HTTPConnection, site: Site, path: str, **headers: str) -> tuple[Any, bytes]:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=_headers(site) | more)
    response = connection.getresponse()
    return response, response.read()


def _control(connection: http.client.HTTPConnection, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection.request(method, f"/_simulator/{path}", body=None if body is None else json.dumps(body))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_one_connection_serves_request_after_request(site: Site, connection: http.client.HTTPConnection) -> None:
    first, body = _ask(connection, site, f"{TICKETS}?pageSize=300")
    socket = connection.sock

    second, _ = _ask(connection, site, f"{TICKETS}/count")

    assert connection.sock is socket
    assert int(first.headers["Content-Length"]) == len(body) > 65_536
    assert second.headers["Content-Type"].startswith("application/json")


def test_links_lead_back_to_the_address_that_the_client_used(
    site: Site, server: Server, connection: http.client.HTTPConnection
) -> None:
    response, _ = _ask(connection, site, f"{TICKETS}?pageSize=100", Host=f"localhost:{server.port}")

    assert response.headers["Link"].startswith(f"<http://localhost:{server.port}{TICKETS}?pageSize=100&page=2>")


def test_the_date_is_the_sites_own(site: Site, connection: http.client.HTTPConnection) -> None:
    site.behaviour = Behaviour(clock_skew_seconds=600)

    response, _ = _ask(connection, site, f"{TICKETS}/count")

    assert parsedate_to_datetime(response.headers["Date"]) == NOW + timedelta(seconds=600)


def test_a_body_is_packed_for_those_who_accept_it(site: Site, connection: http.client.HTTPConnection) -> None:
    plain, whole = _ask(connection, site, TICKETS)

    packed, body = _ask(connection, site, TICKETS, Accept_Encoding="gzip, deflate")

    assert plain.headers["Content-Encoding"] is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == whole
    assert len(body) < len(whole) / 2


def test_a_cut_body_ends_before_its_announced_length(site: Site, connection: http.client.HTTPConnection) -> None:
    site.faults.add(Rule(kind=FaultKind.CUT_BODY, times=1))

    connection.request("GET", TICKETS, headers=_headers(site))
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()

    assert json.loads(_ask(connection, site, TICKETS)[1])


def test_latency_holds_one_request_up_and_no_other(site: Site, server: Server) -> None:
    site.faults.add(Rule(kind=FaultKind.LATENCY, seconds=300, times=1))
    slow = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    quick = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    arrived = threading.Event()
    site.on_request = lambda _: arrived.set()

    slow.request("GET", TICKETS, headers=_headers(site))
    assert arrived.wait(10)
    site.on_request = None
    response, _ = _ask(quick, site, f"{TICKETS}/count")

    assert response.status == 200
    assert site.statistics.peak_under_way()["acme"] == 2
    quick.close()
    slow.close()


def test_many_connections_read_the_same_pages_while_records_change(site: Site, server: Server) -> None:
    totals: list[int] = []

    def read() -> None:
        own = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        for _ in range(5):
            _, body = _ask(own, site, f"{TICKETS}?pageSize=1000")
            totals.append(len(json.loads(body)))
        own.close()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        site.company("acme").apply("tickets", Changes(inserts=2, deletes=2, edits=5))
    for thread in threads:
        thread.join()

    # An insert and a delete are one version: whoever reads sees both or neither.
    assert totals == [300] * 20


def test_the_control_plane_drives_changes_and_faults_and_tells_the_truth(
    site: Site, connection: http.client.HTTPConnection
) -> None:
    _, companies = _control(connection, "GET", "companies")
    asked = {"company": "acme", "path": "service/tickets", "edits": 2, "inserts": 1, "at": "2026-03-01T10:00:00Z"}
    _, applied = _control(connection, "POST", "changes", asked)
    _, truth = _control(connection, "GET", "truth/acme/service/tickets")
    _control(connection, "POST", "faults", {"kind": "server_error", "path": "service/*", "status": 500})
    failed, _ = _ask(connection, site, TICKETS)
    _, rules = _control(connection, "GET", "faults")
    _control(connection, "DELETE", "faults")
    worked, _ = _ask(connection, site, TICKETS)
    _, statistics = _control(connection, "GET", "statistics")

    assert companies[0]["private_key"] == site.company("acme").credentials.private_key
    assert companies[0]["api_base_url"].startswith("http://127.0.0.1:")
    assert (len(applied["edited"]), len(applied["inserted"])) == (2, 1)
    assert truth == list(site.company("acme").records("service/tickets").values())
    assert rules[0]["struck"] == 1
    assert (failed.status, worked.status) == (500, 200)
    assert {"path": "service/tickets", "status": 500, "count": 1} in statistics["requests"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "changes", {"company": "acme", "path": "service/tickets", "edit": 2}, 400),
        ("POST", "changes", {"company": "nobody", "path": "service/tickets"}, 404),
        ("POST", "faults", {"kind": "earthquake"}, 400),
        ("GET", "truth/acme/service/unicorns", None, 404),
        ("GET", "unicorns", None, 404),
    ],
)
def test_the_control_plane_says_what_it_cannot_do(
    connection: http.client.HTTPConnection, method: str, path: str, body: object, status: int
) -> None:
    answered, message = _control(connection, method, path, body)

    assert answered == status
    assert message["message"]


def test_closing_ends_open_connections_and_closing_again_changes_nothing(site: Site) -> None:
    running = serve(site)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    _ask(connection, site, TICKETS)

    running.close()
    running.close()

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        _ask(connection, site, TICKETS)
    connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a program can act on")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_announces_itself_serves_and_stops_when_told(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "avesa.simulator", "--companies", "2", "--output", "json", "--sizes", "tickets=30"]
    environment = os.environ | {"PYTHONPATH": str(Path(avesa.__file__).parents[1])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as program:
        assert program.stdout is not None
        announced = json.loads(program.stdout.readline())
        connection = http.client.HTTPConnection(announced["url"].removeprefix("http://"), timeout=10)
        connection.request("GET", "/login/companyinfo/acme")
        info = json.loads(connection.getresponse().read())
        connection.close()

        program.send_signal(number)
        _, errors = program.communicate(timeout=20)

    assert info["CompanyID"] == "acme"
    assert [company["company_id"] for company in announced["companies"]] == ["acme", "birch"]
    assert (program.returncode, errors) == (0, "")
