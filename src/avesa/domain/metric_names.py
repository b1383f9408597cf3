"""The metrics that a deployment publishes, and the events that they are made of: what publishes, shows, alarms and
documents them reads this one table.

No metric has a dimension without a bound: each has the environment, and some the table as well. A job or a tenant is
never one; tenants are told apart by queries over the log, which has every event with its tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from avesa.domain.model import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE: Final = "AVESA/Pipeline"
ENVIRONMENT_DIMENSION: Final = "Environment"
TABLE_DIMENSION: Final = "Table"


class Metric(StrEnum):
    """A metric's name."""

    FRESHNESS_SECONDS = "FreshnessSeconds"
    TABLES_STALE = "TablesStale"
    TABLES_INCOMPLETE = "TablesIncomplete"
    RECONCILIATION_GAP = "ReconciliationGap"
    RECORDS_REPAIRED = "RecordsRepaired"
    RECORDS_QUARANTINED = "RecordsQuarantined"
    RECORDS_COERCED = "RecordsCoerced"
    DELETIONS_FOUND = "DeletionsFound"
    JOBS_STARTED = "JobsStarted"
    JOBS_COMPLETED = "JobsCompleted"
    JOBS_INCOMPLETE = "JobsIncomplete"
    JOBS_FAILED = "JobsFailed"
    TENANTS_FAILED = "TenantsFailed"
    TABLES_COMPLETED = "TablesCompleted"
    TABLES_FAILED = "TablesFailed"
    TABLES_SKIPPED = "TablesSkipped"
    STEPS_FAILED = "StepsFailed"
    LEASES_LOST = "LeasesLost"
    COMMITS_REPEATED = "CommitsRepeated"
    TABLES_UNREGISTERED = "TablesUnregistered"
    MESSAGES_NOT_SENT = "MessagesNotSent"
    RECORDS_EXTRACTED = "RecordsExtracted"
    CHUNKS_READ = "ChunksRead"
    VERSIONS_OPENED = "VersionsOpened"
    VERSIONS_CLOSED = "VersionsClosed"
    REQUESTS_RETRIED = "RequestsRetried"
    REQUESTS_THROTTLED = "RequestsThrottled"
    TABLE_SECONDS = "TableSeconds"
    RUN_SECONDS = "RunSeconds"
    COST_DOLLARS = "CostDollars"


class Unit(StrEnum):
    """What a metric's number is of, in CloudWatch's words."""

    COUNT = "Count"
    SECONDS = "Seconds"
    NONE = "None"  # dollars, which CloudWatch has no unit for


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Where a metric's numbers come from and how to read them."""

    event: str
    field: str | None = None
    """The event's field that holds the number; None counts the event."""
    status: Status | None = None
    """Only events with this status count."""
    by_table: bool = True
    unit: Unit = Unit.COUNT
    is_each_kept: bool = False
    """Every number is published, zeros too, so that a missing one is news; otherwise they are summed."""
    meaning: str

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of the dimensions."""
        return (ENVIRONMENT_DIMENSION, TABLE_DIMENSION) if self.by_table else (ENVIRONMENT_DIMENSION,)


METRICS: Final[Mapping[Metric, Measured]] = {
    Metric.FRESHNESS_SECONDS: Measured(
        event="freshness_checked",
        field="age_seconds",
        unit=Unit.SECONDS,
        is_each_kept=True,
        meaning="age of the oldest tenant's table; checked every quarter of an hour, whether anything runs or not",
    ),
    Metric.TABLES_STALE: Measured(
        event="freshness_checked",
        field="stale",
        is_each_kept=True,
        meaning="tenants whose table is older than its target; no number at all means that nobody looks",
    ),
    Metric.TABLES_INCOMPLETE: Measured(
        event="table_incomplete",
        meaning="tables that failed since the source's counts and the durable records did not agree",
    ),
    Metric.RECONCILIATION_GAP: Measured(
        event="table_reconciled",
        field="gap",
        meaning="records that the source has and raw has not, in reads that completed: those in quarantine",
    ),
    Metric.RECORDS_REPAIRED: Measured(
        event="records_repaired", field="found", meaning="missing at the reconciliation, then fetched by id"
    ),
    Metric.RECORDS_QUARANTINED: Measured(
        event="table_finished", field="quarantined", meaning="kept with the reason, in no canonical row"
    ),
    Metric.RECORDS_COERCED: Measured(
        event="table_finished", field="coerced", meaning="with a value that did not fit its column and is null"
    ),
    Metric.DELETIONS_FOUND: Measured(
        event="deletions_found", field="count", meaning="records that a sweep found gone from the source"
    ),
    Metric.JOBS_STARTED: Measured(event="job_started", by_table=False, meaning="runs begun"),
    Metric.JOBS_COMPLETED: Measured(
        event="job_finished", status=Status.COMPLETED, by_table=False, meaning="runs of which every table completed"
    ),
    Metric.JOBS_INCOMPLETE: Measured(
        event="job_finished",
        status=Status.PARTIAL_SUCCESS,
        by_table=False,
        meaning="runs of which something failed or was skipped",
    ),
    Metric.JOBS_FAILED: Measured(
        event="job_finished", status=Status.FAILED, by_table=False, meaning="runs of which nothing completed"
    ),
    Metric.TENANTS_FAILED: Measured(
        event="tenant_failed", by_table=False, meaning="tenants that failed before a table was begun: credentials"
    ),
    Metric.TABLES_COMPLETED: Measured(event="table_finished", status=Status.COMPLETED, meaning="tables completed"),
    Metric.TABLES_FAILED: Measured(event="table_finished", status=Status.FAILED, meaning="tables failed"),
    Metric.TABLES_SKIPPED: Measured(
        event="table_finished", status=Status.SKIPPED, meaning="another run held the table; no reason for an alarm"
    ),
    Metric.STEPS_FAILED: Measured(
        event="step_failed", by_table=False, meaning="steps that ended with an error, whatever the retry came to"
    ),
    Metric.LEASES_LOST: Measured(event="lease_lost", by_table=False, meaning="another run took the table over"),
    Metric.COMMITS_REPEATED: Measured(
        event="commit_repeated", by_table=False, meaning="another commit was first, or its outcome was unknown"
    ),
    Metric.TABLES_UNREGISTERED: Measured(
        event="table_not_registered",
        by_table=False,
        meaning="Glue refused: Athena may not see the newest columns",
    ),
    Metric.MESSAGES_NOT_SENT: Measured(
        event="message_not_sent", by_table=False, meaning="SNS refused what was to be said of a run"
    ),
    Metric.RECORDS_EXTRACTED: Measured(event="page_landed", field="records", meaning="records made durable in raw"),
    Metric.CHUNKS_READ: Measured(event="page_landed", field="is_last", meaning="chunks read to their end"),
    Metric.VERSIONS_OPENED: Measured(event="table_finished", field="opened", meaning="versions opened"),
    Metric.VERSIONS_CLOSED: Measured(event="table_finished", field="closed", meaning="versions closed"),
    Metric.REQUESTS_RETRIED: Measured(event="request_retried", meaning="requests to the source that were asked again"),
    Metric.REQUESTS_THROTTLED: Measured(
        event="request_retried", field="throttled", meaning="of those, the ones where the source asked for less"
    ),
    Metric.TABLE_SECONDS: Measured(
        event="table_finished",
        field="seconds",
        unit=Unit.SECONDS,
        is_each_kept=True,
        meaning="from a table's lease to its end",
    ),
    Metric.RUN_SECONDS: Measured(
        event="job_finished",
        field="seconds",
        by_table=False,
        unit=Unit.SECONDS,
        is_each_kept=True,
        meaning="from a run's beginning to its result",
    ),
    Metric.COST_DOLLARS: Measured(
        event="table_finished",
        field="dollars",
        by_table=False,  # a day's budget is one sum: an alarm on a sum over tables is not everywhere to be had
        unit=Unit.NONE,
        meaning="estimate of what the runs of all tables cost in operations, at the packaged price list",
    ),
}
