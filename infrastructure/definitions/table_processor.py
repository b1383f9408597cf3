"""One table of one tenant: lease and plan, read the chunks, compare, fold, let go.

The document that travels is a TableEnd in the making: `task` first, then `work`, then `result` or `error`. Every
failure ends in finish_table, which lets go of the lease and says what happened. A redrive goes on from the failed
state: each step is given the same document and takes up what is durable.

This machine speaks JSONPath, since its document only grows by a key a step; what needs words is said in JSONata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infrastructure.definitions.asl import (
    CHUNK_ERROR_CHARACTERS,
    CHUNKS_AT_ONCE,
    TABLE_ERROR_CHARACTERS,
    TABLE_TIMEOUT_SECONDS,
    machine,
    step_task,
)
from infrastructure.definitions.retries import ANY_STEP, COMMIT_STEP, SOURCE_STEP

if TYPE_CHECKING:
    from infrastructure.definitions.asl import Addresses, Asl

_TASK: Final = "{% $merge([$states.input, {'execution_arn': $states.context.Execution.Id}]) %}"
_IS_FAILED: Final = "{% $exists($states.input.chunks.Error) %}"
_FIRST_FAILURE: Final = "{% $states.input.chunks[$exists(Error)][0] %}"
_WORDS: Final = (
    "{% ($told := $states.input.error.Cause;"
    " $words := $contains($told, '\"errorMessage\"') ? $string($parse($told).errorMessage) : $told;"
    f" $substring($words, 0, {CHUNK_ERROR_CHARACTERS})) %}}"
)
_CUT_RESULT: Final = (
    "{% $states.result.error ? $merge([$states.result,"
    f" {{'error': $substring($states.result.error, 0, {TABLE_ERROR_CHARACTERS})}}]) : $states.result %}}"
)


def table_processor(at: Addresses) -> Asl:
    """Return the definition; input is a TableTask, output a TableResult whose error is cut to a bounded length."""
    return machine(
        "One table of one tenant: lease, plan, read, compare, fold, let go.",
        start_at="Begin",
        timeout_seconds=TABLE_TIMEOUT_SECONDS,
        language="JSONPath",
        states={
            # The execution is the lease's holder: whoever wants to take over asks whether it still runs.
            "Begin": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"task": _TASK}, "Next": "ProcessTable"},
            "ProcessTable": _step(at, "table-processor", "process_table", "$.task", "$.work", SOURCE_STEP)
            | {"Next": "HowManyChunks"},
            "HowManyChunks": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.work.chunk_ids[0]", "IsPresent": True, "Next": "ReadChunks"},
                    {
                        "And": [
                            {"Variable": "$.work.manifest_key", "IsPresent": True},
                            {"Variable": "$.work.manifest_key", "IsString": True},
                        ],
                        "Next": "ReadManyChunks",
                    },
                ],
                "Default": "ReconcileTable",  # a rebuild reads nothing
            },
            "ReadChunks": _inline_map(at),
            "ReadManyChunks": _distributed_map(at),
            # Where a chunk failed, nothing can be compared: its reason is the table's. A read without failures, as
            # nearly every one is, pays for no question.
            "WasAllRead": {
                "Type": "Choice",
                "QueryLanguage": "JSONata",
                "Choices": [{"Condition": _IS_FAILED, "Next": "TakeFirstFailure"}],
                "Default": "FinishTable",
            },
            "TakeFirstFailure": {
                "Type": "Pass",
                "QueryLanguage": "JSONata",
                "Output": {
                    "task": "{% $states.input.task %}",
                    "work": "{% $states.input.work %}",
                    "error": _FIRST_FAILURE,
                },
                "Next": "FinishTable",
            },
            "ReconcileTable": _step(at, "canonical-transform", "reconcile_table", "$.work", "$.work", SOURCE_STEP)
            | {"Catch": _caught("WasAllRead"), "Next": "TransformCanonical"},
            "TransformCanonical": _step(
                at, "canonical-transform", "transform_canonical", "$.work", "$.result", COMMIT_STEP
            )
            | {"Next": "IsFolded"},
            # Its time was up before all was folded: what it did lies in the lake, and the next call goes on.
            "IsFolded": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.result.status", "StringEquals": "processing", "Next": "TransformCanonical"}
                ],
                "Default": "FinishTable",
            },
            "FinishTable": _finish(at),
        },
    )


def _step(at: Addresses, function: str, step: str, given: str, kept: str, retry: list[Asl]) -> Asl:
    return step_task(
        at,
        function,
        retry=retry,
        Parameters={"step": step, "payload.$": given},
        ResultPath=kept,
        Catch=_caught("FinishTable"),
    )


def _caught(then: str) -> list[Asl]:
    # States.ALL does not take the first one; without a catch of its own it would leave the lease behind.
    errors = ("States.DataLimitExceeded", "States.ALL")
    return [{"ErrorEquals": [error], "ResultPath": "$.error", "Next": then} for error in errors]


def _finish(at: Addresses) -> Asl:
    """The chunks' own outcomes are of no more use here; all else of the document is the TableEnd."""
    document = "{% $sift($states.input, function($value, $key) { $key != 'chunks' }) %}"
    return step_task(
        at,
        "table-processor",
        retry=ANY_STEP,
        QueryLanguage="JSONata",
        Arguments={"step": "finish_table", "payload": document},
        Output=_CUT_RESULT,
        End=True,
    )


def _inline_map(at: Addresses) -> Asl:
    """Most increments are one chunk; an open Map Run for each would use up the account's limit of them."""
    return {
        "Type": "Map",
        "ItemsPath": "$.work.chunk_ids",
        "MaxConcurrency": CHUNKS_AT_ONCE,
        "ItemSelector": {"work.$": "$.work", "chunk_id.$": "$$.Map.Item.Value"},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **_chunk(at)},
        "ResultPath": "$.chunks",
        "Catch": _caught("FinishTable"),
        "Next": "ReconcileTable",
    }


def _distributed_map(at: Addresses) -> Asl:
    """Each chunk is an execution of its own; a chunk that ends without a word fails the read at once."""
    return {
        "Type": "Map",
        "Label": "Chunks",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": at.bucket, "Key.$": "$.work.manifest_key"},
        },
        "MaxConcurrencyPath": "$.work.concurrency",
        "ToleratedFailurePercentage": 0,
        "ItemSelector": {"work.$": "$.work", "chunk_id.$": "$$.Map.Item.Value.chunk_id"},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            **_chunk(at, suffix="OfMany"),
        },
        "ResultPath": "$.chunks",
        "Catch": _caught("FinishTable"),
        "Next": "ReconcileTable",
    }


def _chunk(at: Addresses, suffix: str = "") -> Asl:
    """Call the step until the chunk is read. What comes back is empty, or a short failure: many of them must fit."""
    process, ask, read, failed = (
        f"{name}{suffix}" for name in ("ProcessChunk", "IsChunkDone", "ChunkRead", "ChunkFailed")
    )
    return {
        "StartAt": process,
        "States": {
            process: step_task(
                at,
                "chunk-processor",
                retry=SOURCE_STEP,
                Parameters={"step": "process_chunk", "payload": {"work.$": "$.work", "chunk_id.$": "$.chunk_id"}},
                ResultPath="$.progress",
                Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": failed}],
                Next=ask,
            ),
            ask: {
                "Type": "Choice",
                "Choices": [{"Variable": "$.progress.is_done", "BooleanEquals": True, "Next": read}],
                "Default": process,
            },
            read: {"Type": "Pass", "Result": {}, "End": True},
            failed: {
                "Type": "Pass",
                "QueryLanguage": "JSONata",
                "Output": {"Error": "{% $states.input.error.Error %}", "Cause": _WORDS},
                "End": True,
            },
        },
    }
