"""A whole run: which tenants, each in an execution of its own, and the record of what they came to.

Input is the guide's: {"tenant_id": …, "table_name": …}, both optional, and the other keys of a run's request. A request
that cannot be carried out fails the execution with the step's own words, and nothing is stored. A run whose tables
failed has still run: it succeeds as an execution, and its output and the job's record say `failed`. So does a run of
all tenants where none is registered yet: else the schedules of a new environment would raise an alarm every hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infrastructure.definitions.asl import (
    CAUGHT,
    MAX_DETAILED_TENANTS,
    PIPELINE_TIMEOUT_SECONDS,
    RUN_ERROR_CHARACTERS,
    TENANTS_AT_ONCE,
    machine,
    step_task,
)
from infrastructure.definitions.retries import ANY_STEP, START_STEP

if TYPE_CHECKING:
    from infrastructure.definitions.asl import Addresses, Asl

# A retry or a redrive must mean the same job: the id is made of what an execution keeps, its start and its name.
_REQUEST: Final = (
    "{% ($began := $replace($substring($states.context.Execution.StartTime, 0, 19), /[-:]/, '');"
    " $tail := $lowercase($substring($replace($states.context.Execution.Name, /[^A-Za-z0-9]/, '') & '000000', 0, 6));"
    " $merge([{'job_id': $began & 'Z-' & $tail}, $states.input])) %}"
)
_CHILD_INPUT: Final = (
    "{% $merge([$states.input.task, {'AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID': $states.context.Execution.Id}]) %}"
)
# Tenants of a large run begin spread over up to four minutes: two seconds for each of them.
_DELAY: Final = "{% $floor($random() * $min([240, 2 * ($count($states.input.tenants) - 1)])) %}"
_IS_BRIEF: Final = f"{{% $count($states.input.tenants) > {MAX_DETAILED_TENANTS} %}}"
# What is null or zero is left out (the steps' defaults stand for it), errors are cut: all tenants must fit one state.
_RESULT: Final = (
    "{% ($short := function($item) { $merge(["
    "$sift($item, function($value) { $value != null and $value != 0 and $value != false }),"
    f" $item.error ? {{'error': $substring($item.error, 0, {RUN_ERROR_CHARACTERS})}} : {{}}]) }};"
    " $given := $states.result.Output;"
    " $tables := $states.input.is_brief ? [] : [$map($given.tables, $short)];"
    " $merge([$short($sift($given, function($value, $key) { $key != 'tables' })), {'tables': $tables}])) %}"
)
NO_TENANT: Final = "no tenant is "  # registered, or enabled
"""How orchestrate_pipeline begins to say that there is nobody to work for (a test holds the two together)."""
_IS_NOBODY_THERE: Final = (
    f"{{% $states.input.error.Error = 'UsageError' and $contains($states.input.error.Cause, '{NO_TENANT}') %}}"
)
_LOST_TENANT: Final = (
    "{% 'the execution of this tenant ended without a result (' & $string($states.input.lost.Error) & '): '"
    f" & $substring($states.input.lost.Cause, 0, {RUN_ERROR_CHARACTERS}) %}}"
)


def pipeline_orchestrator(at: Addresses) -> Asl:
    """Return the definition; output is the object that `avesa run --output json` prints, less what is zero or null."""
    return machine(
        "A run: its tenants, some at a time, then the job's record.",
        start_at="OrchestratePipeline",
        timeout_seconds=PIPELINE_TIMEOUT_SECONDS,
        language="JSONata",
        states={
            "OrchestratePipeline": step_task(
                at,
                "pipeline-orchestrator",
                retry=ANY_STEP,
                Arguments={"step": "orchestrate_pipeline", "payload": _REQUEST},
                Catch=[{"ErrorEquals": ["UsageError"], "Output": {"error": CAUGHT}, "Next": "IsNobodyThere"}],
                Next="ProcessTenants",
            ),
            "IsNobodyThere": {
                "Type": "Choice",
                "Choices": [{"Condition": _IS_NOBODY_THERE, "Next": "NobodyYet"}],
                "Default": "RequestRefused",
            },
            "NobodyYet": {"Type": "Pass", "Output": {"status": "completed", "tenants": []}, "End": True},
            "RequestRefused": {
                "Type": "Fail",
                "Error": "{% $states.input.error.Error %}",
                "Cause": "{% $states.input.error.Cause %}",
            },
            "ProcessTenants": {
                "Type": "Map",
                "Items": "{% $states.input.tenants %}",
                "MaxConcurrency": TENANTS_AT_ONCE,
                "ItemSelector": {
                    "task": "{% $states.context.Map.Item.Value %}",
                    "delay_seconds": _DELAY,
                    "is_brief": _IS_BRIEF,
                },
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **_tenant(at)},
                "Output": {"job_id": "{% $states.input.job_id %}", "tenants": "{% $states.result %}"},
                "Next": "AggregateResults",
            },
            "AggregateResults": step_task(
                at,
                "result-aggregator",
                retry=ANY_STEP,
                Arguments={"step": "aggregate_results", "payload": "{% $states.input %}"},
                End=True,
            ),
        },
    )


def _tenant(at: Addresses) -> Asl:
    return {
        "StartAt": "Spread",
        "States": {
            "Spread": {"Type": "Wait", "Seconds": "{% $states.input.delay_seconds %}", "Next": "RunTenant"},
            "RunTenant": {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution.sync:2",
                "Arguments": {"StateMachineArn": at.machines["TenantProcessor"], "Input": _CHILD_INPUT},
                "Retry": START_STEP,
                "Catch": [
                    {
                        "ErrorEquals": ["States.ALL"],
                        "Output": {"tenant_id": "{% $states.input.task.tenant_id %}", "lost": CAUGHT},
                        "Next": "TenantWasLost",
                    }
                ],
                "Output": _RESULT,
                "End": True,
            },
            "TenantWasLost": {
                "Type": "Pass",
                "Output": {
                    "tenant_id": "{% $states.input.tenant_id %}",
                    "status": "failed",
                    "error": _LOST_TENANT,
                },
                "End": True,
            },
        },
    }
