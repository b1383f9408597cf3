"""Reads synthesized templates: resources by type, and references resolved to what an account would see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"
REGION = "us-east-2"
_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::URLSuffix": "amazonaws.com"}
Resource = dict[str, Any]
PLANTED = "planted-secret-of-a-deployer"


@dataclass(frozen=True)
class Assembly:
    """What one synthesis gave."""

    environment: str
    folder: Path

    @property
    def suffix(self) -> str:
        return "" if self.environment == "prod" else f"-{self.environment}"

    def path(self, stack: str) -> Path:
        return self.folder / f"{stack}{self.suffix}.template.json"

    def template(self, stack: str) -> Resource:
        return cast("Resource", json.loads(self.path(stack).read_text(encoding="utf-8")))

    def resources(self, stack: str, kind: str) -> dict[str, Resource]:
        """Resources of a kind by logical id; references in them are resolved."""
        found = self.template(stack)["Resources"]
        return {name: resolve(item) for name, item in found.items() if item["Type"] == kind}

    def definitions(self) -> dict[str, Resource]:
        """The state machines' definitions by name."""
        machines = self.resources(PERFORMANCE, "AWS::StepFunctions::StateMachine").values()
        return {
            item["Properties"]["StateMachineName"]: json.loads(item["Properties"]["DefinitionString"])
            for item in machines
        }

    def allowed(self, role: str) -> set[tuple[str, str]]:
        """(action, resource) pairs that the policies on a role allow."""
        pairs = set()
        for policy in self.resources(PERFORMANCE, "AWS::IAM::Policy").values():
            if role in policy["Properties"]["Roles"]:
                pairs |= pairs_of(policy["Properties"]["PolicyDocument"])
        return pairs


DATA, PERFORMANCE, MONITORING = "AVESADataPipeline", "AVESAPerformanceOptimization", "AVESAMonitoring"
ACCESS = "AVESADeploymentAccess"


def synthesized(folder: Path, environments: list[str], **more: str) -> dict[str, Assembly]:
    """Synthesize environments beside each other, without bundling; fail with what the app said. `more`: context."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    running = {}
    for name in environments:
        context = {"environment": name, "aws:cdk:bundling-stacks": [], **more}
        # What a deployer may have in the environment; nothing of it may get into an assembly.
        kept |= {"CONNECTWISE_PRIVATE_KEY": PLANTED, "AVESA_SECRET_KEY": PLANTED, "AWS_SECRET_ACCESS_KEY": PLANTED}
        told = {**kept, "CDK_OUTDIR": str(folder / name), "CDK_CONTEXT_JSON": json.dumps(context)}
        running[name] = subprocess.Popen(
            [sys.executable, str(ROOT / "infrastructure" / "app.py")],
            env=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    for name, process in running.items():
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0, f"{name}: {said.decode(errors='replace')}"
    return {name: Assembly(name, folder / name) for name in environments}


def resolve(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Put an account's values in the place of references; a resource's own reference becomes its logical id."""
    if isinstance(value, list):
        return [resolve(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(str(resolve(part)) for part in parts)
    if "Fn::GetAtt" in value:
        return value["Fn::GetAtt"][0]
    if set(value) == {"Ref"}:
        return _PSEUDO.get(value["Ref"], value["Ref"])
    return {key: resolve(item) for key, item in value.items()}


def pairs_of(document: Resource) -> set[tuple[str, str]]:
    """(action, resource) pairs that a policy document allows."""
    pairs = set()
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in _listed(statement["Action"]):
            pairs |= {(action, resource) for resource in _listed(statement["Resource"])}
    return pairs


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def states_of(definition: Resource) -> list[Resource]:
    """Every state of a definition, those inside maps too."""
    found = []
    for state in definition["States"].values():
        found.append(state)
        if "ItemProcessor" in state:
            found += states_of(state["ItemProcessor"])
    return found


def needed_by(definition: Resource, base: str, assembly: Assembly) -> set[tuple[str, str]]:
    """What Step Functions must be allowed to do to carry a definition out, by its developer guide."""
    needed = set()
    for state in states_of(definition):
        resource = str(state.get("Resource", ""))
        if ":lambda:" in resource:
            needed.add(("lambda:InvokeFunction", resource))
        if resource.endswith("startExecution.sync:2"):
            child = state["Arguments"]["StateMachineArn"]
            executions = child.replace(":stateMachine:", ":execution:") + ":*"
            rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
            needed |= {("states:StartExecution", child)}
            needed |= {(f"states:{verb}Execution", executions) for verb in ("Describe", "Stop")}
            needed |= {(f"events:{verb}", rule) for verb in ("PutTargets", "PutRule", "DescribeRule")}
        if "ItemReader" in state:
            name = f"{base}{assembly.suffix}"
            states = f"arn:aws:states:{REGION}:{ACCOUNT}"
            bucket = state["ItemReader"]["Parameters"]["Bucket"]
            needed |= {
                ("s3:GetObject", f"arn:aws:s3:::{bucket}/*/runs/*"),
                ("states:StartExecution", f"{states}:stateMachine:{name}"),
                ("states:DescribeExecution", f"{states}:execution:{name}:*"),
                ("states:StopExecution", f"{states}:execution:{name}:*"),
                ("states:RedriveExecution", f"{states}:execution:{name}/*:*"),
            }
    return needed
