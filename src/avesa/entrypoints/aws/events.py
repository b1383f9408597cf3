"""What a function's event may say, and the door that all functions for steps share."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Protocol

from avesa import __version__
from avesa.bootstrap.aws import run_lambda_step
from avesa.domain.errors import UsageError

CHECK = "check"
"""The step of an event that only asks what a deployed function is; nothing is read or written."""
Event = Mapping[str, object]
Answer = Mapping[str, object]


class LambdaContext(Protocol):
    """What Lambda tells of the call, as far as it is used."""

    function_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""


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


def checked(context: LambdaContext, steps: tuple[str, ...]) -> Answer:
    """Return what is deployed here: proof that the package can be loaded and belongs to this version."""
    return {
        "function": context.function_name,
        "steps": list(steps),
        "version": __version__,
        "python": platform.python_version(),
    }
