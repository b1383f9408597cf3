"""Who may deploy: one role for an environment, taken on by its workflow or from one other account, and by nobody else.

An administrator deploys this stack, once; deployments leave it alone, so that none can widen what deployments may do.
It holds no stored key: a workflow signs in with GitHub's own token (OpenID Connect), people with their account's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_iam as iam

from avesa.adapters.aws.tables import STATE_TABLES
from avesa.domain.names import Environment as Place
from infrastructure.components.functions import FUNCTIONS, SIMULATOR
from infrastructure.components.names import MACHINES, arn
from infrastructure.components.rights import Right, grant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk import Environment
    from constructs import Construct

    from infrastructure.components.names import Names

ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
GITHUB_ENVIRONMENTS: Final = {"prod": "production", "staging": "staging", "dev": "dev"}
"""What the environments are called at GitHub, whose rules (who approves, which branch) stand before this role."""
_STACKS: Final = ("AVESADataPipeline", "AVESAPerformanceOptimization", "AVESAMonitoring")
_SESSION_HOURS: Final = 2
_QUALIFIER: Final = "hnb659fds"
_REGIONS: Final = "An environment may be deployed to more than one region; its names are the same in each."


class AccessStack(Stack):
    """The deployment role of one environment."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, env: Environment) -> None:
        super().__init__(
            scope,
            construct_id,
            env=env,
            description="AVESA: the role that deploys. Deployed by an administrator alone.",
            termination_protection=names.deployment.is_production,
        )
        role = iam.Role(
            self,
            "DeploymentRole",
            role_name=names.of("DeploymentRole"),
            description=f"Deploys AVESA to {names.deployment.environment.value}",
            assumed_by=_trusted(names),
            max_session_duration=Duration.hours(_SESSION_HOURS),
        )
        grant(role, list(deployment_rights(names)))


def _trusted(names: Names) -> iam.PrincipalBase:
    trusted: list[iam.PrincipalBase] = []
    repository, account = names.deployment.github_repository, names.deployment.deployment_account
    if repository:
        subject = f"repo:{repository}:environment:{GITHUB_ENVIRONMENTS[names.deployment.environment.value]}"
        provider = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:oidc-provider/{ISSUER}"
        # Equal, not alike: a branch, a pull request or another repository has another subject.
        claims = {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subject}
        trusted.append(iam.WebIdentityPrincipal(provider, {"StringEquals": claims}))
    if account:
        trusted.append(iam.AccountPrincipal(account))
    return trusted[0] if len(trusted) == 1 else iam.CompositePrincipal(*trusted)


def deployment_rights(names: Names) -> Iterator[Right]:
    """Give what a deployment does under its own name; CloudFormation creates resources, under the CDK's roles."""
    yield Right(
        sid="DeployAsTheCdk",
        actions=["sts:AssumeRole"],
        resources=[
            f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/cdk-{_QUALIFIER}-{part}-role-{Aws.ACCOUNT_ID}-*"
            for part in ("deploy", "file-publishing", "lookup")
        ],
        reason=_REGIONS,
    )
    yield Right(
        sid="LookAtStacks",
        actions=["cloudformation:DescribeStackResource", "cloudformation:DescribeStacks", "cloudformation:GetTemplate"],
        resources=[
            f"arn:{Aws.PARTITION}:cloudformation:*:{Aws.ACCOUNT_ID}:stack/{names.of(stack)}/*" for stack in _STACKS
        ],
        reason="A stack's ARN ends with an id that its creation makes up.",
    )
    yield Right(
        sid="LookAtBootstrap",
        actions=["ssm:GetParameter"],
        resources=[f"arn:{Aws.PARTITION}:ssm:*:{Aws.ACCOUNT_ID}:parameter/cdk-bootstrap/{_QUALIFIER}/version"],
        reason=_REGIONS,
    )
    yield Right(
        sid="LookAtNames",
        actions=["s3:ListAllMyBuckets", "cloudwatch:ListDashboards"],
        resources=["*"],
        reason="Lists of an account's buckets and dashboards have no ARN (Service Authorization Reference).",
    )
    yield from _bucket_rights(names)
    functions = (*FUNCTIONS, SIMULATOR) if names.deployment.environment is Place.DEV else FUNCTIONS
    yield Right(
        sid="LookAtTables",
        actions=["dynamodb:DescribeTable"],
        resources=[names.table_arn(shape.base_name) for shape in STATE_TABLES],
    )
    yield Right(
        sid="TryFunctions",
        actions=["lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:InvokeFunction"],
        resources=[names.function_arn(shape.slug) for shape in functions],
    )
    yield Right(
        sid="TryMachines",
        actions=["states:DescribeStateMachine", "states:ListExecutions", "states:StartExecution"],
        resources=[names.machine_arn(base) for base in MACHINES],
    )
    yield Right(
        sid="FollowRuns",
        actions=["states:DescribeExecution"],
        resources=[names.executions_arn("PipelineOrchestrator")],
        reason="Executions have names that are not known before; those of this one machine are meant.",
    )
    yield Right(sid="TellPeople", actions=["sns:Publish"], resources=[arn("sns", names.of("avesa-alarms"))])


def _bucket_rights(names: Names) -> Iterator[Right]:
    releases = f"arn:{Aws.PARTITION}:s3:::{names.deployment.releases_bucket}"
    yield Right(
        sid="LookAtBuckets",
        actions=["s3:GetBucketLocation", "s3:ListBucket"],
        resources=[names.bucket_arn, releases],
    )
    yield Right(
        sid="BringMappings",
        actions=["s3:GetObject", "s3:PutObject"],
        resources=[f"{names.bucket_arn}/mappings/*"],
        reason="All mappings are meant; they hold no tenant's data.",
    )
    # No right to delete, to shorten a retention or to go around one.
    yield Right(
        sid="KeepReleases",
        actions=["s3:GetObject", "s3:PutObject"],
        resources=[f"{releases}/{folder}/*" for folder in ("blobs", "records", "releases")],
        reason="Releases and records have names that are not known before.",
    )
