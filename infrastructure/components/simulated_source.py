"""The source that dev brings itself: the simulator as a function with a URL, and the token that makes its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infrastructure.components.functions import SIMULATOR, StepFunction
from infrastructure.components.package import Package
from infrastructure.components.policies import TRACES
from infrastructure.components.rights import Right, accept

if TYPE_CHECKING:
    from infrastructure.components.names import Names

_TOKEN_CHARACTERS = 48


class SimulatedSource(Construct):
    """A ConnectWise of made-up records. Its URL is open, as a site's is; what it gives away without keys is nothing."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names) -> None:
        super().__init__(scope, construct_id)
        token = secretsmanager.Secret(
            self,
            "Token",
            # Without a slash, unlike every tenant's secret.
            secret_name=names.of("avesa-simulator"),
            description="The keys of the simulated source follow from it",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",  # noqa: S106 - what the token is put into
                generate_string_key="token",
                password_length=_TOKEN_CHARACTERS,
                exclude_punctuation=True,
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        accept(
            token,
            "AwsSolutions-SMG4",
            "It opens made-up records in a development environment and nothing else; deleting the secret and deploying "
            "makes a new one.",
        )
        read = Right(sid="ReadToken", actions=["secretsmanager:GetSecretValue"], resources=[token.secret_arn])
        step = StepFunction(
            self,
            SIMULATOR,
            names=names,
            code=Package.of(SIMULATOR.package, names.deployment).code(),
            variables={"AVESA_ENVIRONMENT": names.deployment.environment.value},
            rights=[TRACES, read],
        )
        # Signed requests are not for clients of ConnectWise: the site's own keys are what a request must bear.
        step.function.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)
