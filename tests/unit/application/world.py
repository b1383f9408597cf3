"""A whole pipeline in memory against the simulator's pure core: no socket, no sleep, time moved by hand."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from avesa.adapters.delta.audit import DeltaTableAudit
from avesa.adapters.delta.maintenance import DeltaTableMaintainer
from avesa.adapters.delta.store import DeltaCanonicalStore
from avesa.adapters.local.budget import BudgetBook
from avesa.adapters.memory.clock import FakeClock
from avesa.adapters.memory.erasing import MemoryEraser
from avesa.adapters.memory.events import RecordingSink
from avesa.adapters.memory.executor import InlineExecutor
from avesa.adapters.memory.lake import MemoryLake
from avesa.adapters.memory.liveness import MemoryLiveness
from avesa.adapters.memory.secrets import MemorySecretStore
from avesa.adapters.memory.state import MemoryState
from avesa.adapters.parquet.raw import ParquetRawStore
from avesa.adapters.parquet.reading import ParquetRawReader
from avesa.application.catalog import publish_catalog
from avesa.application.context import Bounds, StepContext
from avesa.application.pipeline import Application
from avesa.application.setup import SetupResult, setup_service
from avesa.application.workflow import run_pipeline
from avesa.bootstrap.packaged import packaged_mappings
from avesa.domain.errors import TransientSourceError
from avesa.domain.names import Environment
from avesa.ports.source import HttpRequest, HttpResponse
from avesa.ports.upkeep import Upkeep
from avesa.simulator.api import respond
from avesa.simulator.site import CompanySpec, Site
from avesa.simulator.wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TICKETS = "service/tickets"
SMALL = {TICKETS: 300, "time/entries": 60, "company/companies": 20, "company/contacts": 40}
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "https://api-na.simulated.example"


class SiteTransport:
    """A Transport that asks the simulator's `respond` in the same thread."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.sent: list[str] = []
        self.before: Callable[[HttpRequest], HttpResponse | None] | None = None
        self._lock = threading.Lock()

    def send(self, request: HttpRequest) -> HttpResponse:
        with self._lock:
            self.sent.append(request.url)
        if self.before is not None:
            answer = self.before(request)
            if answer is not None:
                return answer
        parts = urlsplit(request.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {name.lower(): value for name, value in request.headers.items()} | {"host": parts.netloc}
        answered = respond(self.site, Request(method=request.method, target=target, headers=headers, scheme="https"))
        if answered.sent_bytes is not None:
            raise TransientSourceError(f"{parts.netloc}{parts.path}: the answer broke off (IncompleteRead)")
        date = self.site.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        named = {"date": date} | {name.lower(): value for name, value in answered.headers}
        return HttpResponse(status=answered.status, headers=named, body=answered.body)


class World:
    """One or more simulated companies, and a pipeline of memory adapters that reads them."""

    def __init__(
        self,
        *logins: str,
        sizes: Mapping[str, int] | None = None,
        only: str | None = TICKETS,
        edit: Callable[[dict[str, Any]], None] | None = None,
        profile: str = "normal",
        bounds: Bounds | None = None,
    ) -> None:
        self.clock = FakeClock(NOW)
        self.site = Site(
            seed=11,
            companies=[CompanySpec(login=login, sizes=dict(sizes or SMALL)) for login in logins or ("acme",)],
            clock=self.clock.now,
            profile=profile,
        )
        self.transport = SiteTransport(self.site)
        self.state = MemoryState()
        self.lake = MemoryLake()
        self.secrets = MemorySecretStore()
        self.liveness = MemoryLiveness()
        self.events = RecordingSink()
        self.stopping = False
        files = mappings(only=only, edit=edit)
        publish_catalog(self.lake, files, folder="mappings")
        self.context = self._context(bounds or Bounds())
        self.application = Application(self.context)
        for login in logins or ("acme",):
            self.register(login)

    def _context(self, bounds: Bounds) -> StepContext:
        return StepContext(
            environment=Environment.LOCAL,
            registry=self.state.tenants,
            tables=self.state.tables,
            jobs=self.state.jobs,
            chunks=self.state.chunks,
            lake=self.lake,
            secrets=self.secrets,
            raw=ParquetRawStore(self.lake),
            canonical=DeltaCanonicalStore(self.lake, self.clock),
            transport=self.transport,
            budget=BudgetBook(clock=self.clock).get,
            clock=self.clock,
            executor=InlineExecutor(),
            liveness=self.liveness,
            events=self.events,
            random=random.Random(3).random,
            is_stopping=lambda: self.stopping,
            bounds=bounds,
            upkeep=Upkeep(
                raw=ParquetRawReader(self.lake),
                tables=DeltaTableAudit(self.lake),
                eraser=MemoryEraser(self.lake, self.state),
                maintainer=DeltaTableMaintainer(self.lake, self.clock),
            ),
        )

    def values(self, login: str) -> dict[str, str]:
        """Return the credentials of a simulated company, as set-up takes them."""
        keys = self.site.company(login).credentials
        return {
            "company_id": keys.company_id,
            "public_key": keys.public_key,
            "private_key": keys.private_key,
            "client_id": keys.client_id,
            "api_base_url": URL,
        }

    def register(self, login: str, **changed: str) -> SetupResult:
        return setup_service(
            self.context,
            tenant_id=login,
            service="connectwise",
            company_name=login.title(),
            values=self.values(login) | changed,
        )

    def run(self, **request: object) -> dict[str, Any]:
        """Run, one simulated second after whatever was before."""
        self.clock.advance(1)
        self.transport.sent.clear()
        return run_pipeline(self.application, request)

    def table(self, result: Mapping[str, Any], name: str = TICKETS, tenant: str = "acme") -> dict[str, Any]:
        """Return one table's part of a run's result."""
        (of_tenant,) = [item for item in result["tenants"] if item["tenant_id"] == tenant]
        (found,) = [item for item in of_tenant["tables"] if item["table_name"] == name]
        return dict(found)

    def current_ids(self, tenant: str = "acme", table: str = "tickets") -> set[int]:
        from avesa.application.catalog import load_catalog

        mapping = load_catalog(self.lake).canonical[table]
        store = self.context.canonical
        return store.current_ids(store.open(tenant, "connectwise", mapping))

    def truth(self, path: str = TICKETS, login: str = "acme") -> set[int]:
        return set(self.site.company(login).table(path).snapshot.ids)

    def asked(self, fragment: str) -> list[str]:
        """Return the addresses sent since the last run began that have the fragment in them."""
        return [url for url in self.transport.sent if fragment in url]

    def with_bounds(self, **bounds: Any) -> None:  # noqa: ANN401 - the fields of Bounds
        self.context = replace(self.context, bounds=replace(self.context.bounds, **bounds))
        self.application = Application(self.context)


def mappings(*, only: str | None = None, edit: Callable[[dict[str, Any]], None] | None = None) -> dict[str, bytes]:
    """Return the packaged mappings with small pages, one endpoint enabled if `only` names it, and an edit made."""
    files = dict(packaged_mappings())
    name = "integrations/connectwise_endpoints.json"
    endpoints = json.loads(files[name])
    endpoints["limits"] |= {"page_size": 100, "chunk_records": 1000, "max_attempts": 4}
    for path, endpoint in endpoints["endpoints"].items():
        endpoint["enabled"] = endpoint["enabled"] and only in {None, path}
    if edit is not None:
        edit(endpoints)
    files[name] = json.dumps(endpoints).encode()
    return files
