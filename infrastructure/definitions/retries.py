"""Which errors a state machine asks again for, named one by one: nothing is retried because it merely failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infrastructure.definitions.asl import Asl

# FULL jitter: workers that were refused together must not come back together.
_JITTER: Final = {"BackoffRate": 2, "JitterStrategy": "FULL"}

LAMBDA_IS_BUSY: Final[Asl] = {
    "ErrorEquals": [
        "Lambda.AWSLambdaException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.TooManyRequestsException",
    ],
    "IntervalSeconds": 2,
    "MaxAttempts": 6,
    "MaxDelaySeconds": 60,
    **_JITTER,
}
"""The service did not run the function."""

WORKER_DIED: Final[Asl] = {
    "ErrorEquals": ["Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout", "States.Timeout"],
    "IntervalSeconds": 5,
    "MaxAttempts": 2,
    "MaxDelaySeconds": 60,
    **_JITTER,
}
"""The function was ended from outside (time, memory): every step goes on from what is durable."""

SOURCE_IS_BUSY: Final[Asl] = {
    "ErrorEquals": ["TransientSourceError"],
    "IntervalSeconds": 15,
    "MaxAttempts": 4,
    "MaxDelaySeconds": 300,
    **_JITTER,
}
"""The step's own patience with the service ran out; a longer pause may help."""

SOURCE_IS_PAUSED: Final[Asl] = {
    "ErrorEquals": ["WaitTooLong"],
    "IntervalSeconds": 300,
    "MaxAttempts": 3,
    "MaxDelaySeconds": 900,
    **_JITTER,
}
"""The service named a pause that no function should sit out; a state machine waits for nothing."""

STORE_IS_BUSY: Final[Asl] = {
    "ErrorEquals": ["StorageError"],
    "IntervalSeconds": 5,
    "MaxAttempts": 3,
    "MaxDelaySeconds": 60,
    **_JITTER,
}
"""S3 or DynamoDB refused for longer than the client's own retries last."""

COMMIT_IS_OPEN: Final[Asl] = {
    "ErrorEquals": ["CommitConflict", "CommitOutcomeUnknown"],
    "IntervalSeconds": 5,
    "MaxAttempts": 2,
    "MaxDelaySeconds": 60,
    **_JITTER,
}
"""The step looks what landed before it folds again; the lease still decides who may."""

START_IS_THROTTLED: Final[Asl] = {
    "ErrorEquals": [
        "StepFunctions.ExecutionLimitExceededException",
        "StepFunctions.SdkClientException",
        "StepFunctions.ThrottlingException",
    ],
    "IntervalSeconds": 2,
    "MaxAttempts": 6,
    "MaxDelaySeconds": 60,
    **_JITTER,
}
"""The execution of a child was not started."""

ANY_STEP: Final[list[Asl]] = [LAMBDA_IS_BUSY, WORKER_DIED, STORE_IS_BUSY]
SOURCE_STEP: Final[list[Asl]] = [*ANY_STEP, SOURCE_IS_BUSY, SOURCE_IS_PAUSED]
COMMIT_STEP: Final[list[Asl]] = [*ANY_STEP, COMMIT_IS_OPEN]
START_STEP: Final[list[Asl]] = [START_IS_THROTTLED]
