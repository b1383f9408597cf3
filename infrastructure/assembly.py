"""The app put together from its stacks, and the rules that it must pass to be synthesized at all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aws_cdk import App, Environment, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infrastructure.components.names import Names
from infrastructure.settings import SettingsError, read_deployment
from infrastructure.stacks.access import AccessStack
from infrastructure.stacks.data import DataStack
from infrastructure.stacks.monitoring import MonitoringStack
from infrastructure.stacks.performance import PerformanceStack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infrastructure.settings import Deployment


def add_stacks(app: App, deployment: Deployment) -> tuple[DataStack, PerformanceStack, MonitoringStack]:
    """Put the three stacks of an environment into the app. They know each other by names only: none exports a value."""
    names = Names(deployment)
    env = Environment(account=deployment.account, region=deployment.region)
    data = DataStack(app, names.of("AVESADataPipeline"), names=names, env=env)
    performance = PerformanceStack(app, names.of("AVESAPerformanceOptimization"), names=names, env=env)
    monitoring = MonitoringStack(app, names.of("AVESAMonitoring"), names=names, env=env)
    if deployment.github_repository or deployment.deployment_account:
        AccessStack(app, names.of("AVESADeploymentAccess"), names=names, env=env)
    # No order between them either: none needs another to be created, and destroying one must not take another along.
    Tags.of(app).add("project", "avesa")
    Tags.of(app).add("environment", deployment.environment.value)
    return data, performance, monitoring


def synthesize(variables: Mapping[str, str]) -> int:
    """Write the templates of the environment that the context names; 1 when it is told something unusable."""
    app = App()
    try:
        deployment = read_deployment(app, variables)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    add_stacks(app, deployment)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
    return 0
