"""The one door to every step. The local workflow and each Lambda handler go through `Application.run_step`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.application.steps.chunk import process_chunk
from avesa.application.steps.reconcile import reconcile_table
from avesa.application.steps.run import aggregate_results, finish_tenant, orchestrate_pipeline, process_tenant
from avesa.application.steps.table import finish_table, process_table
from avesa.application.steps.transform import transform_canonical
from avesa.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json

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
        return step(self.context, payload)
