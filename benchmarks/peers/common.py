"""What the peers' programs share: their arguments, and the last line that says how many rows arrived."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

PAGE = 1000
HEADERS = {"Authorization": "Basic YWNtZStwdWJsaWM6cHJpdmF0ZQ==", "clientId": "benchmark"}


@dataclass(frozen=True)
class Job:
    """What to load, from where, to where, and how many pages may be asked for at once."""

    url: str
    folder: Path
    tickets: int
    in_flight: int

    @property
    def api(self) -> str:
        """The address below which the endpoints lie."""
        return f"{self.url}/v2025_1/apis/3.0/"

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return -(-self.tickets // PAGE)


def job() -> Job:
    """Return the job that the arguments name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("tickets", type=int)
    parser.add_argument("--in-flight", type=int, default=8)
    found = parser.parse_args()
    found.folder.mkdir(parents=True, exist_ok=True)
    return Job(found.url, found.folder, found.tickets, found.in_flight)


def done(rows: int) -> None:
    """Say how many rows there are at the destination."""
    sys.stdout.flush()
    print(json.dumps({"rows": rows}), flush=True)
