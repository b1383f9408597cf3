"""How many tickets a second the simulator serves over loopback: a reader's benchmark must not be its source's.

    python benchmarks/simulator_speed.py [--tickets 20000] [--connections 4] [--seconds 3]

The reader is another process: raw http.client, forward-only pages of 1,000 tickets, bodies read and thrown away.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import multiprocessing
import re
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from avesa.simulator.server import serve
from avesa.simulator.site import CompanySpec, Site

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

PATH = "/v2025_1/apis/3.0/service/tickets?pageSize=1000&pageId="
PAGE = 1000


def _read(port: int, headers: dict[str, str], until: float, counted: list[tuple[int, int]]) -> None:
    """Walk the table again and again until the time; add (full pages, bytes)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    pages = size = last = 0
    while time.monotonic() < until:
        connection.request("GET", f"{PATH}{last}", headers=headers)
        response = connection.getresponse()
        size += len(response.read())
        found = re.search(r"pageId=(\d+)>", response.headers["Link"])
        last = int(found[1]) if found else 0
        pages += 1
    connection.close()
    counted.append((pages, size))


def _reader(
    port: int, headers: dict[str, str], connections: int, seconds: float, results: Queue[tuple[int, int, float]]
) -> None:
    """Read with that many connections, one thread each, and report pages, bytes and seconds."""
    counted: list[tuple[int, int]] = []
    begin = time.monotonic()
    threads = [
        threading.Thread(target=_read, args=(port, headers, begin + seconds, counted)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((sum(pages for pages, _ in counted), sum(size for _, size in counted), time.monotonic() - begin))


def main() -> None:
    """Serve, read from another process, print both speeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=20_000, help="a multiple of 1000, so that every page is full")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    site = Site(companies=[CompanySpec(login="acme", sizes={"tickets": options.tickets})])
    company = site.company("acme")
    begin = time.monotonic()
    company.table("service/tickets")
    made = time.monotonic() - begin
    keys = company.credentials
    pair = base64.b64encode(f"{keys.company_id}+{keys.public_key}:{keys.private_key}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}", "clientId": keys.client_id, "pagination-type": "forward-only"}
    context = multiprocessing.get_context("spawn")
    results: Queue[tuple[int, int, float]] = context.Queue()
    with serve(site) as server:
        arguments = (server.port, headers, options.connections, options.seconds, results)
        process = context.Process(target=_reader, args=arguments)
        process.start()
        pages, size, seconds = results.get()
        process.join()
    print(f"made {options.tickets:,} tickets in {made:.2f} s ({options.tickets / made:,.0f} tickets/s)")
    rate, megabytes = pages * PAGE / seconds, size / seconds / 1e6
    print(f"served {rate:,.0f} tickets/s, {megabytes:,.0f} MB/s, {options.connections} connections")


if __name__ == "__main__":
    main()
