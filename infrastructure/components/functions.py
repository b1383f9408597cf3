"""The Lambda functions: what each is for, how large it is, and the construct that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.components.rights import Right, accept, grant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infrastructure.components.names import Names

PackageName = Literal["chunk", "transform", "simulator"]
_ARCHITECTURES: Final = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
LOG_RETENTION: Final = logs.RetentionDays.THREE_MONTHS


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionShape:
    """One function. Its slug is the word in its name, its module and its states."""

    slug: str
    description: str
    package: PackageName = "chunk"
    memory_mb: int = 512
    timeout_seconds: int = 120
    scratch_mb: int = 512
    works_for_a_tenant: bool = False
    """It has no data rights of its own: it takes on the tenant role, narrowed to its payload's tenant."""

    @property
    def module(self) -> str:
        """Where the handler is."""
        return f"avesa.entrypoints.aws.{self.slug.replace('-', '_')}"


# 1,769 MB is one whole processor. A step stops well before its function's time is up, so that the time is a bound on
# damage, not on work.
FUNCTIONS: Final = (
    FunctionShape(slug="pipeline-orchestrator", description="Takes a run's request and finds its tenants"),
    FunctionShape(
        slug="tenant-processor", description="Finds a tenant's tables, and its result", works_for_a_tenant=True
    ),
    FunctionShape(
        slug="table-processor",
        description="Leases and plans a table, and lets go of it",
        timeout_seconds=900,
        works_for_a_tenant=True,
    ),
    FunctionShape(
        slug="chunk-processor",
        description="Reads a chunk from the source into raw, page by page",
        memory_mb=1769,
        timeout_seconds=900,
        works_for_a_tenant=True,
    ),
    FunctionShape(
        slug="canonical-transform",
        description="Compares source and lake, folds raw into the canonical table, moves the bookmark",
        package="transform",
        memory_mb=3538,
        timeout_seconds=900,
        scratch_mb=4096,
        works_for_a_tenant=True,
    ),
    FunctionShape(slug="result-aggregator", description="Closes a job's record with what its tenants came to"),
    FunctionShape(
        slug="connectwise-ingestion",
        description="Runs one tenant; answers when done, or with the job id",
        timeout_seconds=60,
    ),
)
SIMULATOR: Final = FunctionShape(
    slug="connectwise-simulator",
    description="The source of dev's own tests: made-up records behind a token",
    package="simulator",
    timeout_seconds=30,
)
"""In dev alone."""
BY_SLUG: Final = {shape.slug: shape for shape in FUNCTIONS}


class StepFunction(Construct):
    """A function with a log group that ends and a role of its own, which has what it is given here and no more."""

    def __init__(
        self,
        scope: Construct,
        shape: FunctionShape,
        *,
        names: Names,
        code: lambda_.Code,
        variables: Mapping[str, str],
        rights: Sequence[Right],
    ) -> None:
        super().__init__(scope, shape.slug)
        name = names.function(shape.slug)
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/lambda/{name}",
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"{shape.description}. One role for one function",
        )
        own_log = Right(
            sid="WriteOwnLog", actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group.log_group_arn]
        )
        granted = grant(self.role, [own_log, *rights])
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=shape.description,
            runtime=lambda_.Runtime(f"python{names.deployment.python_version}", lambda_.RuntimeFamily.PYTHON),
            architecture=_ARCHITECTURES[names.deployment.architecture],
            handler=f"{shape.module}.handler",
            code=code,
            role=self.role.without_policy_updates(),  # what it needs is granted above, and nothing added behind
            memory_size=shape.memory_mb,
            timeout=Duration.seconds(shape.timeout_seconds),
            ephemeral_storage_size=Size.mebibytes(shape.scratch_mb),
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=group,
            environment={**variables, "AVESA_PACKAGE": shape.package},
        )
        self.function.node.add_dependency(granted)
        accept(
            self.function,
            "AwsSolutions-L1",
            "Python 3.13 is what both packages' wheels are bundled for and tried with; context `python` changes it.",
        )
