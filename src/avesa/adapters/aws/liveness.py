"""Whether the holder of a lease still runs: on AWS it is an execution of a state machine, and Step Functions knows."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from avesa.adapters.aws.refusals import code_of, refusals
from avesa.adapters.machine.renewal import renewing
from avesa.domain.model import Holder

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from types_boto3_stepfunctions import SFNClient

    from avesa.domain.model import Lease

EXECUTION_HOST: Final = "stepfunctions"
_RUNNING: Final = {"RUNNING", "PENDING_REDRIVE"}


class ExecutionLiveness:
    """Knows holders by the ARN of their execution, and renews leases in time for whoever has no execution.

    `execution_arn`: None for a process of its own (the CLI), which nobody elsewhere can ask about: its leases expire.
    """

    def __init__(self, client: SFNClient, *, ttl_seconds: float, execution_arn: str | None = None) -> None:
        self._client = client
        self._ttl_seconds = ttl_seconds
        self._execution_arn = execution_arn

    def holder(self, job_id: str) -> Holder:
        """Return the execution, or this process, as the job's holder."""
        if self._execution_arn is not None:
            return Holder(job_id=job_id, host=EXECUTION_HOST, process=self._execution_arn)
        return Holder(job_id=job_id, host=platform.node() or "localhost", process=str(os.getpid()))

    def is_gone(self, holder: Holder) -> bool:
        """True when Step Functions says that the holder's execution has ended, or no longer knows it.

        Raises StorageError when it cannot be asked: the table is left alone, with the reason.
        """
        if holder.host != EXECUTION_HOST or holder.process == self._execution_arn:
            return False
        with refusals(f"execution {holder.process}"):
            try:
                return self._client.describe_execution(executionArn=holder.process)["status"] not in _RUNNING
            except ClientError as error:
                # Forgotten 90 days after its end.
                if code_of(error) == "ExecutionDoesNotExist":
                    return True
                raise

    def keeping(self, lease: Lease, renew: Callable[[Lease], Lease]) -> AbstractContextManager[None]:
        return renewing(lease, renew, ttl_seconds=self._ttl_seconds)
