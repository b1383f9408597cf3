"""The alarms on our own metrics, as data: when each is raised, what it means, and which page says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from avesa.domain.metric_names import Metric

HOUR_MINUTES: Final = 60
DAY_MINUTES: Final = 24 * HOUR_MINUTES
DAILY_DOLLARS: Final = 10.0
"""Far above what a day of ten tenants is estimated at; raise it with the number of tenants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAlarm:
    """Raised when the metric reaches the threshold in `periods` periods one after the other.

    One on a metric by table is an alarm for each table.
    """

    slug: str
    metric: Metric
    meaning: str
    runbook: str
    """A page of docs/how-to/."""
    statistic: str = "Sum"
    threshold: float = 1.0
    period_minutes: int = HOUR_MINUTES
    periods: int = 1
    is_alarmed_by_silence: bool = False
    """No number at all raises it, too."""


OWN_ALARMS: Final = (
    OwnAlarm(
        slug="stale",
        metric=Metric.TABLES_STALE,
        meaning="a tenant's table is older than its target, or nobody looks any more",
        runbook="a-table-is-stale.md",
        statistic="Maximum",
        period_minutes=30,
        periods=2,
        is_alarmed_by_silence=True,
    ),
    OwnAlarm(
        slug="incomplete",
        metric=Metric.TABLES_INCOMPLETE,
        meaning="the source's own counts and the durable records did not agree",
        runbook="data-is-missing.md",
    ),
    OwnAlarm(
        slug="failed",
        metric=Metric.TABLES_FAILED,
        meaning="the table failed for a tenant; `avesa status` names the tenant and the reason",
        runbook="run-failed.md",
    ),
    OwnAlarm(
        slug="throttled",
        metric=Metric.REQUESTS_THROTTLED,
        meaning="the source asks for less, for three hours",
        runbook="throttled.md",
        threshold=20,
        periods=3,
    ),
    OwnAlarm(
        slug="tenant-failed",
        metric=Metric.TENANTS_FAILED,
        meaning="a tenant failed before a table was begun: most often its credentials",
        runbook="run-failed.md",
    ),
    OwnAlarm(
        slug="job-failed",
        metric=Metric.JOBS_FAILED,
        meaning="a run completed no table at all: `avesa jobs` names it, `avesa job ID` says why",
        runbook="run-failed.md",
    ),
    OwnAlarm(
        slug="messages-not-sent",
        metric=Metric.MESSAGES_NOT_SENT,
        meaning="nobody was told of a run that failed: look at the topic and its policy",
        runbook="run-failed.md",
    ),
    OwnAlarm(
        slug="budget",
        metric=Metric.COST_DOLLARS,
        meaning=f"a day's operations are estimated at more than {DAILY_DOLLARS:g} dollars",
        runbook="costs-too-much.md",
        threshold=DAILY_DOLLARS,
        period_minutes=DAY_MINUTES,
    ),
)
