"""What like tenants cost a month on AWS, and which quota they reach first: the model behind docs/scale.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from avesa.application.demand import Read, demand_of
from avesa.application.operations import ASSUMED, run_operations, table_operations, tenant_operations
from avesa.connectors.settings import Limits
from avesa.domain.metric_names import METRICS
from avesa.domain.model import ReadMode
from avesa.domain.prices import HOURS_A_MONTH, Operations

if TYPE_CHECKING:
    from avesa.domain.prices import Prices

DAYS_A_MONTH: Final = HOURS_A_MONTH / 24
_ANSWER_SECONDS: Final = 0.3
_LOOKS_AN_HOUR: Final = 4
_STATE_BYTES: Final = 3_000
"""What the state has of one table, its latest runs included; a scan is billed by it."""
_READ_UNIT_BYTES: Final = 4_096
_GB: Final = 1e9
_ALARMS: Final = 45
"""About as many as infrastructure/components/watching.py makes for four tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One tenant: the records of each of its tables, and what an hour brings."""

    tables: tuple[int, ...] = (20_000, 15_000, 1_000, 3_000)
    changed_an_hour: int = 10
    """Records of each table."""
    record_bytes: int = 3_000
    stored_share: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A bound, how much of it a fleet uses, and what to do before it is reached."""

    name: str
    limit: float
    used: float
    remedy: str

    @property
    def share(self) -> float:
        """How much of the bound is used; above 1 it is broken."""
        return self.used / self.limit


def month_of(profile: Profile, tenants: int) -> Operations:
    """Return the operations of a month: hourly increments, a daily sweep, and the looks at freshness."""
    hourly = _run(profile, tenants, is_swept=False).times(HOURS_A_MONTH)
    daily = _run(profile, tenants, is_swept=True).times(DAYS_A_MONTH)
    looks = Operations(
        invocations=1,
        gb_seconds=0.5 * ASSUMED.small_seconds,
        s3_writes=1,
        s3_reads=6,
        dynamodb_read_units=tenants * (len(profile.tables) + 0.25) * _STATE_BYTES / _READ_UNIT_BYTES,
    )
    return hourly + daily + looks.times(HOURS_A_MONTH * _LOOKS_AN_HOUR)


def _run(profile: Profile, tenants: int, *, is_swept: bool) -> Operations:
    limits = Limits()
    tables = Operations()
    for records in profile.tables:
        read = Read(
            mode=ReadMode.INCREMENT,
            records=profile.changed_an_hour,
            is_counted=False,
            is_swept=is_swept,
            table_records=records,
        )
        tables += table_operations(
            demand_of(read, limits, chunks_at_once=limits.max_concurrency),
            records=profile.changed_an_hour,
            answer_seconds=_ANSWER_SECONDS,
            is_swept=is_swept,
        )
    return run_operations() + (tenant_operations() + tables).times(tenants)


def parts_of(profile: Profile, tenants: int, prices: Prices) -> list[tuple[str, float]]:
    """Return the dollars of a tenant-month by what they are for; what an environment costs is shared by its tenants."""
    operations = [(name, dollars / tenants) for name, dollars in prices.parts(month_of(profile, tenants))]
    stored_gb = sum(profile.tables) * profile.record_bytes * profile.stored_share / _GB
    return [
        *operations,
        ("the secret, kept", prices.secret_month),
        (
            "storage",
            stored_gb * prices.s3_gb_month + len(profile.tables) * _STATE_BYTES / _GB * prices.dynamodb_gb_month,
        ),
        ("metrics, alarms and dashboard, shared", _watching(profile, prices) / tenants),
    ]


def _watching(profile: Profile, prices: Prices) -> float:
    series = sum(len(profile.tables) if measured.by_table else 1 for measured in METRICS.values())
    return series * prices.metric_month + _ALARMS * prices.alarm_month + prices.dashboard_month


def quotas_of(profile: Profile, tenants: int, *, at_once: int, most_tenants: int) -> list[Quota]:
    """Return the bounds that tenants fill, the fullest first; `at_once` and `most_tenants` are the definitions'."""
    tenant_seconds = 10 + 2 * len(profile.tables) * (ASSUMED.small_seconds + ASSUMED.transform_seconds)
    found = [
        Quota(
            name="tenants whose tasks fit one state (256 KB, our bound)",
            limit=most_tenants,
            used=tenants,
            remedy="start several runs, each of a share of the tenants; or a distributed map over a list in the lake",
        ),
        Quota(
            name="tenants that one run gets through in an hour (our bound, seconds assumed)",
            limit=at_once * 3600 / tenant_seconds,
            used=tenants,
            remedy="raise TENANTS_AT_ONCE; the company's own budget stays the finer bound",
        ),
        Quota(
            name="Glue databases of an account, 10,000 by default",
            limit=10_000,
            used=tenants,
            remedy="ask for more, or one database for several tenants (ADR 0008)",
        ),
        Quota(
            name="events in the history of the run's execution, 25,000",
            limit=25_000,
            used=12 * tenants + 20,
            remedy="the same as for the state's size",
        ),
        Quota(
            name="functions at once in an account, 1,000 by default",
            limit=1_000,
            used=min(tenants, at_once) * len(profile.tables) * 2,
            remedy="ask for more",
        ),
    ]
    return sorted(found, key=lambda quota: quota.share, reverse=True)
