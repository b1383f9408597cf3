"""The real pipeline in a temporary home against the simulator over HTTP, and the truth to compare its tables with.

The projection here is written for itself, slowly and from the specification's own table of columns (columns.txt), so
that a fault in avesa.canonical or in the mapping files cannot hide in it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from cryptography.fernet import Fernet
from deltalake import DeltaTable

from avesa.adapters.memory.events import RecordingSink
from avesa.application.context import Bounds
from avesa.application.setup import setup_service
from avesa.application.workflow import run_pipeline
from avesa.bootstrap.local import LocalSettings, local_application
from avesa.bootstrap.packaged import packaged_mappings
from avesa.simulator.server import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avesa.application.pipeline import Application
    from avesa.simulator.site import Site

PATHS = {
    "tickets": "service/tickets",
    "time_entries": "time/entries",
    "companies": "company/companies",
    "contacts": "company/contacts",
}
SECRET_KEY = Fernet.generate_key().decode()
Row = dict[str, Any]


@dataclass
class Pipeline:
    """A home with its application, and the site that it reads."""

    home: Path
    site: Site
    application: Application
    url: str
    events: RecordingSink

    @property
    def lake(self) -> Path:
        return self.home / "data-storage-msp-local"

    def register(self, login: str) -> None:
        keys = self.site.company(login).credentials
        values = {
            "company_id": keys.company_id,
            "public_key": keys.public_key,
            "private_key": keys.private_key,
            "client_id": keys.client_id,
            "api_base_url": self.url,
        }
        setup_service(
            self.application.context, tenant_id=login, service="connectwise", company_name=login.title(), values=values
        )

    def run(self, **request: object) -> dict[str, Any]:
        return run_pipeline(self.application, request)

    def tables(self, result: dict[str, Any], tenant: str = "acme") -> dict[str, dict[str, Any]]:
        """Return each table's part of a run's result, by its canonical name."""
        (found,) = [item for item in result["tenants"] if item["tenant_id"] == tenant]
        return {item["canonical_table"] or item["table_name"]: item for item in found["tables"]}

    def folder(self, table: str, tenant: str = "acme") -> Path:
        return self.lake / tenant / "canonical" / table

    def rows(self, table: str, tenant: str = "acme") -> list[Row]:
        """Return all rows of a canonical table as delta-rs reads them, in the order of key and time."""
        found: list[Row] = DeltaTable(str(self.folder(table, tenant))).to_pyarrow_table().to_pylist()
        return sorted(found, key=lambda row: (int(row["id"]), row["valid_from"]))

    def current(self, table: str, tenant: str = "acme") -> dict[int, Row]:
        return {int(row["id"]): row for row in self.rows(table, tenant) if row["is_current"]}

    def raw(self, path: str, tenant: str = "acme") -> list[Row]:
        """Return all raw records of an endpoint."""
        folder = self.lake / tenant / "raw" / "connectwise" / path
        files = [file for file in sorted(folder.rglob("*.parquet")) if "deletions" not in file.parts]
        return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]

    def assert_true(self, tenant: str = "acme", tables: tuple[str, ...] = tuple(PATHS)) -> None:
        """Compare every current row and column with the simulator's truth, and the shape of every history."""
        for table in tables:
            truth = self.site.company(tenant).records(PATHS[table])
            current = self.current(table, tenant)
            assert current.keys() == truth.keys()
            for record_id, record in truth.items():
                expected = projected(table, record)
                assert {name: current[record_id][name] for name in expected} == expected
            assert_histories(self.rows(table, tenant), tenant)


def assert_histories(rows: list[Row], tenant: str) -> None:
    """Check what every canonical table promises of the versions of a key."""
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        assert (row["tenant_id"], row["service"]) == (tenant, "connectwise")
        assert row["is_current"] == (row["valid_to"] is None)
        assert not (row["is_deleted"] and row["is_current"])
        by_key.setdefault(row["id"], []).append(row)
    for versions in by_key.values():
        for older, newer in itertools.pairwise(versions):
            assert older["valid_from"] < newer["valid_from"]
            assert older["valid_to"] is not None
            is_end = older["valid_to"] <= newer["valid_from"] if older["is_deleted"] else None
            assert is_end or older["valid_to"] == newer["valid_from"]


@contextlib.contextmanager
def pipeline(
    site: Site,
    home: Path,
    *logins: str,
    mappings: Path | None = None,
    bounds: Bounds | None = None,
    processes: int = 1,
) -> Iterator[Pipeline]:
    """Give a pipeline over real HTTP with real local adapters; the companies named are registered."""
    events = RecordingSink()
    settings = LocalSettings(
        home=home,
        mappings=mappings,
        secret_key=SECRET_KEY,
        bounds=bounds or Bounds(),
        parsing_processes=processes,
        sinks=(events,),
    )
    with serve(site, port=0) as server, local_application(settings) as application:
        made = Pipeline(home, site, application, server.url, events)
        for login in logins:
            made.register(login)
        yield made


def mapping_folder(folder: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Write the packaged mappings into a folder, as a user would copy them, and edit their parsed content by name."""
    documents = {name: json.loads(content) for name, content in packaged_mappings().items()}
    edit(documents)
    for name, document in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return folder


# ------------------------------------------------------------------------------------------ slow projection


def _columns() -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    table: list[tuple[str, str, str]] = []
    for line in Path(__file__).with_name("columns.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            table = found.setdefault(line.strip("[]"), [])
        else:
            name, kind, source = line.split(" ")
            table.append((name, kind, source))
    return found


COLUMNS = _columns()


def projected(table: str, record: Row) -> Row:
    """Return the business columns that a record of the normal profile must have."""
    return {name: _typed(_found(record, source), kind) for name, kind, source in COLUMNS[table]}


def _found(record: Row, source: str) -> Any:  # noqa: ANN401 - JSON
    if source == "-":
        return None
    if source == "types[]/name":
        names = [kind["name"] for kind in record.get("types") or [] if kind.get("name") is not None]
        return ", ".join(names) if names else None
    if source.startswith("email:"):
        for item in record.get("communicationItems") or []:
            if item.get("communicationType") == "Email" and item.get("defaultFlag") is True:
                return _found(item, source.removeprefix("email:"))
        return None
    for path in source.split("|"):
        value: Any = record
        for part in path.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def _typed(value: Any, kind: str) -> Any:  # noqa: ANN401 - JSON
    if value is None:
        return None
    if kind == "string":
        return value if isinstance(value, str) else str(value)
    if kind == "timestamp":
        return datetime.fromisoformat(value).astimezone(UTC)
    return {"float64": float, "int64": int, "bool": bool}[kind](value)
