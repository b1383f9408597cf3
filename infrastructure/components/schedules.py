"""When runs begin by themselves. A table that another run still holds is skipped by the run, not doubled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

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


class Schedules(Construct):
    """The environment's schedules in a group of its own, and the one role that may start runs for them."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names) -> None:
        super().__init__(scope, construct_id)
        target = names.machine_arn("PipelineOrchestrator")
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
                    statements=[iam.PolicyStatement(actions=["states:StartExecution"], resources=[target])]
                )
            },
        )
        for run in SCHEDULES:
            schedule = scheduler.CfnSchedule(
                self,
                run.base_name,
                name=names.of(run.base_name),
                description=run.description,
                group_name=group.name,
                schedule_expression=run.expression,
                schedule_expression_timezone="UTC",
                # Many environments and accounts with one cron line must not ask one site in the same second.
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                    mode="FLEXIBLE", maximum_window_in_minutes=run.window_minutes
                ),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=target,
                    role_arn=role.role_arn,
                    input=json.dumps(run.request),
                    # A start that failed for an hour is overtaken by the next one.
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=3600, maximum_retry_attempts=10
                    ),
                ),
            )
            schedule.node.add_dependency(group)
