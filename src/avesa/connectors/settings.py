"""The connector as data: what mappings/integrations/*_endpoints.json and mappings/backfill_config.json may say.

Adding an endpoint is an edit of these files. They are checked when they are loaded; every problem is named at once,
with file, path and what is allowed.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from avesa.domain.errors import ConfigError

EndpointName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]+(/[A-Za-z]+)+$")]
TableName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_/]*$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Model):
    """How hard a service may be asked; an endpoint may set its own."""

    page_size: int = Field(default=1000, ge=1, le=1000)
    chunk_records: int = Field(default=20_000, ge=1000)
    """Records that one chunk of a full read is planned for."""
    max_concurrency: int = Field(default=8, ge=1, le=64)
    """Requests under way at once for one company on one site; the budget lowers it when the site complains."""
    timeout_seconds: float = Field(default=90.0, gt=0, le=900)
    max_attempts: int = Field(default=8, ge=1, le=50)
    overlap_minutes: float = Field(default=10.0, ge=0)
    """How far behind the bookmark an increment begins: covers skewed clocks and late commits."""
    plan_after_hours: float = Field(default=24.0, ge=0)
    """An increment over a longer window than this is counted and split; a shorter one pays for no planning."""
    delete_guard_percent: float = Field(default=20.0, gt=0, lt=100)
    """A sweep that would close more of the current rows than this closes nothing."""


class Endpoint(_Model):
    """One list endpoint of the service."""

    enabled: bool
    canonical_table: TableName | None = None
    """The mapping that makes canonical rows of it; without one only raw is kept."""
    path: str = Field(pattern=r"^[A-Za-z0-9_/]+$")
    paging: Literal["forward-only", "id-condition"] = "forward-only"
    incremental_field: FieldName | None = "lastUpdated"
    """The name the service filters by; null: the endpoint is read whole every time."""
    drop_fields: tuple[FieldName, ...] = ()
    """Top-level fields that must never reach a disk."""
    reread_in_sweep: bool = False
    """Read whole in a delete sweep, for records that change without a new update time (merged companies)."""
    limits: Limits | None = None


class EndpointCatalog(_Model):
    """Everything AVESA knows of one service."""

    service: str = Field(pattern=r"^[a-z][a-z0-9]*$")
    api_version: str = Field(pattern=r"^\d{4}\.\d+$")
    limits: Limits
    endpoints: dict[EndpointName, Endpoint]

    def limits_of(self, name: str) -> Limits:
        """Return the endpoint's own limits, or those of the service."""
        return self.endpoints[name].limits or self.limits

    def enabled(self) -> tuple[str, ...]:
        """Return the names of the endpoints that a run reads, in the file's order."""
        return tuple(name for name, endpoint in self.endpoints.items() if endpoint.enabled)


class BackfillRule(_Model):
    """How a range of time is read again. Days are days of the source's update times."""

    lookback_days: int | None = Field(default=None, ge=1)
    window_days: int | None = Field(default=None, ge=1)
    concurrent_windows: int | None = Field(default=None, ge=1, le=64)
    priority: int | None = Field(default=None, ge=0)
    freshness_minutes: int | None = Field(default=None, ge=1)


class BackfillConfig(_Model):
    """mappings/backfill_config.json: defaults, tables in order of priority, overrides by service and by tenant."""

    lookback_days: int = Field(ge=1)
    window_days: int = Field(ge=1)
    concurrent_windows: int = Field(ge=1, le=64)
    priorities: dict[EndpointName, int] = Field(default_factory=dict)
    """Lower numbers go first."""
    freshness_minutes: int = Field(default=180, ge=1)
    """How old a table may be before somebody should look: three times the schedule's hour."""
    freshness_of_tables: dict[EndpointName, int] = Field(default_factory=dict)
    """Tables that may be older, or must be fresher; minutes."""
    services: dict[str, BackfillRule] = Field(default_factory=dict)
    tenants: dict[str, BackfillRule] = Field(default_factory=dict)

    def rule(self, service: str, tenant_id: str) -> tuple[int, int, int]:
        """Return (look-back days, window days, concurrent windows): the tenant's own, else the service's, else
        the default.
        """
        found = [self.lookback_days, self.window_days, self.concurrent_windows]
        for override in (self.services.get(service), self.tenants.get(tenant_id)):
            if override is not None:
                own = (override.lookback_days, override.window_days, override.concurrent_windows)
                found = [new if new is not None else old for new, old in zip(own, found, strict=True)]
        return found[0], found[1], found[2]

    def freshness_of(self, service: str, tenant_id: str, table_name: str) -> int:
        """Return how many minutes old a table may be: by its tenant, else by its name, else by its service, else the
        default.
        """
        of_tenant, of_service = self.tenants.get(tenant_id), self.services.get(service)
        candidates = (
            None if of_tenant is None else of_tenant.freshness_minutes,
            self.freshness_of_tables.get(table_name),
            None if of_service is None else of_service.freshness_minutes,
        )
        return next((minutes for minutes in candidates if minutes is not None), self.freshness_minutes)


ModelT = TypeVar("ModelT", bound=BaseModel)


def parse_config(model: type[ModelT], text: bytes | str, *, file: str) -> ModelT:
    """Return the checked content of `file`; raise ConfigError that names every problem in it."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        problems = "\n".join(_problem(file, item["loc"], item["msg"], item.get("input")) for item in error.errors())
        raise ConfigError(problems) from None


def _problem(file: str, location: tuple[int | str, ...], message: str, value: object) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    shown = f" is {value!r}" if isinstance(value, str | int | float | bool | None) and location else ""
    return f"{file}: {path or 'the file'}{shown}: {message[:1].lower()}{message[1:]}"
