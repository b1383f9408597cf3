"""Names and ARNs of everything deployed, made from the environment alone: no stack imports a value of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Aws

if TYPE_CHECKING:
    from infrastructure.settings import Deployment

MACHINES: Final = ("PipelineOrchestrator", "TenantProcessor", "TableProcessor")


@dataclass(frozen=True, slots=True)
class Names:
    """What a deployment's resources are called."""

    deployment: Deployment

    def of(self, base: str) -> str:
        """`TenantProcessor` to `TenantProcessor-dev`; production has no suffix."""
        return f"{base}{self.deployment.suffix}"

    def function(self, slug: str) -> str:
        """`chunk-processor` to `avesa-chunk-processor-dev`."""
        return self.of(f"avesa-{slug}")

    def function_arn(self, slug: str) -> str:
        """The function's ARN, unqualified."""
        return arn("lambda", f"function:{self.function(slug)}")

    def machine_arn(self, base: str) -> str:
        """The state machine's ARN."""
        return arn("states", f"stateMachine:{self.of(base)}")

    def executions_arn(self, base: str) -> str:
        """All executions of the state machine."""
        return arn("states", f"execution:{self.of(base)}:*")

    def table_arn(self, base: str) -> str:
        """The DynamoDB table's ARN."""
        return arn("dynamodb", f"table/{self.of(base)}")

    @property
    def bucket_arn(self) -> str:
        """The lake's bucket."""
        return f"arn:{Aws.PARTITION}:s3:::{self.deployment.bucket}"

    @property
    def tenant_role(self) -> str:
        """The role that a worker takes on for one tenant; names of roles are shared by an account's regions."""
        return f"{self.of('avesa-tenant-worker')}-{Aws.REGION}"

    @property
    def tenant_role_arn(self) -> str:
        """That role's ARN."""
        return f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{self.tenant_role}"

    @property
    def topic_arn(self) -> str:
        """The topic that alarms and runs that matter tell."""
        return arn("sns", self.of("avesa-alarms"))

    @property
    def dead_letters_arn(self) -> str:
        """The queue of what a schedule could not start."""
        return arn("sqs", self.of("avesa-dead-letters"))

    @property
    def dashboard(self) -> str:
        """The overview's name."""
        return self.of("AVESA-Pipeline-Overview")


def arn(service: str, resource: str) -> str:
    """Return an ARN in the deployment's own account and region."""
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"
