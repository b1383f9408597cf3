"""What steps take and give, and how it becomes JSON and back.

State that travels between steps holds references and counts only: never a secret, never records.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from avesa.domain.errors import UsageError
from avesa.domain.model import Lease, ReadMode, Reconciled, TablePlan, TableResult, TenantResult, Usage
from avesa.ports.decoding import converted

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_YEARS: Final = range(1970, 3000)
_JOB_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
Json = dict[str, object]


def to_json(value: object) -> Json:
    """Return a dataclass as JSON values; times as ISO text."""
    return cast("Json", msgspec.to_builtins(value, str_keys=True))


def from_json(kind: type[T], value: object) -> T:
    """Return the dataclass that JSON values stand for; raise UsageError that names the field."""
    try:
        return converted(value, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"the step's input does not fit {kind.__name__}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a run is asked for: the execution input of contracts.md and the command's own switches."""

    tenant_id: str | None = None
    table_name: str | None = None
    full_sync: bool = False
    detect_deletes: bool = False
    since: datetime | None = None
    until: datetime | None = None
    allow_mass_delete: bool = False
    rebuild: bool = False
    maintain: bool = False
    verify: bool = False
    wait_seconds: float = 0.0
    job_id: str | None = None

    @property
    def is_offline(self) -> bool:
        """Whether the source is not asked for anything."""
        return self.rebuild or self.maintain or self.verify

    @property
    def mode(self) -> ReadMode | None:
        """The read that was asked for; None leaves it to the table's bookmark."""
        if self.since is not None or self.until is not None:
            return ReadMode.BACKFILL
        return ReadMode.FULL if self.full_sync else None


def parse_request(value: Mapping[str, object]) -> RunRequest:
    """Return the checked request; raise UsageError that lists the known keys when there is an unknown one."""
    known = [item.name for item in fields(RunRequest)]
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise UsageError(
            f"unknown key {', '.join(map(repr, unknown))} in the run's input; known keys: {', '.join(known)}"
        )
    request = from_json(RunRequest, {key: item for key, item in value.items() if item is not None})
    return _checked(request)


def _checked(request: RunRequest) -> RunRequest:
    since, until = _utc("since", request.since), _utc("until", request.until)
    if not 0 <= request.wait_seconds < math.inf:
        raise UsageError(f"wait_seconds is a number of seconds from 0 up, not {request.wait_seconds}")
    if request.job_id is not None and not _JOB_ID.fullmatch(request.job_id):
        raise UsageError(f"job_id {request.job_id!r} is not a job's id: letters, digits and hyphens")
    if since is not None and until is not None and since >= until:
        raise UsageError(f"since ({since.isoformat()}) must be before until ({until.isoformat()})")
    if request.mode is ReadMode.BACKFILL and (request.full_sync or request.detect_deletes):
        raise UsageError(
            "since/until ask for a range of time; full_sync and detect_deletes ask for whole tables: choose one"
        )
    if request.rebuild and (request.mode is not None or request.detect_deletes):
        raise UsageError("rebuild reads nothing from the source; leave out full_sync, detect_deletes, since and until")
    if request.maintain and (request.rebuild or request.mode is not None or request.detect_deletes):
        raise UsageError(
            "maintain reads nothing and folds nothing; leave out rebuild, full_sync, detect_deletes, since and until"
        )
    if request.verify and (request.rebuild or request.maintain or request.mode is not None or request.detect_deletes):
        raise UsageError(
            "verify reads nothing of the source and changes nothing; leave out rebuild, maintain, full_sync, "
            "detect_deletes, since and until"
        )
    return replace(request, since=since, until=until)


def _utc(name: str, at: datetime | None) -> datetime | None:
    if at is None:
        return None
    if not _YEARS.start <= at.year < _YEARS.stop:
        raise UsageError(f"{name} ({at.isoformat()}) lies outside the years {_YEARS.start} to {_YEARS.stop - 1}")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantTask:
    """One tenant's share of a run."""

    job_id: str
    tenant_id: str
    service: str
    request: RunRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTask:
    """One table's share of a run."""

    job_id: str
    tenant_id: str
    service: str
    table_name: str
    request: RunRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TableWork:
    """A table that is leased and planned: what every later step of it needs."""

    task: TableTask
    lease: Lease
    plan: TablePlan | None = None
    """None: nothing is read (a rebuild, a maintenance)."""
    chunk_ids: tuple[str, ...] = ()
    manifest_key: str | None = None
    """Where the lake has the chunk ids, as a JSON array of {"chunk_id": …}, when they are too many to carry."""
    concurrency: int = 1
    reconciled: Reconciled | None = None
    """None until the source's counts and the durable rows were compared."""
    records_extracted: int = 0
    quarantined: int = 0
    sweep_error: str | None = None
    usage: Usage = field(default_factory=Usage)
    """What asking the source has taken so far: planning's requests, and once reconciled everybody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTask:
    """One call of the chunk step."""

    work: TableWork
    chunk_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkProgress:
    """What one call of the chunk step came to; called again until it is done."""

    chunk_id: str
    is_done: bool
    records: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailure:
    """Why a step did not give what it should, in the shape in which a state machine's Catch tells it."""

    Error: str
    """The error's class name."""
    Cause: str
    """Its own words; on AWS, JSON whose `errorMessage` holds them."""

    @property
    def words(self) -> str:
        """What the error says, without what carried it."""
        try:
            told = msgspec.json.decode(self.Cause)
        except msgspec.DecodeError:
            return self.Cause
        return str(told.get("errorMessage", self.Cause)) if isinstance(told, dict) else self.Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEnd:
    """How a table's work ended: with a result, or with the failure of the step named by `error`."""

    task: TableTask
    work: TableWork | None = None
    """None: the table was never leased."""
    result: TableResult | None = None
    error: StepFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEnd:
    """What a tenant's tables came to, or why none was begun."""

    task: TenantTask
    tables: tuple[TableResult, ...] = ()
    error: StepFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """What all tenants of a run came to."""

    job_id: str
    tenants: tuple[TenantResult, ...]
