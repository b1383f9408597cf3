"""What does the work and can be replaced at any time: functions, state machines, schedules. No data is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack

from avesa.domain.names import Environment
from infrastructure.components.functions import FUNCTIONS, StepFunction
from infrastructure.components.package import Package
from infrastructure.components.policies import TenantRole, rights_of
from infrastructure.components.schedules import Schedules
from infrastructure.components.simulated_source import SimulatedSource
from infrastructure.components.workflow import Workflow
from infrastructure.definitions.asl import Addresses
from infrastructure.definitions.pipeline_orchestrator import pipeline_orchestrator
from infrastructure.definitions.table_processor import table_processor
from infrastructure.definitions.tenant_processor import tenant_processor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import Environment as Site
    from constructs import Construct

    from infrastructure.components.names import Names

DEFINITIONS = {
    "TableProcessor": table_processor,
    "TenantProcessor": tenant_processor,
    "PipelineOrchestrator": pipeline_orchestrator,
}


class PerformanceStack(Stack):
    """The functions, the three state machines over them, and what starts them."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, env: Site) -> None:
        super().__init__(
            scope, construct_id, env=env, description="AVESA: functions, state machines and schedules. Replaceable."
        )
        functions = self._functions(names)
        TenantRole(
            self,
            "TenantWorker",
            names=names,
            workers=[functions[shape.slug].role for shape in FUNCTIONS if shape.works_for_a_tenant],
        )
        if names.deployment.environment is Environment.DEV:
            SimulatedSource(self, "SimulatedSource", names=names)
        at = addresses(names)
        before: Workflow | None = None
        for base, define in DEFINITIONS.items():
            workflow = Workflow(self, base, names=names, definition=define(at))
            for function in functions.values():
                workflow.machine.node.add_dependency(function.function)
            if before is not None:
                workflow.machine.node.add_dependency(before.machine)  # a parent is there after what it starts
            before = workflow
        schedules = Schedules(self, "Schedules", names=names)
        if before is not None:
            schedules.node.add_dependency(before.machine)

    def _functions(self, names: Names) -> dict[str, StepFunction]:
        code = {
            package: Package.of(package, names.deployment).code() for package in {shape.package for shape in FUNCTIONS}
        }
        return {
            shape.slug: StepFunction(
                self,
                shape,
                names=names,
                code=code[shape.package],
                variables=_variables(names, shape.slug),
                rights=list(rights_of(shape, names)),
            )
            for shape in FUNCTIONS
        }


def addresses(names: Names) -> Addresses:
    """Return the ARNs that the definitions call."""
    return Addresses(
        functions={shape.slug: names.function_arn(shape.slug) for shape in FUNCTIONS},
        timeouts={shape.slug: shape.timeout_seconds for shape in FUNCTIONS},
        machines={base: names.machine_arn(base) for base in DEFINITIONS},
        bucket=names.deployment.bucket,
    )


def _variables(names: Names, slug: str) -> Mapping[str, str]:
    """Return what a function is told: names, never a secret. Only the one that closes runs may tell people of them."""
    told = {"AVESA_TOPIC_ARN": names.topic_arn} if slug == "result-aggregator" else {}
    return {
        **told,
        "AVESA_ENVIRONMENT": names.deployment.environment.value,
        "AVESA_LAKE_BUCKET": names.deployment.bucket,
        "AVESA_TENANT_ROLE_ARN": names.tenant_role_arn,
        "AVESA_STATE_MACHINE_ARN": names.machine_arn("PipelineOrchestrator"),
    }
