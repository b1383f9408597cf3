"""Events as structured log lines and as metrics that CloudWatch reads from the log (embedded metric format)."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from avesa.domain.metric_names import ENVIRONMENT_DIMENSION, NAMESPACE, TABLE_DIMENSION, Metric
from avesa.domain.model import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.domain.names import Environment

_OWN_FIELDS: Final = {"name", "msg", "args", "module", "message", "level", "location", "timestamp", "asctime", "extra"}
"""What the logging module keeps for itself; a field of that name gets an underscore."""
# event -> metric -> the field that holds how many; None counts the event itself.
_COUNTS: Final[Mapping[str, Mapping[Metric, str | None]]] = {
    "job_started": {Metric.JOBS_STARTED: None},
    "page_landed": {
        Metric.PAGES_READ: None,
        Metric.RECORDS_EXTRACTED: "records",
        Metric.RECORDS_QUARANTINED: "quarantined",
    },
    "records_repaired": {Metric.RECORDS_REPAIRED: "found"},
    "deletions_found": {Metric.DELETIONS_FOUND: "count"},
    "request_retried": {Metric.REQUESTS_RETRIED: None},
    "commit_repeated": {Metric.COMMITS_REPEATED: None},
    "table_not_registered": {Metric.TABLES_UNREGISTERED: None},
    "lease_lost": {Metric.LEASES_LOST: None},
    "step_failed": {Metric.STEPS_FAILED: None},
    "table_finished": {Metric.VERSIONS_OPENED: "opened", Metric.VERSIONS_CLOSED: "closed"},
}
_BY_STATUS: Final[Mapping[str, Mapping[Status, Metric]]] = {
    "job_finished": {
        Status.COMPLETED: Metric.JOBS_COMPLETED,
        Status.PARTIAL_SUCCESS: Metric.JOBS_INCOMPLETE,
        Status.FAILED: Metric.JOBS_FAILED,
    },
    "table_finished": {
        Status.COMPLETED: Metric.TABLES_COMPLETED,
        Status.FAILED: Metric.TABLES_FAILED,
        Status.SKIPPED: Metric.TABLES_SKIPPED,
    },
}


class CloudWatchSink:
    """Writes every event as one JSON line at once, and its metrics when `flush` is called at the end of a step."""

    def __init__(self, environment: Environment, *, level: str = "INFO") -> None:
        self._environment = environment
        self._logger = Logger(service="avesa", level=level)
        self._counts: Counter[tuple[Metric, str]] = Counter()
        self._lock = threading.Lock()

    def begin(self, **keys: object) -> None:
        """Let every line until the next `begin` carry these fields: job, tenant, step."""
        self._logger.structure_logs(append=False, service="avesa")
        self._logger.append_keys(**keys)

    def emit(self, event: str, **fields: object) -> None:
        extra = {(f"{name}_" if name in _OWN_FIELDS else name): value for name, value in fields.items()}
        self._logger.info(event, extra=extra)
        table = str(fields.get("table", ""))
        with self._lock:
            for metric, field in _COUNTS.get(event, {}).items():
                self._count(metric, table, 1 if field is None else fields.get(field))
            for status, metric in _BY_STATUS.get(event, {}).items():
                if fields.get("status") == status:
                    self._count(metric, table, 1)

    def flush(self) -> None:
        """Publish what was counted since the last time: over all tables, and by table."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        for table in sorted({table for _, table in counts}):
            metrics = EphemeralMetrics(namespace=NAMESPACE)
            metrics.add_dimension(ENVIRONMENT_DIMENSION, self._environment.value)
            if table:
                metrics.add_dimension(TABLE_DIMENSION, table)
            for (metric, of_table), count in counts.items():
                if of_table == table:
                    metrics.add_metric(metric.value, MetricUnit.Count, count)
            metrics.flush_metrics()

    def _count(self, metric: Metric, table: str, many: object) -> None:
        if isinstance(many, int) and many:
            self._counts[metric, ""] += many
            if table:
                self._counts[metric, table] += many
