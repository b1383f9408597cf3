"""Events as structured log lines and as metrics that CloudWatch reads from the log (embedded metric format)."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from avesa.domain.metric_names import ENVIRONMENT_DIMENSION, METRICS, NAMESPACE, TABLE_DIMENSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.domain.metric_names import Measured, Metric
    from avesa.domain.names import Environment

_OWN_FIELDS: Final = {"name", "msg", "args", "module", "message", "level", "location", "timestamp", "asctime", "extra"}
"""What the logging module keeps for itself; a field of that name gets an underscore."""
_MOST_VALUES: Final = 100
"""Numbers of one metric that one line may hold."""


class CloudWatchSink:
    """Writes every event as one JSON line at once, and its metrics when `flush` is called at the end of a step."""

    def __init__(self, environment: Environment, *, level: str = "INFO") -> None:
        self._environment = environment
        self._logger = Logger(service="avesa", level=level)
        self._values: defaultdict[str, defaultdict[Metric, list[float]]] = _nothing()
        self._lock = threading.Lock()

    def begin(self, **keys: object) -> None:
        """Let every line until the next `begin` carry these fields: job, tenant, step."""
        self._logger.structure_logs(append=False, service="avesa")
        self._logger.append_keys(**keys)

    def emit(self, event: str, **fields: object) -> None:
        extra = {(f"{name}_" if name in _OWN_FIELDS else name): value for name, value in fields.items()}
        self._logger.info(event, extra=extra)
        with self._lock:
            for metric, measured in METRICS.items():
                value = _number(measured, event, fields)
                if value is not None:
                    self._keep(metric, measured, str(fields.get("table", "")), value)

    def flush(self) -> None:
        """Publish what was measured since the last time, each metric with its own dimensions and no others."""
        with self._lock:
            values, self._values = self._values, _nothing()
        for table in sorted(values):
            metrics = EphemeralMetrics(namespace=NAMESPACE)
            metrics.add_dimension(ENVIRONMENT_DIMENSION, self._environment.value)
            if table:
                metrics.add_dimension(TABLE_DIMENSION, table)
            for metric, numbers in values[table].items():
                for number in numbers:
                    metrics.add_metric(metric.value, METRICS[metric].unit.value, number)
            metrics.flush_metrics()

    def _keep(self, metric: Metric, measured: Measured, table: str, value: float) -> None:
        if measured.by_table and not table:
            return  # without its table it would be a metric of other dimensions, which nobody looks at
        numbers = self._values[table if measured.by_table else ""][metric]
        if not numbers or (measured.is_each_kept and len(numbers) < _MOST_VALUES):
            numbers.append(value)
        elif measured.is_each_kept:
            numbers[-1] = max(numbers[-1], value)  # the greatest is what is looked at
        else:
            numbers[-1] += value


def _nothing() -> defaultdict[str, defaultdict[Metric, list[float]]]:
    return defaultdict(lambda: defaultdict(list))


def _number(measured: Measured, event: str, fields: Mapping[str, object]) -> float | None:
    """Return what the event adds to the metric; None when it has nothing to do with it."""
    if event != measured.event or (measured.status is not None and fields.get("status") != measured.status):
        return None
    value = 1 if measured.field is None else fields.get(measured.field)
    if not isinstance(value, int | float) or (not value and not measured.is_each_kept):
        return None
    return float(value)
