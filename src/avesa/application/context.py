"""What every step is given: the ports, and the bounds that a user may set. Built once, in bootstrap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from avesa.domain.names import Environment
    from avesa.domain.prices import Prices
    from avesa.ports.catalog import TableCatalog
    from avesa.ports.lake import Lake, SecretStore
    from avesa.ports.source import RequestBudget, Transport
    from avesa.ports.state import ChunkLedger, JobLedger, TableStates, TenantRegistry
    from avesa.ports.tables import CanonicalStore, RawStore
    from avesa.ports.time import Clock
    from avesa.ports.upkeep import Upkeep
    from avesa.ports.work import EventSink, Executor, Liveness


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much happens at once, and how long things may take."""

    tenants: int = 4
    tables: int = 4
    chunks: int = 64
    """Chunks of a table; the source's own bound on requests, and `chunks_aside`, usually allow fewer."""
    chunks_aside: int = 4
    """Chunks of a table that may be under way beyond the requests at once: one whose page is being stored asks for
    nothing. As many pages wait in memory, so it is small.
    """
    lease_ttl_seconds: float = 60.0
    step_budget_seconds: float = 600.0
    """A step that can go on later returns after the page, or the share of a fold, during which this ends, to be called
    again.
    """
    fold_rows: int = 16_384
    """Raw rows that one fold group may hold in memory."""
    fold_buckets: int = 64
    inline_fold_rows: int = 2_000
    """A fold of no more raw rows than this stays in the process that asked for it."""
    retention_days: float = 7.0
    """How long a version of a table that was replaced stays readable, where maintenance is not told otherwise."""
    run_tenants: int = 1_000_000
    """Tenants that one run over all may have: a state machine carries them all, and their results, in one state."""
    inline_chunks: int = 1_000_000
    """Chunk ids that may travel in a step's output; more of them are left in the lake under a key. State machines
    bound what they carry (and open distributed maps), the local workflow does not."""

    def chunks_at_once(self, max_concurrency: int) -> int:
        """Return how many chunks of a table keep as many requests as that under way."""
        return max_concurrency + self.chunks_aside


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """Everything outside the core that a step may use."""

    environment: Environment
    registry: TenantRegistry
    tables: TableStates
    jobs: JobLedger
    chunks: ChunkLedger
    lake: Lake
    secrets: SecretStore
    raw: RawStore
    canonical: CanonicalStore
    transport: Transport
    budget: Callable[[str, str, int], RequestBudget]
    """(site, company, most requests at once) to the budget that all its workers share."""
    clock: Clock
    executor: Executor
    liveness: Liveness
    events: EventSink
    random: Callable[[], float]
    """A number in [0, 1), for jitter and ids."""
    is_stopping: Callable[[], bool]
    """True once the operator asked the run to end after the pages in flight."""
    bounds: Bounds
    table_catalog: TableCatalog | None = None
    """Where canonical tables are made known to analysts' engines; None where a folder is all that is needed."""
    codebases: MutableMapping[tuple[str, str], str] = field(default_factory=dict)
    """(site, company) to the codebase that answered last; asked for again when it has moved."""
    prices: Prices | None = None
    """What AWS's operations cost; without them no run is told what it came to."""
    upkeep: Upkeep | None = None
    """Reading parts back, checking tables, deleting for good: None where the package has no engine for it."""
