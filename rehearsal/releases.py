"""The pass `releases`: production by the workflow's own steps, a way back, and what is remembered of all of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rehearsal.emulator import ACCOUNT
from rehearsal.leaks import nothing_leaked
from rehearsal.outcomes import OUTCOMES
from rehearsal.proofs import expect
from rehearsal.restoring import restoring
from rehearsal.scenes import beginning, rows
from rehearsal.workflow import Runner
from rehearsal.world import PRODUCTION, change_origin

if TYPE_CHECKING:
    from rehearsal.scenes import Stage

_PRODUCTION_KEYS: Final = {"AWS_ACCESS_KEY_ID": PRODUCTION, "AWS_SECRET_ACCESS_KEY": "secret"}
_FUNCTION: Final = "avesa-result-aggregator"
_ASKED: Final = {
    "deployment_confirmation": "DEPLOY TO PRODUCTION",
    "environment_target": "production",
    "deployment_reason": "Deploy new ConnectWise integration features",
    "components_to_deploy": "all",
    "force_deploy": "false",
    "account": PRODUCTION,
    "deployment_role": "DeploymentRole",
}
_FLOW: Final = [
    *("Validate inputs", "Summary"),
    *("Validate inputs", "Sign in", "Safety checks", "Package functions", "Deploy", "Validate deployment"),
    *("Test functions", "Record", "Summary", "Notify"),
]


def releases_pass(stage: Stage) -> None:
    """Deploy A by the workflow, then B in parts, go back to A, and to B again; the data is the same throughout."""
    beginning(stage)
    stage.world.take_packages()
    stage.world.variables |= {**_PRODUCTION_KEYS, "AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-east-2"}
    refused(stage)
    access(stage)
    walk(stage, "all of commit A", *_FLOW)
    expect(_description(stage).startswith("Closes a job's"), "A is not deployed")
    load(stage)
    before = rows(stage, "--environment prod")
    unchanged(stage)
    forth_and_back(stage)
    expect(rows(stage, "--environment prod") == before, "rows are not what they were before")
    stage.says("every row is what it was before the first step back")
    restoring(stage)
    remembered(stage)
    nothing_leaked(stage, key=PRODUCTION)


def walk(stage: Stage, what: str, *flow: str, is_fine: bool = True, **asked: str) -> Runner:
    """Carry out the production workflow as somebody who fills in its form; hold its steps to `flow`."""
    variables = {"AVESA_PRODUCTION_ACCOUNT": PRODUCTION}
    runner = Runner(world=stage.world, inputs=_ASKED | asked, variables=variables, tell=stage.says)
    succeeded = runner.run_job("deploy-production.yml", "validate") and runner.run_job("deploy.yml", "deploy")
    expect(succeeded is is_fine, f"{what}: the workflow {'failed' if is_fine else 'succeeded'}\n{runner.said[-6000:]}")
    expect(not flow or runner.steps == list(flow), f"{what}: its steps were {runner.steps}")
    stage.says(f"workflow: {what}")
    return runner


def refused(stage: Stage) -> None:
    """What must stop before anybody signs in."""
    for what, asked, words in (
        ("no confirmation", {"deployment_confirmation": "deploy to production"}, "not exactly 'DEPLOY TO PRODUCTION'"),
        ("no reason", {"deployment_reason": "  fix  ", "force_deploy": "true"}, "deployment_reason has 3 characters"),
        ("no such part", {"components_to_deploy": "all; rm -rf ."}, "allowed: all, infrastructure-only, lambdas-only"),
    ):
        runner = walk(stage, f"refused for {what}", "Validate inputs", is_fine=False, **asked)
        expect(words in runner.said, f"it does not say {words!r}:\n{runner.said}")


def access(stage: Stage) -> None:
    """An administrator's part: bootstrap production, and deploy the role that deploys."""
    trusted = (
        f"--context environment=prod --context github_repository=acme/avesa --context deployment_account={ACCOUNT}"
    )
    told = {"CDK_PROD_ACCOUNT": PRODUCTION, "CDK_DEFAULT_REGION": "us-east-2"}
    stage.does(f"cdk bootstrap aws://{PRODUCTION}/us-east-2 --no-notices", more=told)
    deploy = f'cdk deploy AVESADeploymentAccess --exclusively --app "python app.py" {trusted}'
    stage.does(f"(cd infrastructure && {deploy})", more=told)


def load(stage: Stage) -> None:
    """A tenant with data in production."""
    setup = next(name for name in OUTCOMES if "Test Company" in name).replace("--environment dev", "--environment prod")
    stage.does(setup, more=stage.world.credentials())
    stage.does("avesa run --environment prod")


def unchanged(stage: Stage) -> None:
    """The same commit again: held back before anything is packaged, and with a record of it."""
    flow = [*_FLOW[:5], *_FLOW[-3:]]
    runner = walk(stage, "refused, since nothing changed", *flow, is_fine=False)
    expect("nothing changed" in runner.said and "failed" in runner.summary, "it does not say why", None)
    forced = walk(
        stage, "the same commit, forced, functions alone", force_deploy="true", components_to_deploy="lambdas-only"
    )
    expect("going on" in forced.said, "force_deploy is not told")


def forth_and_back(stage: Stage) -> None:
    """B in parts, back to A, B again, and back with the functions alone."""
    code_a = _code(stage)
    change_origin(
        stage.world, "infrastructure/components/functions.py", "Closes a job's record", "Closes the job's record"
    )
    change_origin(stage.world, "src/avesa/domain/errors.py", "Every error AVESA raises", "Each error AVESA raises")
    stamp = _data_stamp(stage)
    walk(stage, "functions alone of commit B", components_to_deploy="lambdas-only")
    expect(_code(stage) != code_a, "the functions have the code of A")
    expect(_description(stage).startswith("Closes a job's"), "more than the functions' code was deployed")
    expect(_data_stamp(stage) == stamp, "the stack that holds data was touched")
    code_b = _code(stage)
    walk(stage, "infrastructure alone of commit B", components_to_deploy="infrastructure-only")
    expect(_description(stage).startswith("Closes the job's"), "the infrastructure of B is not there")
    expect(_code(stage) == code_b, "the functions' code was touched")
    walk(stage, "all of commit B", force_deploy="true")
    newest = _releases(stage)[0]
    stage.does("./scripts/rollback.sh --environment prod --reason 'rehearsing the way back'")
    expect(_description(stage).startswith("Closes a job's") and _code(stage) == code_a, "A is not back")
    stage.does("avesa run --environment prod")
    stage.does(f"./scripts/rollback.sh --environment prod --to {newest}")
    expect(_description(stage).startswith("Closes the job's") and _code(stage) == code_b, "B is not back")
    stage.does("./scripts/rollback.sh --environment prod --functions-only")
    expect(_description(stage).startswith("Closes the job's"), "more than the functions' code went back")
    expect(_code(stage) == code_a, "the functions' code did not go back")


def remembered(stage: Stage) -> None:
    """Each deployment has its record, with who, when, why, what, where and how."""
    found = _deployments(stage)
    kinds = [(item["kind"], item["outcome"]) for item in found]
    expect(kinds.count(("rollback", "succeeded")) == len(("back", "forth", "functions")), f"records: {kinds}")
    expect(kinds.count(("deployment", "failed")) == 1, f"records: {kinds}")
    by_hand, by_workflow = found[0], found[-1]
    expect(by_workflow["actor"] == "ann" and by_workflow["account"] == PRODUCTION, str(by_workflow))
    expect(by_workflow["reason"] == _ASKED["deployment_reason"], str(by_workflow))
    expect(
        "/actions/runs/1001/" in by_workflow["workflow_run"] and by_workflow["duration_seconds"] > 0, str(by_workflow)
    )
    expect(by_hand["actor"].startswith("arn:aws:"), str(by_hand))
    stage.does("avesa deployments --environment prod")


def _deployments(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stage.does("avesa deployments --environment prod --output json").out)[
        "deployments"
    ]
    return found


def _releases(stage: Stage) -> list[str]:
    return [str(item["release_id"]) for item in _deployments(stage) if item["release_id"]]


def _described(stage: Stage) -> dict[str, Any]:
    told = stage.does(f"aws lambda get-function-configuration --function-name {_FUNCTION}")
    found: dict[str, Any] = json.loads(told.out)
    return found


def _description(stage: Stage) -> str:
    return str(_described(stage)["Description"])


def _code(stage: Stage) -> str:
    return str(_described(stage)["CodeSha256"])


def _data_stamp(stage: Stage) -> str:
    told = stage.does("aws cloudformation describe-stacks --stack-name AVESADataPipeline --region us-east-2")
    stack = json.loads(told.out)["Stacks"][0]
    return str(stack.get("LastUpdatedTime", stack["CreationTime"]))
