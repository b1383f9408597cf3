"""Who runs: AVESA through its own commands, and each peer as a program in the peers' environment."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.measure import CommandFailed, run

if TYPE_CHECKING:
    from benchmarks.measure import Cost

PEERS: Final = Path(__file__).parent / "peers"
REPOSITORY: Final = Path(__file__).parents[1]
AVESA: Final = "AVESA"
COMMAND: Final = (sys.executable, "-m", "avesa.entrypoints.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One load to be carried out."""

    url: str
    tickets: int
    in_flight: int
    folder: Path
    """Empty; all that the contender writes lies below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program in `benchmarks/peers/`, or two with a pipe between them."""

    name: str
    does: str
    scripts: tuple[str, ...]

    def load(self, work: Load, python: Path) -> Cost:
        """Carry the load out. Raises CommandFailed, also when rows are missing or doubled."""
        arguments = [work.url, str(work.folder), str(work.tickets), "--in-flight", str(work.in_flight)]
        calls = [[str(python), str(PEERS / script), *arguments] for script in self.scripts]
        if len(calls) == 1:
            cost = run(calls[0], environment=environment(), folder=work.folder)
        else:
            line = [part for call in calls for part in ("|", *call)][1:]
            cost = run(line, environment=environment(), folder=work.folder, is_piped=True)
        rows = json.loads(cost.output.strip().splitlines()[-1])["rows"]
        _check(rows, work.tickets)
        return cost


PEER_LIST: Final = (
    Peer(name="dlt, Arrow path", does="its parsing done for it; no raw layer, no history", scripts=("dlt_arrow.py",)),
    Peer(name="airbyte-cdk, declarative", does="reading only, nothing written", scripts=("airbyte_read.py",)),
    Peer(name="requests + pandas", does="page after page, Parquet", scripts=("requests_pandas.py",)),
    Peer(name="dlt rest_api, scd2", does="DuckDB with history, pages in parallel", scripts=("dlt_scd2.py",)),
    Peer(
        name="singer tap and target",
        does="singer-sdk to Parquet, no history",
        scripts=("singer_tap.py", "singer_target.py"),
    ),
)


def load_with_avesa(work: Load) -> Cost:
    """Register the tenant, then time `avesa run` with every guarantee on. Raises CommandFailed."""
    home = work.folder / "home"
    own = environment() | {"AVESA_HOME": str(home)}
    register("acme", work.url, environment=own, folder=work.folder)
    chosen = ["--mappings", str(_mappings(work))]
    load = [*COMMAND, "run", "--tenant-id", "acme", "--table-name", "tickets", "--output", "json", *chosen]
    cost = run(load, environment=own, folder=work.folder)
    (table,) = json.loads(cost.output.strip().splitlines()[-1])["tenants"][0]["tables"]
    _check(table["reconciled"]["lake"], work.tickets)
    question = "SELECT count(*) AS rows FROM tickets WHERE is_current"
    counted = run([*COMMAND, "query", question, "--output", "json"], environment=own, folder=work.folder)
    _check(int(json.loads(counted.output)[0]["rows"]), work.tickets)
    return cost


def _mappings(work: Load) -> Path:
    """Return the product's own mappings, with as many requests at once as the load allows."""
    folder = work.folder / "mappings"
    shutil.copytree(REPOSITORY / "mappings", folder)
    path = folder / "integrations" / "connectwise_endpoints.json"
    endpoints = json.loads(path.read_text(encoding="utf-8"))
    endpoints["limits"]["max_concurrency"] = work.in_flight
    path.write_text(json.dumps(endpoints), encoding="utf-8")
    return folder


def register(tenant: str, url: str, *, environment: dict[str, str], folder: Path) -> None:
    """Register a tenant that has a company of its own. Raises CommandFailed."""
    setup = [*COMMAND, "setup-service", "--tenant-id", tenant, "--company-name", tenant, "--service", "connectwise"]
    run(setup, environment=environment | _keys(tenant, url), folder=folder)


def _keys(company: str, url: str) -> dict[str, str]:
    """Return the variables from which `avesa setup-service` takes the login; the source takes any."""
    login = {"company_id": company, "public_key": "public", "private_key": "private", "client_id": "benchmark"}
    return {f"CONNECTWISE_{name.upper()}": value for name, value in (login | {"api_base_url": url}).items()}


def environment() -> dict[str, str]:
    """Return the environment of a contender: this one, less what would make it ask or tell somebody else.

    Compiled modules are kept, as an installation keeps them: AVESA runs from its sources here.
    """
    left_out = ("AVESA_", "CONNECTWISE_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {"PYTHONPATH": str(REPOSITORY), "DO_NOT_TRACK": "1", "NO_PROXY": "*"}


def _check(rows: int, expected: int) -> None:
    if rows != expected:
        raise CommandFailed(f"{rows} rows arrived, {expected} were asked for: the run does not count")
