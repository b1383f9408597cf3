"""One simulated world: a company that people work in, and everything that survives the death of a process."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from avesa.adapters.memory.canonical import MemoryCanonicalStore
from avesa.adapters.memory.lake import MemoryLake
from avesa.adapters.memory.raw import MemoryRawStore
from avesa.adapters.memory.secrets import MemorySecretStore
from avesa.adapters.memory.state import MemoryState
from avesa.application.catalog import publish_catalog
from avesa.application.context import Bounds, StepContext
from avesa.application.pipeline import Application
from avesa.application.setup import setup_service
from avesa.application.workflow import run_pipeline
from avesa.bootstrap.packaged import packaged_mappings
from avesa.domain.errors import AvesaError
from avesa.domain.names import Environment, quarantine_prefix
from avesa.simulator.site import CompanySpec, FaultKind, Site
from reliability.gates import (
    BEGIN,
    Gate,
    Gated,
    Machine,
    SimulatedClock,
    SimulatedLiveness,
    SimulatedPause,
    SiteTransport,
    TurnBudget,
    TurnExecutor,
    Victim,
)
from reliability.mischief import COMPANIES, TABLES, TICKETS, Mischief
from reliability.scheduler import Scheduler
from reliability.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.domain.model import Chunk, Lease, TableState
    from avesa.ports.lake import Lake
    from avesa.ports.state import ChunkLedger, JobLedger, TableStates, TenantRegistry
    from avesa.ports.tables import CanonicalStore, FoldedGroup, RawStore, TableSnapshot

TENANT: Final = "acme"
SERVICE: Final = "connectwise"
URL: Final = "https://api-na.simulated.example"


class Findings:
    """An event sink that keeps what no event of a sound run tells."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def emit(self, event: str, **fields: object) -> None:
        if event == "unforeseen_error":
            self._scheduler.findings.append(f"unforeseen {fields['kind']} at {fields['where']}")


class WatchedTables:
    """Table states that look, whenever a bookmark moves, whether everything before it is folded."""

    def __init__(self, world: World) -> None:
        self._world, self._tables = world, world.state.tables

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the other methods, as they are
        return getattr(self._tables, name)

    def save(self, lease: Lease, state: TableState) -> None:
        world, before = self._world, self._tables.get(state.tenant_id, state.table_name)
        self._tables.save(lease, state)
        if state.bookmark_at == before.bookmark_at or before.plan is None:
            return
        folded = world.snapshot(state.table_name).folded
        parts = world.raw.list(TENANT, SERVICE, state.table_name)
        ahead = [part.key for part in parts if part.job_id == before.plan.job_id and part.key not in folded]
        # A worker that lost its lease may have left a part since the fold; the reads that count have all ended.
        ahead = [key for key in ahead if f"-f{lease.fence}-" in key]
        if ahead:
            world.scheduler.findings.append(f"the bookmark of {state.table_name} moved ahead of {ahead[0]}")


class WatchedChunks:
    """A chunk ledger that looks, whenever a chunk moves on, whether what it passes by is durable."""

    def __init__(self, world: World) -> None:
        self._world, self._chunks = world, world.state.chunks

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the other methods, as they are
        return getattr(self._chunks, name)

    def checkpoint(self, lease: Lease, chunk: Chunk) -> None:
        before = self._chunks.get(chunk.tenant_id, chunk.chunk_id)
        self._chunks.checkpoint(lease, chunk)
        if before is None or chunk.resume_after_id == before.resume_after_id:
            return
        parts = self._world.raw.list(TENANT, SERVICE, chunk.table_name)
        if chunk.resume_after_id in self._world.mischief.poisoned:
            kept = self._world.lake.list(quarantine_prefix(TENANT, SERVICE, chunk.table_name))
            is_durable = any(chunk.chunk_id.replace("/", "-") in item.key for item in kept)
        else:
            is_durable = any(part.job_id == chunk.job_id and part.max_id == chunk.resume_after_id for part in parts)
            # Beside a record without an id that can be read, the Link header alone tells how far a page goes; if that
            # page lacks its last record too, the counts find out.
            is_durable |= bool(self._world.mischief.poisoned) and self._lacked_a_record()
        if not is_durable:
            self._world.scheduler.findings.append(f"{chunk.chunk_id} passes by {chunk.resume_after_id}, not durable")

    def _lacked_a_record(self) -> bool:
        """Whether the server has left a record out of a page."""
        return any(rule.kind is FaultKind.MISSING_RECORD and struck for rule, struck in self._world.site.faults.rules())


class WatchedCanonical:
    """A canonical store that keeps what each landed commit changed, by process and table."""

    def __init__(self, world: World, process: Victim) -> None:
        self._world, self._process = world, process

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the other methods, as they are
        return getattr(self._world.canonical, name)

    def commit(self, snapshot: TableSnapshot, groups: Sequence[FoldedGroup], **rest: Any) -> TableSnapshot:  # noqa: ANN401
        committed = self._world.canonical.commit(snapshot, groups, **rest)
        opened = sum(group.versions_opened for group in groups)
        closed = sum(group.versions_closed for group in groups)
        corrected = sum(group.versions_corrected for group in groups)
        table = snapshot.mapping.table
        self._world.changed[self._process.name, table] += Counter(opened=opened, closed=closed, corrected=corrected)
        is_rebuild = rest["is_rebuild"]
        self._world.balance[table] = (0 if is_rebuild else self._world.balance[table]) + opened - closed
        return committed


@dataclass
class Told:
    """What a run said at its end; `result` is None when it died or failed as a whole."""

    process: str
    request: dict[str, object]
    since: float
    until: float = 0.0
    result: dict[str, Any] | None = None
    error: str = ""
    others: set[str] = field(default_factory=set)
    """Processes that were alive with it."""


class World:
    """Everything of one history; the same seed gives the same history."""

    def __init__(self, seed: int) -> None:
        def stream(name: str) -> random.Random:
            return random.Random(f"{seed}/{name}")

        self.stream = stream
        self.plot = stream("plot")
        self.scheduler = Scheduler(stream("turns"))
        self.weather = Weather(stream("weather"))
        self.files = _mappings(self.plot)
        sizes = {TICKETS: self.plot.randrange(190, 300), COMPANIES: self.plot.randrange(10, 40)}
        self.site = Site(seed=seed % 16, companies=[CompanySpec(login=TENANT, sizes=sizes)], clock=self.source_now)
        self.company = self.site.company(TENANT)
        self.mischief = Mischief(self.company, stream("mischief"), lambda: self.scheduler.now, self.source_now)
        for record_id in self._poisoned():
            self.mischief.poison(TICKETS, record_id)
            self.weather.struck["unreadable record"] += 1
        self.site.on_request = self.mischief.on_request
        self.state, self.lake, self.secrets = MemoryState(), MemoryLake(), MemorySecretStore()
        self.raw = MemoryRawStore()
        self.canonical = MemoryCanonicalStore(self.raw)
        self.processes: dict[str, Victim] = {}
        self.told: list[Told] = []
        self.changed: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        """What landed commits opened, closed and corrected, by process and table."""
        self.balance: Counter[str] = Counter()
        """Versions opened less versions closed by all landed commits of a table since it was last rebuilt."""
        self.alive: set[str] = set()
        self.pages: dict[str, bytes] = {}
        self.machine = Machine(self.plot.choice((0.0, 0.0, -600.0, 600.0)))
        self.is_same_machine = self.plot.random() < 0.5
        self.bounds = Bounds(
            lease_ttl_seconds=60.0,
            step_budget_seconds=self.plot.choice((0.0, 1.0, 600.0)),
            fold_rows=self.plot.choice((20, 16_384)),
            inline_chunks=1_000,
        )
        self.catalog = publish_catalog(self.lake, self.files, folder="mappings")

    def _poisoned(self) -> list[int]:
        """Return the tickets that nobody will be able to read: none in half of the histories."""
        rng = self.stream("poison")
        ids = self.company.table(TICKETS).snapshot.ids
        return sorted(rng.sample(list(ids), rng.choice((0, 0, 1, 3))))

    def source_now(self) -> datetime:
        """Return the time of day at the source."""
        return BEGIN + timedelta(seconds=self.scheduler.now)

    def application(self, process: Victim) -> Application:
        """Return the pipeline as a new process builds it: nothing is shared but what is durable."""
        gate = Gate(self.scheduler, self.weather, process, self.stream(process.name), self.machine)
        clock = SimulatedClock(self.scheduler, self.machine)
        budgets: dict[tuple[str, str], TurnBudget] = {}

        def budget(site: str, company: str, limit: int) -> TurnBudget:
            key = (site, company)
            if key not in budgets:
                pause = SimulatedPause(self.scheduler, self.machine, f"{site} {company}")
                budgets[key] = TurnBudget(limit, clock=clock, scheduler=self.scheduler, pause=pause)
            return budgets[key]

        context = StepContext(
            environment=Environment.LOCAL,
            registry=cast("TenantRegistry", Gated(self.state.tenants, gate, "registry")),
            tables=cast("TableStates", Gated(WatchedTables(self), gate, "tables")),
            jobs=cast("JobLedger", Gated(self.state.jobs, gate, "jobs")),
            chunks=cast("ChunkLedger", Gated(WatchedChunks(self), gate, "chunks")),
            lake=cast("Lake", Gated(self.lake, gate, "lake")),
            secrets=self.secrets,
            raw=cast("RawStore", Gated(self.raw, gate, "raw")),
            canonical=cast("CanonicalStore", Gated(WatchedCanonical(self, process), gate, "canonical")),
            transport=SiteTransport(self.site, gate, self.pages),
            budget=budget,
            clock=clock,
            executor=TurnExecutor(gate),
            liveness=SimulatedLiveness(
                gate,
                self.processes,
                ttl_seconds=self.bounds.lease_ttl_seconds,
                is_same_machine=self.is_same_machine,
            ),
            events=Findings(self.scheduler),
            random=gate.random.random,
            is_stopping=lambda: False,
            bounds=self.bounds,
        )
        return Application(context)

    def register(self) -> None:
        """Set the tenant up, in calm weather."""
        keys = self.company.credentials
        values = {
            "company_id": keys.company_id,
            "public_key": keys.public_key,
            "private_key": keys.private_key,
            "client_id": keys.client_id,
            "api_base_url": URL,
        }
        context = self.application(self.process("setup")).context
        setup_service(context, tenant_id=TENANT, service=SERVICE, company_name="Acme", values=values)

    def process(self, name: str, **fate: float | None) -> Victim:
        """Return a new process."""
        process = self.processes[name] = Victim(name, **fate)
        return process

    def run(self, process: Victim, request: dict[str, object]) -> Told:
        """Run the whole pipeline in the process, and note what it says."""
        told = Told(process=process.name, request=request, since=self.scheduler.now, others=set(self.alive))
        for other in self.told:
            if not other.until:
                other.others.add(process.name)
        self.told.append(told)
        self.alive.add(process.name)
        try:
            told.result = run_pipeline(self.application(process), request)
        except AvesaError as error:
            told.error = f"{type(error).__name__}: {error}"
        finally:
            told.until = self.scheduler.now
            self.alive.discard(process.name)
        return told

    def mapping(self, path: str) -> CanonicalMapping:
        """Return the canonical mapping of a table."""
        return self.catalog.canonical[TABLES[path]]

    def snapshot(self, path: str) -> TableSnapshot:
        """Return the table as last committed."""
        return self.canonical.open(TENANT, SERVICE, self.mapping(path))


def _mappings(rng: random.Random) -> dict[str, bytes]:
    """Return the packaged mappings for two tables, with pages small enough for many of them."""
    files = dict(packaged_mappings())
    name = "integrations/connectwise_endpoints.json"
    endpoints = json.loads(files[name])
    page_size = rng.choice((10, 25, 60))
    limits = {
        "page_size": page_size,
        "chunk_records": 1000,
        "max_attempts": 5,
        "max_concurrency": rng.choice((1, 3, 6)),
    }
    endpoints["limits"] |= limits
    endpoints["endpoints"] = {path: endpoints["endpoints"][path] for path in TABLES}
    kept = {name, "backfill_config.json", *(f"canonical/{table}.json" for table in TABLES.values())}
    files[name] = json.dumps(endpoints).encode()
    return {key: content for key, content in files.items() if key in kept}
