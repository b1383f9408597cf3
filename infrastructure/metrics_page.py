"""Writes docs/reference/metrics.md from the tables that the code, the overview and the alarms are made of.

python -m infrastructure.metrics_page > docs/reference/metrics.md
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from avesa.domain.metric_names import METRICS, NAMESPACE, Metric
from infrastructure.definitions.alarms import OWN_ALARMS
from infrastructure.definitions.overview import SECTIONS, Graph

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = f"""\
# Metrics and alarms

<!-- Made by `python -m infrastructure.metrics_page`; a test compares. -->

A deployment publishes these in the namespace `{NAMESPACE}`, in the embedded metric format, from the functions' logs.
No metric knows a job or a tenant: a metric a tenant would cost money every month.
Every event is a line of the log with its tenant and job, and the overview's queries tell tenants apart.
"""


def page() -> str:
    """Return the page, ending with a line break."""
    return "\n".join([_HEAD, *_metrics(), "", *_overview(), "", *_alarms()]) + "\n"


def _metrics() -> Iterator[str]:
    yield "| metric | dimensions | unit | from | meaning |"
    yield "|---|---|---|---|---|"
    for metric in Metric:
        measured = METRICS[metric]
        source = f"`{measured.event}`" + (f", `{measured.field}`" if measured.field else "")
        source += f" when `{measured.status}`" if measured.status else ""
        dimensions = ", ".join(measured.dimensions)
        yield f"| `{metric}` | {dimensions} | {measured.unit} | {source} | {measured.meaning} |"


def _overview() -> Iterator[str]:
    yield "## The overview: `AVESA-Pipeline-Overview-{env}`"
    yield ""
    for number, section in enumerate(SECTIONS, start=1):
        yield f"{number}. **{section.question}**"
        for item in section.shown:
            told = (
                ", ".join(f"`{name}`" for name in item.metrics) if isinstance(item, Graph) else "a query over the logs"
            )
            yield f"   - {item.title}: {told}"


def _alarms() -> Iterator[str]:
    yield "## Alarms on these metrics"
    yield ""
    yield "Those on AWS's own metrics (executions, functions, schedules, dead letters) are in"
    yield "`infrastructure/components/watching.py`."
    yield ""
    yield "| alarm | metric | raised when | meaning | what to do |"
    yield "|---|---|---|---|---|"
    for alarm in OWN_ALARMS:
        silence = ", or no number" if alarm.is_alarmed_by_silence else ""
        often = f"{alarm.periods} x {alarm.period_minutes} min"
        yield (
            f"| {alarm.slug} | `{alarm.metric}` | {alarm.statistic} ≥ {alarm.threshold:g} in {often}{silence} "
            f"| {alarm.meaning} | [{alarm.runbook}](../how-to/{alarm.runbook}) |"
        )


if __name__ == "__main__":
    sys.stdout.write(page())
