"""What a command of the guide must have brought about; each proof raises OutcomeError when it has not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from rehearsal.world import PRODUCTION, TENANT, Done, OutcomeError, World

Check = Callable[[World, Done], None]
STACKS: Final = ("AVESADataPipeline", "AVESAPerformanceOptimization", "AVESAMonitoring")
DESCRIBE: Final = 'aws stepfunctions describe-execution --execution-arn "EXECUTION_ARN"'


_WHO_IS_PRODUCTION: Final = (
    "import boto3; print(boto3.Session(profile_name='avesa-production').client('sts').get_caller_identity()['Arn'])"
)


def expect(fact: object, problem: str, done: Done | None = None) -> None:
    """Raise OutcomeError with the problem, and with what was printed, unless the fact holds."""
    if not fact:
        raise OutcomeError(problem if done is None else f"{problem}\n{done.said[-6000:]}")


def succeeded(_: World, done: Done) -> None:
    """Exit status 0."""
    expect(done.status == 0, f"it ended with exit status {done.status}", done)


def json_of(done: Done) -> Any:  # noqa: ANN401 - JSON
    """Return what a command that succeeded has printed."""
    check_succeeded(done)
    try:
        return json.loads(done.out)
    except ValueError:
        raise OutcomeError(f"no JSON:\n{done.said}") from None


def check_succeeded(done: Done) -> None:
    """Raise OutcomeError unless the exit status is 0."""
    expect(done.status == 0, f"it ended with exit status {done.status}", done)


def deployed(suffix: str, environment: str) -> Check:
    """Everything of the environment was validated."""

    def check(_: World, done: Done) -> None:
        check_succeeded(done)
        for base in STACKS:
            expect(f"stack {base}{suffix}: " in done.out, f"stack {base}{suffix} was not validated", done)
        expect(f"{environment} is deployed" in done.out, "it does not say that it is deployed", done)
        expect("6 files are in s3://" in done.out, "the mappings were not uploaded", done)

    return check


def cloned(world: World, done: Done) -> None:
    """The clone is whole."""
    check_succeeded(done)
    expect((world.clone / "scripts" / "deploy.sh").is_file(), "the clone has no scripts/deploy.sh")


def installed(world: World, done: Done) -> None:
    """`avesa` runs."""
    check_succeeded(done)
    said = world.run("avesa --version")
    expect(said.status == 0, "`avesa` does not run after the installation", said)


def set_up(world: World, done: Done) -> None:
    """The tenant is set up, and no credential was printed."""
    check_succeeded(done)
    expect(f"{TENANT} (" in done.out and "The credentials work" in done.out, "the tenant was not set up", done)
    for value in world.credentials().values():
        expect("://" in value or value == TENANT or value not in done.said, "a credential was printed")


def functions_answer(_: World, done: Done) -> None:
    """All functions answer."""
    check_succeeded(done)
    expect("8 of 8 functions answer" in done.out, "not all functions answer", done)
    expect("steps: process_chunk" in done.out, "--verbose does not show the steps", done)


def pipeline_works(_: World, done: Done) -> None:
    """A whole run completed, and every check of it passed."""
    check_succeeded(done)
    expect("it ended completed" in done.out and "FAILED" not in done.out, "the pipeline does not work", done)


def started(world: World, done: Done) -> None:
    """An execution began; it is remembered."""
    world.execution_arn = json_of(done)["executionArn"]
    expect(":execution:PipelineOrchestrator-dev:" in world.execution_arn, f"odd ARN {world.execution_arn}")


def described(world: World, done: Done) -> None:
    """The execution that was started by hand comes to an end, and its output is the run's result."""
    found = json_of(done)
    if found["status"] == "RUNNING":
        world.await_execution()
        found = json_of(world.run(f"{DESCRIBE} --region us-east-2"))
    expect(found["status"] == "SUCCEEDED", f"the execution ended {found['status']}: {found.get('cause')}")
    output = json.loads(found["output"])
    expect(output["status"] == "completed", f"the run ended {output['status']}: {found['output']}")


def answered_with_job(world: World, done: Done) -> None:
    """The function started a run; it is remembered."""
    expect("FunctionError" not in json_of(done), "the function failed", done)
    answer = json.loads((world.cwd / "response.json").read_text(encoding="utf-8"))
    expect({"job_id", "execution_arn"} <= set(answer), f"it answered {answer}")
    world.execution_arn = answer["execution_arn"]


def ran_one_tenant(world: World, done: Done) -> None:
    """The function answered with a run's result or id."""
    expect("FunctionError" not in json_of(done), "the function failed", done)
    answer = json.loads((world.cwd / "response.json").read_text(encoding="utf-8"))
    expect(answer.get("status") in {"completed", "processing"} and answer.get("job_id"), f"it answered {answer}")


def logged(_: World, done: Done) -> None:
    """A line of the log came."""
    expect(done.status == 0 and done.out.strip(), "no line came within a minute", done)
    expect("rror" not in done.out.split(" ")[0], "it failed", done)


def lists_the_lake(_: World, done: Done) -> None:
    """Everything lies where the guide says."""
    check_succeeded(done)
    parts = (
        f"{TENANT}/raw/connectwise/service/tickets/",
        f"{TENANT}/raw/connectwise/company/contacts/",
        f"{TENANT}/canonical/tickets/_delta_log/",
        f"{TENANT}/canonical/time_entries/",
        "mappings/canonical/companies.json",
        "mappings/integrations/connectwise_endpoints.json",
        "mappings/backfill_config.json",
    )
    for part in parts:
        expect(part in done.out, f"{part} is not in the lake", done)


def holds(count: int, *keys: str) -> Check:
    """The table has so many items with these attributes, the tenant's among them."""

    def check(_: World, done: Done) -> None:
        items = json_of(done)["Items"]
        expect(len(items) >= count, f"{len(items)} items, {count} or more are expected")
        expect(all(set(keys) <= set(item) for item in items), f"an item lacks one of {keys}")
        tenants = {item["tenant_id"]["S"] for item in items}
        expect(TENANT in tenants, f"no item of {TENANT}")

    return check


def one_tenant(_: World, done: Done) -> None:
    """It is the tenant's item, without a credential."""
    item = json_of(done)["Item"]
    expect(item["tenant_id"]["S"] == TENANT and item["service"]["S"] == "connectwise", f"another item: {item}")
    expect("private" not in json.dumps(item), "the item holds a credential")


def has_the_secret(_: World, done: Done) -> None:
    """The tenant has exactly its one secret."""
    names = [secret["Name"] for secret in json_of(done)["SecretList"]]
    expect(names == [f"{TENANT}/connectwise-dev"], f"secrets: {names}")


def has_widgets(_: World, done: Done) -> None:
    """The dashboard shows something."""
    body = json.loads(json_of(done)["DashboardBody"])
    expect(len(body["widgets"]) > 1, "the dashboard is empty")


def lists_stacks(_: World, done: Done) -> None:
    """All three stacks of dev are there."""
    names = {stack["StackName"] for stack in json_of(done)["StackSummaries"]}
    expect({f"{base}-dev" for base in STACKS} <= names, f"stacks: {names}")


def gone(*bases: str) -> Check:
    """The stacks are gone; bucket and tables are not."""

    def check(world: World, done: Done) -> None:
        check_succeeded(done)
        found = world.run(
            "aws cloudformation list-stacks --stack-status-filter CREATE_COMPLETE UPDATE_COMPLETE --region us-east-2"
        )
        names = {stack["StackName"] for stack in json_of(found)["StackSummaries"]}
        expect(not names & {f"{base}-dev" for base in bases}, f"still there: {names}", done)
        kept = world.run("aws s3 ls s3://data-storage-msp-dev/ --recursive --region us-east-2")
        expect("mappings/backfill_config.json" in kept.out, "the bucket did not stay", kept)
        rows = world.run("aws dynamodb scan --table-name LastUpdated-dev --region us-east-2")
        expect(json_of(rows)["Items"], "the tables did not stay")

    return check


def is_set(name: str, profile: str, value: str) -> Check:
    """The profile has the setting."""

    def check(world: World, done: Done) -> None:
        check_succeeded(done)
        found = world.run(f"aws configure get {name} --profile {profile}")
        expect(found.out.strip() == world.filled(value), f"{name} is not set", found)

    return check


def assumed(world: World, done: Done) -> None:
    """Production is worked on as the role. Asked with boto3: Debian's AWS CLI takes on roles at AWS itself only."""
    check_succeeded(done)
    found = world.run(f'python -c "{_WHO_IS_PRODUCTION}"')
    check_succeeded(found)
    expect(f":{PRODUCTION}:assumed-role/DeploymentRole/" in found.out, "production is worked on as another", found)


def signs_in(name: str, account: str) -> Check:
    """The profile signs in to that account."""

    def check(world: World, done: Done) -> None:
        check_succeeded(done)
        found = world.run(f"aws sts get-caller-identity --profile {name}")
        expect(json_of(found)["Account"] == account, f"profile {name} is of another account", found)

    return check
