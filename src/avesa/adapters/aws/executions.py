"""Starting the deployed pipeline and following it, for whoever is not a state machine: the CLI, a function called by
hand.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from avesa.adapters.aws.refusals import refusals
from avesa.domain.errors import AvesaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_stepfunctions import SFNClient

    from avesa.ports.time import Clock

_NAME_ALLOWS: Final = re.compile(r"[^A-Za-z0-9_-]")
_RUNNING: Final = {"RUNNING", "PENDING_REDRIVE"}
_POLL_SECONDS: Final = 2.0
_FIRST_POLL_SECONDS: Final = 0.25
_SLOWER: Final = 1.5
"""A short run is answered soon, a long one is not asked about all the time."""


class PipelineExecutions:
    """Executions of one state machine."""

    def __init__(self, client: SFNClient, state_machine_arn: str, *, clock: Clock) -> None:
        self._client = client
        self._arn = state_machine_arn
        self._clock = clock

    def start(self, job_id: str, request: Mapping[str, object]) -> str:
        """Start a run as `job_id` and return the execution's ARN. A second start of the same job is the first one."""
        name = _NAME_ALLOWS.sub("-", job_id)
        with refusals(f"state machine {self._arn}"):
            return self._client.start_execution(
                stateMachineArn=self._arn, name=name, input=json.dumps({**request, "job_id": job_id})
            )["executionArn"]

    def wait(self, execution_arn: str, *, timeout_seconds: float) -> dict[str, object] | None:
        """Return what the execution came to, or None when it still runs then. Raises AvesaError when it failed."""
        deadline = self._clock.monotonic() + timeout_seconds
        pause = _FIRST_POLL_SECONDS
        while True:
            with refusals(f"execution {execution_arn}"):
                found = self._client.describe_execution(executionArn=execution_arn)
            if found["status"] == "SUCCEEDED":
                output: dict[str, object] = json.loads(found.get("output") or "{}")
                return output
            if found["status"] not in _RUNNING:
                cause = found.get("cause") or found.get("error") or "no cause was told"
                raise AvesaError(f"execution {execution_arn} ended {found['status']}: {cause}")
            if self._clock.monotonic() >= deadline:
                return None
            self._clock.sleep(pause)
            pause = min(pause * _SLOWER, _POLL_SECONDS)
