"""When runs begin by themselves. A table that another run still holds is skipped by the run, not doubled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.components.rights import accept

if TYPE_CHECKING:
    from infrastructure.components.names import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRun:
    """A run of all tenants that begins within `window_minutes` after its time; UTC."""

    base_name: str
    description: str
    expression: str
    window_minutes: int
    request: dict[str, object]


SCHEDULES: Final = (
    ScheduledRun(
        base_name="avesa-hourly-increment",
        description="Reads what changed, of all tenants",
        expression="rate(1 hour)",
        window_minutes=10,
        request={},
    ),
    ScheduledRun(
        base_name="avesa-daily-delete-sweep",
        description="Looks for records that are gone from the source, of all tenants",
        expression="cron(30 3 * * ? *)",
        window_minutes=60,
        request={"detect_deletes": True},
    ),
)


FRESHNESS_MINUTES: Final = 15
"""How often somebody looks how old all tables are; a look reads the state of every table once."""


class Schedules(Construct):
    """The environment's schedules in a group of its own, the one role that may start runs for them, and the queue of
    what could not be started.
    """

    def __init__(self, scope: Construct, construct_id: str, *, names: Names) -> None:
        super().__init__(scope, construct_id)
        target = names.machine_arn("PipelineOrchestrator")
        look = names.function_arn("result-aggregator")
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=names.of("avesa-dead-letters"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        accept(self.dead_letters, "AwsSolutions-SQS3", "It is itself where the schedules' dead letters go.")
        group = scheduler.CfnScheduleGroup(self, "Group", name=names.of("avesa"))
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
            description="Starts runs by schedule",
            inline_policies={
                "StartRuns": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(actions=["states:StartExecution"], resources=[target]),
                        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[look]),
                        iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[names.dead_letters_arn]),
                    ]
                )
            },
        )
        made = [
            self._schedule(
                names,
                role,
                base_name=run.base_name,
                description=run.description,
                expression=run.expression,
                # Many environments and accounts with one cron line must not ask one site in the same second.
                window_minutes=run.window_minutes,
                target=target,
                given=run.request,
            )
            for run in SCHEDULES
        ]
        # Beside the runs and through nothing of theirs: it tells that data grows old when no run begins any more.
        made.append(
            self._schedule(
                names,
                role,
                base_name="avesa-freshness-check",
                description="Looks how old all tables are",
                expression=f"rate({FRESHNESS_MINUTES} minutes)",
                window_minutes=1,
                target=look,
                given={"step": "check_freshness", "payload": {}},
            )
        )
        for schedule in made:
            schedule.node.add_dependency(group)
            schedule.node.add_dependency(self.dead_letters)

    def _schedule(
        self,
        names: Names,
        role: iam.Role,
        *,
        base_name: str,
        description: str,
        expression: str,
        window_minutes: int,
        target: str,
        given: dict[str, object],
    ) -> scheduler.CfnSchedule:
        return scheduler.CfnSchedule(
            self,
            base_name,
            name=names.of(base_name),
            description=description,
            group_name=names.of("avesa"),
            schedule_expression=expression,
            schedule_expression_timezone="UTC",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                mode="FLEXIBLE", maximum_window_in_minutes=window_minutes
            ),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=target,
                role_arn=role.role_arn,
                input=json.dumps(given),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=names.dead_letters_arn),
                # A start that failed for an hour is overtaken by the next one.
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=3600, maximum_retry_attempts=10
                ),
            ),
        )
