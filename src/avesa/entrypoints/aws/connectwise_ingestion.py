"""avesa-connectwise-ingestion: the guide's single call. It runs one tenant and answers with what the run came to, or
with the job's id when that takes longer than a caller waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.bootstrap.aws import await_pipeline, start_pipeline
from avesa.domain.errors import UsageError
from avesa.entrypoints.aws.answers import CHECK, checked

if TYPE_CHECKING:
    from avesa.entrypoints.aws.answers import Answer, Event, LambdaContext

_MARGIN_SECONDS: Final = 12.0
"""Left of the function's time for the last look and the answer; clients give up reading after 60 seconds."""


def handler(event: Event, context: LambdaContext) -> Answer:
    """Run {"tenant_id": …} and answer the run's JSON, or {job_id, execution_arn, status: processing}.

    Raises UsageError without a tenant, AvesaError with the execution's own words when it failed.
    """
    if event.get("step") == CHECK:
        return checked(context, ())
    if not event.get("tenant_id"):
        raise UsageError('this function runs one tenant: {"tenant_id": "acme"}; for all, start PipelineOrchestrator')
    run = start_pipeline(event)
    seconds = context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
    ended = await_pipeline(run["execution_arn"], timeout_seconds=max(seconds, 0.0))
    return ended or {**run, "status": "processing"}
