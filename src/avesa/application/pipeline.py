"""The one door to every step. The local workflow and each Lambda handler go through `Application.run_step`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from avesa.application.steps.chunk import process_chunk
from avesa.application.steps.erase_record import erase_record
from avesa.application.steps.erase_tenant import erase_tenant
from avesa.application.steps.freshness import check_freshness
from avesa.application.steps.maintain import maintain_table
from avesa.application.steps.reconcile import reconcile_table
from avesa.application.steps.retry import retry_quarantine
from avesa.application.steps.run import aggregate_results, finish_tenant, orchestrate_pipeline, process_tenant
from avesa.application.steps.table import finish_table, process_table
from avesa.application.steps.transform import transform_canonical
from avesa.application.steps.verify import verify_table
from avesa.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.ports.work import EventSink

STEPS: Final[Mapping[str, Callable[[StepContext, Mapping[str, object]], Json]]] = {
    "orchestrate_pipeline": orchestrate_pipeline,
    "process_tenant": process_tenant,
    "process_table": process_table,
    "process_chunk": process_chunk,
    "reconcile_table": reconcile_table,
    "transform_canonical": transform_canonical,
    "finish_table": finish_table,
    "finish_tenant": finish_tenant,
    "aggregate_results": aggregate_results,
    "check_freshness": check_freshness,
    "verify_table": verify_table,
    "retry_quarantine": retry_quarantine,
    "maintain_table": maintain_table,
    "erase_record": erase_record,
    "erase_tenant": erase_tenant,
}


class Application:
    """The steps with everything outside the core that they use."""

    def __init__(self, context: StepContext) -> None:
        self.context = context

    def run_step(self, name: str, payload: Mapping[str, object]) -> Json:
        """Return what the step gives for JSON `payload`. Raises UsageError for a step that does not exist."""
        step = STEPS.get(name)
        if step is None:
            raise UsageError(f"unknown step {name!r}; steps: {', '.join(STEPS)}")
        return step(replace(self.context, events=_LabelledSink(self.context.events, labels(name, payload))), payload)


def labels(step: str, payload: Mapping[str, object]) -> dict[str, object]:
    """Return what every event of a step is told with: the step, and the job, tenant and table of its payload."""
    found: dict[str, object] = {"step": step}
    inner: object = payload
    # A payload is a task, or holds its task, or holds the work that holds it.
    while isinstance(inner, Mapping):
        found |= {key: inner[key] for key in ("job_id", "tenant_id") if isinstance(inner.get(key), str)}
        # What concerns no table, such as a run's start, has a request that may name one, and is not of it.
        if isinstance(inner.get("table_name"), str) and "service" in inner:
            found["table"] = inner["table_name"]
        inner = inner.get("work") or inner.get("task")
    return found


class _LabelledSink:
    """Adds a step's labels to its events; an event's own fields win."""

    def __init__(self, sink: EventSink, fields: Mapping[str, object]) -> None:
        self._sink = sink
        self._fields = fields

    def emit(self, event: str, **fields: object) -> None:
        self._sink.emit(event, **{**self._fields, **fields})
