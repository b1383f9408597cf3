"""One tenant of a run: which tables, each table in an execution of its own, and what they came to.

A failure before the tables are known goes to finish_tenant, which makes the tenant's result of it; a table whose
execution ended without a result becomes a failed table, and its neighbours go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infrastructure.definitions.asl import (
    CAUGHT,
    RUN_ERROR_CHARACTERS,
    TABLES_AT_ONCE,
    TENANT_TIMEOUT_SECONDS,
    machine,
    step_task,
)
from infrastructure.definitions.retries import ANY_STEP, START_STEP

if TYPE_CHECKING:
    from infrastructure.definitions.asl import Addresses, Asl

_TASK_AND_OUTCOME: Final = "{% $merge([{'task': $states.context.Execution.Input}, $states.input]) %}"
_CHILD_INPUT: Final = (
    "{% $merge([$states.input, {'AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID': $states.context.Execution.Id}]) %}"
)
_LOST_TABLE: Final = (
    "{% 'the execution of this table ended without a result (' & $string($states.input.lost.Error) & '): '"
    f" & $substring($states.input.lost.Cause, 0, {RUN_ERROR_CHARACTERS}) %}}"
)


def tenant_processor(at: Addresses) -> Asl:
    """Return the definition; input is a TenantTask, output a TenantResult."""
    return machine(
        "One tenant: its tables, some at a time, one failure touching no neighbour.",
        start_at="ProcessTenant",
        timeout_seconds=TENANT_TIMEOUT_SECONDS,
        language="JSONata",
        states={
            "ProcessTenant": step_task(
                at,
                "tenant-processor",
                retry=ANY_STEP,
                Arguments={"step": "process_tenant", "payload": "{% $states.input %}"},
                Catch=[{"ErrorEquals": ["States.ALL"], "Output": {"error": CAUGHT}, "Next": "FinishTenant"}],
                Next="ProcessTables",
            ),
            "ProcessTables": {
                "Type": "Map",
                "Items": "{% $states.input.tables %}",
                "MaxConcurrency": TABLES_AT_ONCE,
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **_table(at)},
                "Output": {"tables": "{% $states.result %}"},
                "Catch": [{"ErrorEquals": ["States.ALL"], "Output": {"error": CAUGHT}, "Next": "FinishTenant"}],
                "Next": "FinishTenant",
            },
            "FinishTenant": step_task(
                at,
                "tenant-processor",
                retry=ANY_STEP,
                Arguments={"step": "finish_tenant", "payload": _TASK_AND_OUTCOME},
                End=True,
            ),
        },
    )


def _table(at: Addresses) -> Asl:
    return {
        "StartAt": "RunTable",
        "States": {
            "RunTable": {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution.sync:2",
                "Arguments": {"StateMachineArn": at.machines["TableProcessor"], "Input": _CHILD_INPUT},
                "Retry": START_STEP,
                "Catch": [
                    {
                        "ErrorEquals": ["States.ALL"],
                        "Output": {"table_name": "{% $states.input.table_name %}", "lost": CAUGHT},
                        "Next": "TableWasLost",
                    }
                ],
                "Output": "{% $states.result.Output %}",
                "End": True,
            },
            "TableWasLost": {
                "Type": "Pass",
                "Output": {
                    "table_name": "{% $states.input.table_name %}",
                    "canonical_table": "{% '' %}",
                    "status": "failed",
                    "error": _LOST_TABLE,
                },
                "End": True,
            },
        },
    }
