"""The scenario of the kill matrix: a source at each of its moments, and the runs that are to survive a death.

set up ─► full load (several chunks, a record that cannot be read, a page that is worth columns) ─► increment (several
pages) ─► sweep (deletes, a merged company) ─► rebuild ─► maintenance that keeps no old version. A fold does one group
of buckets a call. The source stands still within a run, so that a run that died and was recovered must give the very
rows of one that lived.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from avesa.application.setup import setup_service
from avesa.application.workflow import run_pipeline
from avesa.bootstrap.packaged import packaged_mappings
from avesa.ports.source import HttpResponse
from avesa.simulator.api import respond
from avesa.simulator.site import Changes, CompanySpec, Site
from avesa.simulator.wire import Request
from reliability.mischief import COMPANIES, TABLES, TICKETS

if TYPE_CHECKING:
    from pathlib import Path

    from avesa.application.payloads import Json
    from avesa.application.pipeline import Application
    from avesa.ports.source import HttpRequest

TENANT: Final = "acme"
SERVICE: Final = "connectwise"
URL: Final = "https://api-na.simulated.example"
RUNS: Final[dict[str, dict[str, object]]] = {
    "set up": {},
    "full load": {},
    "increment": {},
    "sweep": {"detect_deletes": True},
    "rebuild": {"rebuild": True},
    "maintenance": {},
}
BOUNDS: Final[dict[str, Any]] = {"step_budget_seconds": 0.0, "fold_buckets": 1}
"""Every step that may stop and be called again does so at the first place where it may."""
_BEGIN: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_FULL_LOAD: Final = list(RUNS).index("full load")
_LONG_TICKETS: Final = 20
"""A page of them is larger than what is kept as text alone."""
_FAR_ID: Final = 200_000
"""In a bucket of its own, so that a fold has more than one group."""
_UNREADABLE: Final = b'{"id":"not a number","summary":"kept in quarantine","_info":{"lastUpdated":"%s"}}'


def source_at(run: str) -> Site:
    """Return the source as it is during a run; always the same."""
    moment = list(RUNS).index(run)
    now = _BEGIN + timedelta(hours=moment)
    site = Site(seed=5, companies=[CompanySpec(login=TENANT, sizes={TICKETS: 110, COMPANIES: 12})], clock=lambda: now)
    company = site.company(TENANT)
    for record_id, record in sorted(company.records(TICKETS).items())[:_LONG_TICKETS]:
        company.put(TICKETS, record | {"initialDescription": f"{record_id} " * 3_000})
    company.put(TICKETS, record | {"id": _FAR_ID})
    company.put_body(TICKETS, 100_020, _UNREADABLE % b"2024-05-01T00:00:00Z")
    if moment > _FULL_LOAD:
        at = _BEGIN + timedelta(hours=1, minutes=30)
        company.apply(TICKETS, Changes(edits=14, touches=4, inserts=28), at=at)
        company.apply(COMPANIES, Changes(edits=3, inserts=1), at=at)
        company.put_body(TICKETS, 100_031, _UNREADABLE % b"2026-11-23T13:30:00Z")
    if moment > _FULL_LOAD + 1:
        at = _BEGIN + timedelta(hours=2, minutes=30)
        company.apply(TICKETS, Changes(edits=5, deletes=6, moves_to_project=1), at=at)
        company.apply(COMPANIES, Changes(deletes=1, merges=1), at=at)
    return site


class LoggingTransport:
    """The simulator without a socket; every address asked for is on disk before it is answered."""

    def __init__(self, site: Site, log: Path) -> None:
        self._site, self._log = site, log

    def send(self, request: HttpRequest) -> HttpResponse:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(request.url + "\n")
        parts = urlsplit(request.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {name.lower(): value for name, value in request.headers.items()} | {"host": parts.netloc}
        answered = respond(self._site, Request(method=request.method, target=target, headers=headers, scheme="https"))
        named = {name.lower(): value for name, value in answered.headers}
        named["date"] = self._site.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return HttpResponse(status=answered.status, headers=named, body=answered.body)


def perform(application: Application, run: str, site: Site, *, job_id: str | None = None) -> Json:
    """Carry out one run of the scenario; as the job `job_id`, if it is to go on with that."""
    if run == "maintenance":
        for table in TABLES:
            task = {"tenant_id": TENANT, "service": SERVICE, "table_name": table, "retention_days": -1.0}
            application.run_step("maintain_table", task)
        return {"status": "completed"}
    if run == "set up":
        keys = site.company(TENANT).credentials
        values = {
            "company_id": keys.company_id,
            "public_key": keys.public_key,
            "private_key": keys.private_key,
            "client_id": keys.client_id,
            "api_base_url": URL,
        }
        setup_service(application.context, tenant_id=TENANT, service=SERVICE, company_name="Acme", values=values)
        return {"status": "completed"}
    request = dict(RUNS[run])
    if job_id is not None:
        request["job_id"] = job_id
    return run_pipeline(application, request)


def mappings() -> dict[str, bytes]:
    """Return the packaged mappings for two tables, with pages small enough for many of them."""
    files = dict(packaged_mappings())
    name = "integrations/connectwise_endpoints.json"
    endpoints = json.loads(files[name])
    endpoints["limits"] |= {"page_size": 20, "max_concurrency": 3}
    endpoints["endpoints"] = {path: endpoints["endpoints"][path] for path in TABLES}
    files[name] = json.dumps(endpoints).encode()
    kept = {name, "backfill_config.json", *(f"canonical/{table}.json" for table in TABLES.values())}
    return {key: content for key, content in files.items() if key in kept}
