"""The metrics that a deployment publishes: alarms, dashboards and documentation name them from here.

No metric has a dimension without a bound (no job, no tenant): each has the environment, and where it says so the table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

NAMESPACE: Final = "AVESA/Pipeline"
ENVIRONMENT_DIMENSION: Final = "Environment"
TABLE_DIMENSION: Final = "Table"


class Metric(StrEnum):
    """A metric's name; all are counts, summed over the period."""

    JOBS_STARTED = "JobsStarted"
    JOBS_COMPLETED = "JobsCompleted"  # every table completed
    JOBS_INCOMPLETE = "JobsIncomplete"  # something failed or was skipped
    JOBS_FAILED = "JobsFailed"  # nothing completed
    TABLES_COMPLETED = "TablesCompleted"  # by table
    TABLES_FAILED = "TablesFailed"  # by table
    TABLES_SKIPPED = "TablesSkipped"  # by table: another run held it; no reason for an alarm
    PAGES_READ = "PagesRead"  # by table
    RECORDS_EXTRACTED = "RecordsExtracted"  # by table
    RECORDS_QUARANTINED = "RecordsQuarantined"  # by table: kept with the reason, in no canonical row
    RECORDS_REPAIRED = "RecordsRepaired"  # by table: missing at the reconciliation, then fetched by id
    VERSIONS_OPENED = "VersionsOpened"  # by table
    VERSIONS_CLOSED = "VersionsClosed"  # by table
    DELETIONS_FOUND = "DeletionsFound"  # by table
    REQUESTS_RETRIED = "RequestsRetried"  # the source failed or asked for less
    COMMITS_REPEATED = "CommitsRepeated"  # by table: another commit was first, or its outcome was unknown
    TABLES_UNREGISTERED = "TablesUnregistered"  # by table: Glue refused, Athena may not see the newest columns
    LEASES_LOST = "LeasesLost"  # by table: another run took the table over
    STEPS_FAILED = "StepsFailed"  # a step ended with an error, whatever the retry came to
