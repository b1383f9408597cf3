"""What the overview shows, as data: five questions in the order in which they are asked, and what answers them.

Metrics have a bounded number of dimensions, so they know tables and no tenants; tenants come from queries over the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from avesa.domain.metric_names import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Some metrics of ours over time; one by table has a line for each table."""

    title: str
    metrics: tuple[Metric, ...]
    statistic: str = "Sum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to the functions' logs."""

    title: str
    events: tuple[str, ...]
    """Events of which the query speaks; a test holds them to those that the code emits."""
    stats: str
    functions: tuple[str, ...] = ("table-processor",)
    condition: str = ""

    @property
    def lines(self) -> list[str]:
        """The query in CloudWatch's language, a command a line."""
        named = " or ".join(f'message = "{event}"' for event in self.events)
        condition = f" and ({self.condition})" if self.condition else ""
        return [f"filter ({named}){condition}", *self.stats.split(" | ")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One question."""

    question: str
    shown: tuple[Graph | Query, ...]


SECTIONS: Final = (
    Section(
        question="Is the data fresh?",
        shown=(
            Graph(
                title="Age of the oldest tenant's table, s", metrics=(Metric.FRESHNESS_SECONDS,), statistic="Maximum"
            ),
            Graph(title="Tenants whose table is stale", metrics=(Metric.TABLES_STALE,), statistic="Maximum"),
            Query(
                title="Which tenants",
                events=("table_stale",),
                functions=("result-aggregator",),
                stats="stats max(age_seconds) / 3600 as hours by tenant_id, table | sort hours desc | limit 50",
            ),
        ),
    ),
    Section(
        question="Is it complete?",
        shown=(
            Graph(
                title="Counts that did not agree, and records in quarantine only",
                metrics=(Metric.TABLES_INCOMPLETE, Metric.RECONCILIATION_GAP),
            ),
            Graph(title="Records repaired", metrics=(Metric.RECORDS_REPAIRED,)),
            Graph(title="Records quarantined", metrics=(Metric.RECORDS_QUARANTINED,)),
            Graph(title="Records coerced", metrics=(Metric.RECORDS_COERCED,)),
            Graph(title="Deletions found", metrics=(Metric.DELETIONS_FOUND,)),
        ),
    ),
    Section(
        question="What failed?",
        shown=(
            Graph(
                title="Runs",
                metrics=(Metric.JOBS_STARTED, Metric.JOBS_COMPLETED, Metric.JOBS_INCOMPLETE, Metric.JOBS_FAILED),
            ),
            Graph(title="Tables failed", metrics=(Metric.TABLES_FAILED,)),
            Graph(title="Tables completed", metrics=(Metric.TABLES_COMPLETED,)),
            Graph(title="Tables skipped: another run held them", metrics=(Metric.TABLES_SKIPPED,)),
            Graph(
                title="On the way",
                metrics=(
                    Metric.TENANTS_FAILED,
                    Metric.STEPS_FAILED,
                    Metric.LEASES_LOST,
                    Metric.COMMITS_REPEATED,
                    Metric.TABLES_UNREGISTERED,
                    Metric.MESSAGES_NOT_SENT,
                ),
            ),
            Query(
                title="Which tenants, and why",
                events=("table_finished", "tenant_failed"),
                condition='ispresent(error) and error != "" and status != "skipped"',
                functions=("table-processor", "tenant-processor"),
                stats="stats count() as times, latest(error) as why by tenant_id, table | sort times desc | limit 50",
            ),
        ),
    ),
    Section(
        question="How fast?",
        shown=(
            Graph(title="Records extracted", metrics=(Metric.RECORDS_EXTRACTED,)),
            Graph(title="Chunks read", metrics=(Metric.CHUNKS_READ,)),
            Graph(title="Versions opened and closed", metrics=(Metric.VERSIONS_OPENED, Metric.VERSIONS_CLOSED)),
            Graph(title="Longest table, s", metrics=(Metric.TABLE_SECONDS,), statistic="Maximum"),
            Graph(title="Longest run, s", metrics=(Metric.RUN_SECONDS,), statistic="Maximum"),
            Graph(
                title="Requests asked again, and throttled",
                metrics=(Metric.REQUESTS_RETRIED, Metric.REQUESTS_THROTTLED),
            ),
        ),
    ),
    Section(
        question="What does it cost?",
        shown=(
            Graph(title="Operations, estimated, dollars", metrics=(Metric.COST_DOLLARS,)),
            Query(
                title="By tenant",
                events=("table_finished",),
                stats="stats sum(dollars) as cost, sum(records) as read, sum(requests) as asked by tenant_id "
                "| sort cost desc | limit 50",
            ),
        ),
    ),
)
