"""What a run is made of: tenants, tables, chunks, leases, jobs. Plain facts, no behaviour that needs a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time when a stored record is decoded
from enum import StrEnum


class Status(StrEnum):
    """How far a job, tenant, table or chunk has come."""

    INITIALIZING = "initializing"  # job: created, tenants not known yet
    PENDING = "pending"  # chunk: planned, nobody has begun
    PROCESSING = "processing"  # being worked on, or its worker died
    COMPLETED = "completed"  # all of it is durable and agrees with the source
    PARTIAL_SUCCESS = "partial_success"  # some of it completed, some failed or was skipped
    SKIPPED = "skipped"  # table: another run holds it
    FAILED = "failed"  # the reason is in `error`


class ReadMode(StrEnum):
    """Which part of a table a run reads."""

    FULL = "full"  # every record
    INCREMENT = "increment"  # what changed since the bookmark
    BACKFILL = "backfill"  # a given range of time again; the bookmark stays


class ChunkKind(StrEnum):
    """What a chunk's pages are asked for."""

    READ = "read"  # records
    REPAIR = "repair"  # records that the reconciliation found missing, by id


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as received: its id, its source time if it has one, its JSON text (UTF-8) less the dropped fields."""

    id: int
    last_updated: datetime | None
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantService:
    """A tenant's registration for one service. Credentials are elsewhere, in a secret store."""

    tenant_id: str
    service: str
    company_name: str
    is_enabled: bool = True
    created_at: datetime
    updated_at: datetime
    api_base_url: str
    untrusted_filters: tuple[str, ...] = ()
    """Endpoints whose time filter the source ignores (probed at set-up): read whole every time."""
    rotated_at: datetime | None = None
    """When the key was swapped that is not yet proven by a run; its predecessor is kept until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Source update times (since, until], UTC; None is open. Both ends as the source's clock tells time."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What asking the source took, whatever came of it."""

    requests: int = 0
    """Requests that were sent, those asked again included."""
    retries: int = 0
    throttles: int = 0
    """Retries that the source asked for by saying that it was asked too much."""
    answered_seconds: float = 0.0
    """Seconds that the answers took, summed; requests side by side count each."""
    received_bytes: int = 0
    """Length of the answers' bodies, unpacked."""

    def __add__(self, other: Usage) -> Usage:
        """Return both together."""
        return Usage(
            requests=self.requests + other.requests,
            retries=self.retries + other.retries,
            throttles=self.throttles + other.throttles,
            answered_seconds=self.answered_seconds + other.answered_seconds,
            received_bytes=self.received_bytes + other.received_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A range of record ids (after_id, upto_id] within a window, and how far its reading has come.

    `resume_after_id` and the counts are taken from what the durable parts hold, never from what was read.
    """

    tenant_id: str
    table_name: str
    chunk_id: str
    job_id: str
    kind: ChunkKind = ChunkKind.READ
    window: Window = field(default_factory=Window)
    after_id: int | None = None
    upto_id: int | None = None
    status: Status = Status.PENDING
    resume_after_id: int | None = None
    read_started_at: datetime | None = None
    """The source's clock when this chunk's first page was asked for."""
    pages: int = 0
    records: int = 0
    quarantined: int = 0
    attempts: int = 0
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    """What its durable pages took; what an attempt took that died before its page was durable is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """What is being read of a table; it stays with the table until the bookmark moves, so a later run resumes it."""

    job_id: str
    """The job that made the plan: its raw parts and chunks carry this id, whoever goes on with it."""
    mode: ReadMode
    window: Window = field(default_factory=Window)
    source_now: datetime | None = None
    """The source's clock when the read began, if planning asked the source; else the chunks know."""
    chunk_count: int = 1
    expected_records: int | None = None
    """The source's count when the read was planned; None when planning did not ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lease: a job, in a process, on a host."""

    job_id: str
    host: str = ""
    process: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write one tenant's table until `expires_at`; a higher `fence` ends every lower one."""

    tenant_id: str
    table_name: str
    holder: Holder
    fence: int
    acquired_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRun:
    """What one run took for one table: later forecasts learn from it, and it is what they are compared with."""

    job_id: str
    mode: ReadMode | None = None
    """None: nothing was read (a rebuild)."""
    is_swept: bool = False
    is_resumed: bool = False
    """It went on with an earlier run's plan; the numbers are then those of both."""
    status: Status
    started_at: datetime
    seconds: float
    records: int = 0
    chunks: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """What is known of one tenant's table between runs."""

    tenant_id: str
    table_name: str
    bookmark_at: datetime | None = None
    plan: TablePlan | None = None
    lease: Lease | None = None
    last_job_id: str | None = None
    last_success_at: datetime | None = None
    last_error: str | None = None
    latest_at: datetime | None = None
    """The latest time by our clock that anything of the table may carry: the next run sees everything after it, even
    if the machine's clock was put back."""
    runs: tuple[TableRun, ...] = ()
    """The latest that ended, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The source's own count of what was asked, and the distinct ids of it that are durable."""

    source: int
    lake: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableResult:
    """What one run did to one table; the shape that `avesa run --output json` prints."""

    table_name: str
    canonical_table: str
    status: Status
    records_extracted: int = 0
    versions_opened: int = 0
    versions_closed: int = 0
    versions_corrected: int = 0
    quarantined: int = 0
    coerced: int = 0
    reconciled: Reconciled | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantResult:
    """What one run did for one tenant."""

    tenant_id: str
    status: Status
    error: str | None = None
    tables: tuple[TableResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: what was asked, when, and how it ended. `tenant_id` is ALL for a run over all tenants."""

    tenant_id: str
    job_id: str
    status: Status
    request: dict[str, object] = field(default_factory=dict)
    holder: Holder | None = None
    """The process that works on it, so that another can tell whether it still does."""
    started_at: datetime
    finished_at: datetime | None = None
    tenants: tuple[TenantResult, ...] = ()
    error: str | None = None


def overall(statuses: list[Status]) -> Status:
    """The status of a whole from those of its parts: all completed, all failed, or something between."""
    if not statuses or all(status is Status.COMPLETED for status in statuses):
        return Status.COMPLETED
    if all(status is Status.FAILED for status in statuses):
        return Status.FAILED
    return Status.PARTIAL_SUCCESS
