"""avesa-pipeline-orchestrator: the first step of a run for its state machine, and for whoever invokes it by hand with
a run's request, the start of that state machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.bootstrap.aws import start_pipeline
from avesa.entrypoints.aws.events import step_handler

if TYPE_CHECKING:
    from avesa.entrypoints.aws.answers import Answer, Event, LambdaContext

_step = step_handler("orchestrate_pipeline")


def handler(event: Event, context: LambdaContext) -> Answer:
    """Run the step that the event names; without one, start a run and answer {job_id, execution_arn}."""
    return _step(event, context) if "step" in event else start_pipeline(event)
