"""What a function's event may say, and the door that all functions for steps share."""

from __future__ import annotations

from collections.abc import Callable

from avesa.bootstrap.aws import run_lambda_step
from avesa.domain.errors import UsageError
from avesa.entrypoints.aws.answers import CHECK, Answer, Event, LambdaContext, checked

Handler = Callable[[Event, LambdaContext], Answer]


def step_handler(*steps: str) -> Handler:
    """Return the handler of a function that runs `steps`, told by {"step": …, "payload": {…}}.

    It raises UsageError for any other event, and what the step raises under its own name: state machines retry and
    catch by it.
    """

    def handler(event: Event, context: LambdaContext) -> Answer:
        step, payload = parse_call(event, steps)
        if step == CHECK:
            return checked(context, steps)
        return run_lambda_step(step, payload, remaining_ms=context.get_remaining_time_in_millis)

    return handler


def parse_call(event: Event, steps: tuple[str, ...]) -> tuple[str, dict[str, object]]:
    """Return step and payload; raise UsageError that lists the steps which the function has."""
    step, payload = event.get("step"), event.get("payload", {})
    if not isinstance(step, str) or step not in {*steps, CHECK} or not isinstance(payload, dict):
        raise UsageError(
            f'this function takes {{"step": …, "payload": {{…}}}} with one of the steps {", ".join((*steps, CHECK))}; '
            f"it was given step {step!r}. A whole run is started with avesa-pipeline-orchestrator"
        )
    return step, payload
