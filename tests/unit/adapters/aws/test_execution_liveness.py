"""Whether the execution that holds a lease has ended, as Step Functions tells it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from avesa.adapters.aws.liveness import EXECUTION_HOST, ExecutionLiveness
from avesa.domain.errors import StorageError
from avesa.domain.model import Holder

ARN = "arn:aws:states:us-east-2:000000000000:execution:TableProcessor-dev:one"
OTHER = Holder(job_id="job-2", host=EXECUTION_HOST, process=f"{ARN}-other")


class Executions:
    """Step Functions, as far as it is asked here."""

    def __init__(self, status: str = "", error: str = "") -> None:
        self._status = status
        self._error = error
        self.asked: list[str] = []

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:  # noqa: N803 - boto3's name
        self.asked.append(executionArn)
        if self._error:
            raise ClientError({"Error": {"Code": self._error, "Message": "no"}}, "DescribeExecution")
        return {"status": self._status}


def _liveness(executions: Executions) -> ExecutionLiveness:
    return ExecutionLiveness(cast("Any", executions), ttl_seconds=60, execution_arn=ARN)


def test_the_holder_is_the_execution() -> None:
    assert _liveness(Executions()).holder("job-1") == Holder(job_id="job-1", host=EXECUTION_HOST, process=ARN)


@pytest.mark.parametrize(
    ("status", "is_gone"),
    [
        ("RUNNING", False),
        ("PENDING_REDRIVE", False),
        ("SUCCEEDED", True),
        ("FAILED", True),
        ("TIMED_OUT", True),
        ("ABORTED", True),
    ],
)
def test_an_execution_is_gone_when_it_has_ended(status: str, *, is_gone: bool) -> None:
    executions = Executions(status)

    assert _liveness(executions).is_gone(OTHER) is is_gone
    assert executions.asked == [OTHER.process]


def test_an_execution_that_is_forgotten_is_gone() -> None:
    assert _liveness(Executions(error="ExecutionDoesNotExist")).is_gone(OTHER)


def test_an_execution_that_cannot_be_asked_about_is_not_taken_for_gone() -> None:
    with pytest.raises(StorageError, match="AccessDenied"):
        _liveness(Executions(error="AccessDeniedException")).is_gone(OTHER)


def test_nobody_is_asked_about_oneself_or_about_a_process_elsewhere() -> None:
    executions = Executions("FAILED")
    liveness = _liveness(executions)

    assert not liveness.is_gone(liveness.holder("job-1"))
    assert not liveness.is_gone(Holder(job_id="job-9", host="laptop", process="77"))
    assert executions.asked == []
