"""A state machine: its definition, its log, and a role that holds what the definition does and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, cast

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infrastructure.components.functions import LOG_RETENTION
from infrastructure.components.names import arn
from infrastructure.components.rights import Right, grant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infrastructure.components.names import Names
    from infrastructure.definitions.asl import Asl

_START_AND_WAIT: Final = "arn:aws:states:::states:startExecution.sync:2"
_WAITING_RULE: Final = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
_LOG_ACTIONS: Final = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
]
_TRACE_ACTIONS: Final = [
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
]
_NO_ARN: Final = (
    "Log deliveries and traces have no ARN that a policy could name (Step Functions guide, 'Logging' and 'X-Ray')."
)
_ANY_EXECUTION: Final = "Executions have names that are not known before; those of this one machine are meant."
_ANY_MANIFEST: Final = "A manifest lies in its tenant's own runs/ folder; a state machine works for all tenants."


class Workflow(Construct):
    """A standard state machine under one of the contract's names."""

    def __init__(self, scope: Construct, base: str, *, names: Names, definition: Asl) -> None:
        super().__init__(scope, base)
        group = logs.LogGroup(
            self,
            "Logs",
            # AWS keeps groups with this prefix out of the resource policy that ten log deliveries would fill up.
            log_group_name=f"/aws/vendedlogs/states/{names.of(base)}",
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
            description=f"What the definition of {base} does, and its log and traces",
        )
        granted = grant(self.role, list(rights_of(definition, base=base, names=names)))
        self.machine = sfn.CfnStateMachine(
            self,
            "Machine",
            state_machine_name=names.of(base),
            state_machine_type="STANDARD",
            role_arn=self.role.role_arn,
            definition_string=Stack.of(self).to_json_string(definition),
            logging_configuration=sfn.CfnStateMachine.LoggingConfigurationProperty(
                destinations=[
                    sfn.CfnStateMachine.LogDestinationProperty(
                        cloud_watch_logs_log_group=sfn.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                            log_group_arn=group.log_group_arn
                        )
                    )
                ],
                # Events without what travels: a log is no second place for error texts.
                include_execution_data=False,
                level="ALL",
            ),
            tracing_configuration=sfn.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        )
        # An execution may begin as soon as the machine is there: the rights must be there first.
        self.machine.node.add_dependency(granted)


def rights_of(definition: Asl, *, base: str, names: Names) -> Iterator[Right]:
    """Give the rights that the definition itself asks for, and those of logging and tracing."""
    functions = sorted({str(task["Resource"]) for task in tasks(definition) if ":lambda:" in str(task["Resource"])})
    yield Right(sid="InvokeSteps", actions=["lambda:InvokeFunction"], resources=functions)
    children = [task for task in tasks(definition) if task["Resource"] == _START_AND_WAIT]
    if children:
        yield from _start_and_wait(
            sorted({str(cast("Asl", task["Arguments"])["StateMachineArn"]) for task in children})
        )
    if any("ItemReader" in state for state in states(definition)):
        yield from _map_runs(base, names)
    yield Right(sid="DeliverLogs", actions=_LOG_ACTIONS, resources=["*"], reason=_NO_ARN)
    yield Right(sid="SendTraces", actions=_TRACE_ACTIONS, resources=["*"], reason=_NO_ARN)


def _start_and_wait(machines: list[str]) -> Iterator[Right]:
    yield Right(sid="StartChildren", actions=["states:StartExecution"], resources=machines)
    yield Right(
        sid="FollowChildren",
        actions=["states:DescribeExecution", "states:StopExecution"],
        resources=[f"{machine.replace(':stateMachine:', ':execution:')}:*" for machine in machines],
        reason=_ANY_EXECUTION,
    )
    # `.sync` waits by a rule of this one name, which Step Functions manages in the account.
    yield Right(
        sid="WaitByEvent",
        actions=["events:DescribeRule", "events:PutRule", "events:PutTargets"],
        resources=[arn("events", _WAITING_RULE)],
    )


def _map_runs(base: str, names: Names) -> Iterator[Right]:
    yield Right(sid="StartMapRun", actions=["states:StartExecution"], resources=[names.machine_arn(base)])
    yield Right(
        sid="FollowMapRun",
        actions=["states:DescribeExecution", "states:StopExecution"],
        resources=[names.executions_arn(base)],
        reason=_ANY_EXECUTION,
    )
    yield Right(
        sid="RedriveMapRun",
        actions=["states:RedriveExecution"],
        resources=[arn("states", f"execution:{names.of(base)}/*:*")],
        reason=_ANY_EXECUTION,
    )
    yield Right(
        sid="ReadManifests",
        actions=["s3:GetObject"],
        resources=[f"{names.bucket_arn}/*/runs/*"],
        reason=_ANY_MANIFEST,
    )


def states(definition: Asl) -> Iterator[Asl]:
    """Give every state of a definition, those inside maps too."""
    for state in cast("dict[str, Asl]", definition["States"]).values():
        yield state
        if "ItemProcessor" in state:
            yield from states(cast("Asl", state["ItemProcessor"]))


def tasks(definition: Asl) -> Iterator[Asl]:
    """Give every task of a definition."""
    return (state for state in states(definition) if state["Type"] == "Task")


def size_bytes(definition: Asl) -> int:
    """Return the length of the definition's text; Step Functions takes 1 MB."""
    return len(json.dumps(definition))
