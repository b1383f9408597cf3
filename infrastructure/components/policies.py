"""Who may do what. Functions that work for a tenant hold no data rights: they take on the tenant role, narrowed to one
tenant; the others read no tenant's data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from constructs import Construct

from avesa.adapters.aws.tenancy import TENANT_OF_SESSION, TENANT_TAG, DataScope, tenant_policy
from infrastructure.components.rights import Conditions, Right, grant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infrastructure.components.functions import FunctionShape
    from infrastructure.components.names import Names

TRACES: Final = Right(
    sid="SendTraces",
    actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
    resources=["*"],
    reason="Traces have no ARN that a policy could name (X-Ray guide, 'Actions, resources, and condition keys').",
)
_TENANT_REASON: Final = (
    "What a tenant has is named by the tenant, which the session's tag says; the wildcards stand behind that tag, and "
    "each session is narrowed once more to one tenant (avesa.adapters.aws.tenancy). Mappings are everybody's to read."
)
_ALL_MAPPINGS: Final = "All mappings are meant: a run reads the whole folder, and it holds no tenant's data."


def rights_of(shape: FunctionShape, names: Names) -> Iterator[Right]:
    """Give what a function may do beyond writing its own log."""
    yield TRACES
    if shape.works_for_a_tenant:
        yield Right(
            sid="WorkForOneTenant",
            actions=["sts:AssumeRole", "sts:TagSession"],
            resources=[names.tenant_role_arn],
        )
    if shape.slug == "table-processor":
        yield _follow("AskWhetherAHolderIsGone", names, "TableProcessor")
    if shape.slug in {"pipeline-orchestrator", "result-aggregator"}:
        yield from _run_records(names)
    if shape.slug == "result-aggregator":
        yield Right(
            sid="LookHowOldTablesAre",
            actions=["dynamodb:Scan"],
            resources=[names.table_arn("TenantServices"), names.table_arn("LastUpdated")],
        )
        yield Right(sid="TellPeople", actions=["sns:Publish"], resources=[names.topic_arn])
    if shape.slug == "pipeline-orchestrator":
        yield Right(
            sid="FindTenants",
            actions=["dynamodb:GetItem", "dynamodb:Scan"],
            resources=[names.table_arn("TenantServices")],
        )
    if shape.slug in {"pipeline-orchestrator", "connectwise-ingestion"}:
        yield Right(
            sid="StartRuns",
            actions=["states:StartExecution"],
            resources=[names.machine_arn("PipelineOrchestrator")],
        )
    if shape.slug == "connectwise-ingestion":
        yield _follow("FollowRuns", names, "PipelineOrchestrator")


def _run_records(names: Names) -> Iterator[Right]:
    jobs = names.table_arn("ProcessingJobs")
    yield Right(
        sid="KeepJobs",
        actions=["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
        resources=[jobs, f"{jobs}/index/JobsById", f"{jobs}/index/JobsByStart"],
    )
    yield Right(
        sid="ReadMappings",
        actions=["s3:GetObject"],
        resources=[f"{names.bucket_arn}/mappings/*"],
        reason=_ALL_MAPPINGS,
    )
    yield Right(
        sid="ListMappings",
        actions=["s3:ListBucket"],
        resources=[names.bucket_arn],
        conditions={"StringLike": {"s3:prefix": ["mappings/*"]}},
    )


def _follow(sid: str, names: Names, machine: str) -> Right:
    return Right(
        sid=sid,
        actions=["states:DescribeExecution"],
        resources=[names.executions_arn(machine)],
        reason="Executions have names that are not known before; those of this one machine are meant.",
    )


class TenantRole(Construct):
    """The role that opens one tenant's data: that of the session's tag. A session without the tag opens nothing."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, workers: Sequence[iam.IRole]) -> None:
        super().__init__(scope, construct_id)
        tagged = {"StringLike": {f"aws:RequestTag/{TENANT_TAG}": "?*"}}
        trusted = [iam.ArnPrincipal(role.role_arn).with_conditions(tagged) for role in workers]
        role = iam.Role(
            self,
            "Role",
            role_name=names.tenant_role,
            description="Opens the data of the tenant that the session's tag names, and nobody else's",
            assumed_by=iam.CompositePrincipal(*trusted).with_session_tags(),
        )
        grant(role, list(_tenant_rights(names)))


def _tenant_rights(names: Names) -> Iterator[Right]:
    """Give the policy that narrows a session to a tenant, with the session's tag in the tenant's place."""
    data = DataScope(
        environment=names.deployment.environment,
        bucket=names.deployment.bucket,
        region=Aws.REGION,
        account=Aws.ACCOUNT_ID,
        partition=Aws.PARTITION,
    )
    statements = cast("list[dict[str, object]]", tenant_policy(data, TENANT_OF_SESSION)["Statement"])
    for number, statement in enumerate(statements, start=1):
        yield Right(
            sid=f"OwnData{number}",
            actions=cast("list[str]", statement["Action"]),
            resources=cast("list[str]", statement["Resource"]),
            conditions=cast("Conditions", statement.get("Condition", {})),
            reason=_TENANT_REASON,
        )
