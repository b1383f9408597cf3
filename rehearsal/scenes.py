"""The order of a rehearsal: each scene carries out commands of the guide, and what must go wrong around them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from rehearsal.emulator import ACCOUNT
from rehearsal.leaks import nothing_leaked
from rehearsal.outcomes import OUTCOMES
from rehearsal.proofs import DESCRIBE, expect
from rehearsal.world import PRODUCTION, TENANT, Done, OutcomeError, World, change_origin, seconds_since

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

_DEV: Final = "AdministratorAccess-YOUR_DEV_ACCOUNT_ID"
_DESCRIBE: Final = f"{DESCRIBE} --region us-east-2"
_ROLE: Final = "arn:aws:iam::YOUR_PRODUCTION_ACCOUNT_ID:role/DeploymentRole"
_HALF_A_DEPLOYMENT: Final = """
setsid ./scripts/deploy.sh --environment dev > half.log 2>&1 & deployment=$!
until aws cloudformation describe-stacks --stack-name AVESADataPipeline-dev > /dev/null 2>&1; do
    kill -0 $deployment || { cat half.log >&2; exit 1; }
done
kill -9 -- -$deployment
""".strip()
TABLES: Final = ("tickets", "time_entries", "companies", "contacts")


class Stage:
    """Carries commands out, says how long each took, and remembers which of the guide's were seen."""

    def __init__(self, world: World, tell: Callable[[str], None], packages_are_made: Event) -> None:
        self.world = world
        self.seen: set[str] = set()
        self.packages_are_made = packages_are_made
        self._tell = tell

    def rehearse(self, *commands: str) -> None:
        """Carry out commands of the guide in one shell, and hold each to its outcome. Then leave the shell."""
        for command in commands:
            outcome = OUTCOMES[command]
            started = time.monotonic()
            try:
                outcome.check(self.world, self._carried_out(command))
            except OutcomeError as error:
                raise OutcomeError(f"$ {self.world.filled(command)}\n{error}") from None
            self.seen.add(command)
            self._tell(f"ok  {seconds_since(started):>8}  {command}")
        self.world.leave()

    def _carried_out(self, command: str) -> Done:
        outcome = OUTCOMES[command]
        if outcome.is_followed:
            return self.world.follow(command)
        if outcome.is_confirmed:
            return self.world.confirm(command)
        return self.world.run(command, typed=outcome.typed)

    def refused(self, command: str, *words: str) -> Done:
        """Carry out a command that must fail, and say why in these words."""
        started = time.monotonic()
        done = self.world.run(command)
        expect(done.status != 0, f"$ {command}\nit was to be refused", done)
        for word in words:
            expect(word in done.err, f"$ {command}\nit does not say {word!r}", done)
        self._tell(f"ok  {seconds_since(started):>8}  refused as it should be: {command}")
        return done

    def does(self, command: str, **how: Any) -> Done:  # noqa: ANN401 - World.run's options
        """Carry out a command that is not the guide's and must succeed."""
        started = time.monotonic()
        done = self.world.run(command, **how)
        expect(done.status == 0, f"$ {command}\nit ended with exit status {done.status}", done)
        self._tell(f"    {seconds_since(started):>8}  {command}")
        return done

    def says(self, text: str) -> None:
        """Note what was found."""
        self._tell(f"ok            {text}")


def first_pass(stage: Stage) -> None:
    """Every command of the guide, on a machine with profiles."""
    beginning(stage)
    profiles(stage)
    stage.rehearse("./scripts/deploy.sh --environment dev")
    stage.packages_are_made.set()
    tenant(stage)
    functions(stage)
    runs_by_hand(stage)
    looking(stage)
    parity(stage)
    change_and_back(stage)
    destroy_and_return(stage)
    staging(stage)
    nothing_leaked(stage)
    production(stage)
    missed = set(OUTCOMES) - stage.seen
    expect(not missed, f"not rehearsed: {sorted(missed)}")


def second_pass(stage: Stage) -> None:
    """With policies enforced, and credentials from variables: deploy, set up, run, and look."""
    # Another pass makes the functions' packages.
    stage.packages_are_made.wait()
    beginning(stage)
    stage.world.take_packages()
    broken_off(stage)
    stage.rehearse("./scripts/deploy.sh --environment dev")
    own_source(stage)
    tenant(stage)
    functions(stage)
    parity(stage)
    by_input(stage)
    nothing_leaked(stage)


def beginning(stage: Stage) -> None:
    """A newcomer's first three commands."""
    stage.rehearse("git clone <repository-url>", "cd avesa", "pip install -r requirements.txt")


def broken_off(stage: Stage) -> None:
    """A deployment whose machine is switched off while the first stack is being made: the same command goes on."""
    stage.does(_HALF_A_DEPLOYMENT)
    made = stage.does("aws cloudformation list-stacks --query 'StackSummaries[].StackName' --output text").out.split()
    expect("AVESADataPipeline-dev" in made, f"it was ended before it had begun: {made}")
    expect("AVESAMonitoring-dev" not in made, f"it was ended after it had ended: {made}")


def profiles(stage: Stage) -> None:
    """Sign-in by profiles; what is said while one is missing."""
    stage.refused("./scripts/deploy.sh --environment prod", "AWS profile 'avesa-production' not configured")
    stage.refused("./scripts/deploy.sh --environment moon", "'dev', 'staging', 'prod'")
    without_cdk = 'PATH="$(dirname "$(command -v python)"):/usr/bin:/bin" ./scripts/deploy.sh --environment dev'
    stage.refused(without_cdk, "cdk is not installed", "npm install -g aws-cdk@2")
    stage.does("aws configure", typed="test\nsecret\nus-east-2\njson\n")
    stage.rehearse(f"aws configure --profile {_DEV}")
    stage.rehearse(f"aws configure set cli_binary_format raw-in-base64-out --profile {_DEV}")
    stage.refused(f"CDK_DEFAULT_ACCOUNT={PRODUCTION} ./scripts/deploy.sh --environment dev", f"account {ACCOUNT}")


def tenant(stage: Stage) -> None:
    """A tenant from variables, twice: first registered, then set up again."""
    second = next(name for name in OUTCOMES if "Example Company" in name)
    first = next(name for name in OUTCOMES if "Test Company" in name)
    stage.refused(second, "CONNECTWISE_PRIVATE_KEY")
    exports = [name for name in OUTCOMES if name.startswith("export ")]
    stage.rehearse(*exports, first)
    stage.rehearse(*exports, second)


def own_source(stage: Stage) -> None:
    """Before any tenant is set up, dev's own simulator is the source; afterwards its tenant rests."""
    tested = stage.does("python scripts/test-end-to-end-pipeline.py --environment dev --region us-east-2")
    for words in ("the environment's own source: ", "exactly the source's 200 records are current"):
        expect(words in tested.out, f"it does not say {words!r}", tested)
    paused = json.loads(stage.does("avesa status --environment dev --output json").out)
    expect('"is_enabled": true' not in json.dumps(paused), f"a tenant of a test is not paused: {paused}")


def functions(stage: Stage) -> None:
    """The two test programs."""
    stage.rehearse(
        "python scripts/test-lambda-functions.py --environment dev --region us-east-2 --verbose",
        "python scripts/test-end-to-end-pipeline.py --environment dev --region us-east-2",
    )


def runs_by_hand(stage: Stage) -> None:
    """Executions and functions that are started by hand, each followed to its end."""
    for start in [name for name in OUTCOMES if name.startswith("aws stepfunctions start-execution")]:
        stage.rehearse(start, _DESCRIBE)
    by_hand, one_tenant = [name for name in OUTCOMES if name.startswith("aws lambda invoke")]
    stage.rehearse(by_hand, _DESCRIBE)
    stage.rehearse(one_tenant)


def looking(stage: Stage) -> None:
    """Everything that only looks: logs, lake, tables, secrets, dashboard, stacks; and the same by `avesa`."""
    looks = ("aws logs", "aws s3", "aws dynamodb", "aws secretsmanager", "aws cloudwatch", "aws cloudformation")
    stage.rehearse(*(name for name in OUTCOMES if name.startswith(looks)))
    for command in ("status", "jobs"):
        found = stage.does(f"avesa {command} --environment dev --output json")
        expect(TENANT in found.out, f"avesa {command} shows no tenant", found)
    jobs = json.loads(stage.does("avesa jobs --environment dev --output json").out)["jobs"]
    stage.does(f"avesa job {jobs[0]['job_id']} --environment dev")
    stage.refused("avesa run --environment dev --tenant-id nobody", "unknown tenant 'nobody'")
    stage.refused("avesa status --environment staging", "Requested resource not found", "deploy the environment first")


def parity(stage: Stage) -> None:
    """The same source through this machine and through the deployed state machines: equal rows, before and after
    changes at the source.
    """
    world = stage.world
    home = f"--home {world.folder / 'local-home'}"
    setup = f'avesa setup-service --tenant-id {TENANT} --company-name "Here" --service connectwise {home}'
    stage.does(setup, more=world.credentials())
    stage.does(f"avesa run {home}")
    stage.does("avesa run --environment dev")
    _equal(stage, home, "after a full load")
    company = world.source.companies[0]["company_id"]
    for path in TABLES:
        world.source.change(company, path, inserts=4, edits=9, touches=3, deletes=2)
    stage.does(f"avesa run --detect-deletes {home}")
    stage.does("avesa run --detect-deletes --environment dev")
    _equal(stage, home, "after changes, new records and deletions")


def by_input(stage: Stage) -> None:
    """Rebuilding and backfilling are runs too, and change no row."""
    before = rows(stage, "--environment dev")
    stage.does("avesa rebuild --environment dev")
    _same_rows(stage, before, "a rebuild")
    stage.does("avesa backfill --since 2024-01-01 --until 2025-01-01 --environment dev --table-name contacts")
    _same_rows(stage, before, "a backfill")


def _equal(stage: Stage, home: str, when: str) -> None:
    here, there = rows(stage, home), rows(stage, "--environment dev")
    for table in TABLES:
        expect(here[table], f"{table} is empty on this machine")
        different = [pair for pair in zip(here[table], there[table], strict=False) if pair[0] != pair[1]]
        expect(
            len(here[table]) == len(there[table]),
            f"{table}: {len(here[table])} rows here, {len(there[table])} deployed",
        )
        expect(not different, f"{table}: {len(different)} rows differ, first {different[:1]}")
        stage.says(f"{len(here[table])} equal rows of {table} {when}")


def rows(stage: Stage, place: str) -> dict[str, list[str]]:
    """Return the tenant's rows by table, less what depends on when a run took place: `ingested_at`, and the moment at
    which a record was found missing.
    """
    missing = "CASE WHEN is_deleted THEN NULL ELSE valid_to END AS valid_to"
    kept = "SELECT '{0}' AS name, to_json(kept)::VARCHAR AS text FROM"
    kept += " (SELECT * EXCLUDE (ingested_at) REPLACE ({1}) FROM {0} WHERE tenant_id = '{2}') kept"
    tables = " UNION ALL ".join(kept.format(name, missing, TENANT) for name in TABLES)
    done = stage.world.run(f'avesa query "{tables}" --output json {place}')
    expect(done.status == 0, "the tables cannot be queried", done)
    found: dict[str, list[str]] = {name: [] for name in TABLES}
    for row in json.loads(done.out):
        found[row["name"]].append(row["text"])
    return {name: sorted(texts) for name, texts in found.items()}


def change_and_back(stage: Stage) -> None:
    """A changed commit is deployed, then the commit before it."""
    world = stage.world
    world.previous_commit = world.run("git rev-parse HEAD").out.strip()
    change_origin(world, "infrastructure/components/functions.py", "Closes a job's record", "Closes the job's record")
    stage.rehearse("./scripts/deploy.sh --environment dev --region us-east-2")
    expect(_description(stage).startswith("Closes the job's"), "the change was not deployed")
    stage.rehearse("git checkout <previous-commit>", "./scripts/deploy.sh --environment dev")
    expect(_description(stage).startswith("Closes a job's"), "the former commit was not deployed")


def _description(stage: Stage) -> str:
    told = stage.does("aws lambda get-function-configuration --function-name avesa-result-aggregator-dev")
    return str(json.loads(told.out)["Description"])


def destroy_and_return(stage: Stage) -> None:
    """Stacks go and come back; the rows that were loaded before still answer."""
    before = rows(stage, "--environment dev")
    stage.rehearse("cd infrastructure", "cdk destroy AVESAMonitoring-dev")
    stage.rehearse(
        "cd infrastructure", 'cdk deploy --app "python app.py" --context environment=dev --all --region us-east-2'
    )
    stage.does("aws cloudformation describe-stacks --stack-name AVESAMonitoring-dev --region us-east-2")
    stage.rehearse("cd infrastructure", "cdk destroy AVESADataPipeline-dev")
    stage.rehearse(
        "aws configure --profile my-dev-profile", "./scripts/deploy.sh --environment dev --profile my-dev-profile"
    )
    _same_rows(stage, before, "the destruction")
    stage.rehearse("cd infrastructure", "cdk destroy --context environment=dev --all")
    custom = "./scripts/deploy.sh --environment dev --profile my-custom-profile"
    stage.refused(custom, "AWS profile 'my-custom-profile' not configured")
    stage.does("aws configure --profile my-custom-profile", typed="test\nsecret\nus-east-2\njson\n")
    stage.rehearse(custom)
    _same_rows(stage, before, "the destruction")
    stage.does("avesa run --environment dev --table-name tickets")


def _same_rows(stage: Stage, before: dict[str, list[str]], what: str) -> None:
    after = rows(stage, "--environment dev")
    for table in TABLES:
        expect(before[table], f"{table} was empty before")
        expect(after[table] == before[table], f"{table} is not what it was before")
    stage.says(f"the rows from before {what} answer a query")


def staging(stage: Stage) -> None:
    """An environment whose bucket's name somebody else has, then not."""
    other = {"AWS_ACCESS_KEY_ID": "444444444444", "AWS_SECRET_ACCESS_KEY": "secret"}
    bucket = "data-storage-msp-staging"
    where = "--region us-east-2 --create-bucket-configuration LocationConstraint=us-east-2"
    stage.does(f"aws s3api create-bucket --bucket {bucket} {where}", more=other)
    stage.refused(
        "./scripts/deploy.sh --environment staging", f"the bucket name {bucket} is taken", "AVESA_BUCKET_PREFIX"
    )
    found = stage.does("aws cloudformation list-stacks --region us-east-2")
    expect("-staging" not in found.out, "something was created", found)
    stage.does(f"aws s3api delete-bucket --bucket {bucket} --region us-east-2", more=other)
    stage.rehearse("./scripts/deploy.sh --environment staging")
    stage.does("aws configure --profile my-aws-profile", typed="test\nsecret\nus-east-2\njson\n")
    stage.rehearse("./scripts/deploy.sh -e staging -p my-aws-profile")


def production(stage: Stage) -> None:
    """An account of its own, then a second region there, then a role instead of keys."""
    stage.rehearse("aws configure --profile avesa-production")
    stage.refused(f"./scripts/deploy.sh --environment prod --profile {_DEV}", "production has an account of its own")
    stage.rehearse("./scripts/deploy.sh --environment prod")
    west = "./scripts/deploy.sh --environment prod --region us-west-2"
    stage.refused(west, "is in us-east-2, not in us-west-2", "AVESA_BUCKET_PREFIX")
    stage.world.variables["AVESA_BUCKET_PREFIX"] = "west"
    stage.rehearse(west)
    del stage.world.variables["AVESA_BUCKET_PREFIX"]
    role(stage)


def role(stage: Stage) -> None:
    """Production by a role of its account instead of keys."""
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
            ],
        }
    )
    role = f"aws iam create-role --role-name DeploymentRole --assume-role-policy-document '{trust}'"
    stage.does(f"{role} --profile avesa-production")
    stage.rehearse(
        f"aws configure set role_arn {_ROLE} --profile avesa-production",
        f"aws configure set source_profile {_DEV} --profile avesa-production",
    )
