"""What each command of the guide is held to: one entry a command, in words for the guide's table and as a proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rehearsal import proofs
from rehearsal.emulator import ACCOUNT, REGION
from rehearsal.proofs import DESCRIBE, STACKS, Check
from rehearsal.world import PRODUCTION

_DEV: Final = "AdministratorAccess-YOUR_DEV_ACCOUNT_ID"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One command's promise."""

    how: str
    """For the guide's table: what is asserted."""
    check: Check
    typed: str = ""
    is_followed: bool = False
    """It does not end by itself."""
    is_confirmed: bool = False
    """It asks on a terminal, and is told yes."""


def _profile(name: str, key: str) -> Outcome:
    account = key if key.isdigit() else ACCOUNT
    how = "typed in as it asks; the profile then signs in to its account"
    return Outcome(how, proofs.signs_in(name, account), f"{key}\nsecret\n{REGION}\njson\n")


_DEPLOYED_DEV: Final = Outcome(
    "stacks, tables, functions, state machines, mappings and the dashboard are there",
    proofs.deployed("-dev", "dev"),
)
_SECRETS: Final = Outcome("exactly the tenant's secret", proofs.has_the_secret)
_TENANTS: Final = Outcome("the tenant is registered", proofs.holds(1, "tenant_id", "service"))
_STARTED: Final = Outcome("an execution starts", proofs.started)
_LOG: Final = Outcome("a line of the function's log appears; then it is ended", proofs.logged, is_followed=True)
_LAKE: Final = Outcome("raw parts, canonical tables and mappings lie where the guide says", proofs.lists_the_lake)
_SET: Final = Outcome("the shell has it; its value is the simulator's", proofs.succeeded)
_START: Final = (
    "aws stepfunctions start-execution --state-machine-arn "
    '"arn:aws:states:us-east-2:ACCOUNT:stateMachine:PipelineOrchestrator-dev" '
    """--input '{"tenant_id": "{tenant-id}", "table_name": "service/tickets"}'"""
)
_SETUP: Final = 'python scripts/setup-service.py --tenant-id "{tenant-id}" --company-name'
_SCAN: Final = "aws dynamodb scan --table-name"
_LIST_SECRETS: Final = "aws secretsmanager list-secrets --filters Key=name,Values={tenant-id}/"

OUTCOMES: Final[dict[str, Outcome]] = {
    "git clone <repository-url>": Outcome("a clone of this checkout, uncommitted work included", proofs.cloned),
    "cd avesa": Outcome("the folder is there", proofs.succeeded),
    "pip install -r requirements.txt": Outcome("in an environment of its own; then `avesa` runs", proofs.installed),
    "./scripts/deploy.sh --environment dev": _DEPLOYED_DEV,
    "./scripts/deploy.sh --environment staging": Outcome(
        "refused while another account has the bucket's name, with nothing created; then deployed beside dev",
        proofs.deployed("-staging", "staging"),
    ),
    "./scripts/deploy.sh --environment prod": Outcome(
        "refused without its profile; then, in an account of its own, names have no suffix", proofs.deployed("", "prod")
    ),
    "./scripts/deploy.sh --environment dev --region us-east-2": Outcome(
        "after a changed commit: the functions answer with the new version", proofs.deployed("-dev", "dev")
    ),
    f'{_SETUP} "Test Company" --service connectwise --environment dev --region us-east-2': Outcome(
        "credentials from the variables, tested on every table, none printed", proofs.set_up
    ),
    "python scripts/test-lambda-functions.py --environment dev --region us-east-2 --verbose": Outcome(
        "all eight functions answer", proofs.functions_answer
    ),
    "python scripts/test-end-to-end-pipeline.py --environment dev --region us-east-2": Outcome(
        "a whole run completes; source, lake, records of the run and tables agree", proofs.pipeline_works
    ),
    _START: _STARTED,
    f"{_START} --region us-east-2": _STARTED,
    f"{DESCRIBE} --region us-east-2": Outcome(
        "it succeeds, and its output says that the run completed", proofs.described
    ),
    "aws lambda invoke --function-name avesa-pipeline-orchestrator-dev "
    """--payload '{"tenant_id": "{tenant-id}"}' --cli-binary-format raw-in-base64-out """
    "response.json --region us-east-2": Outcome("it answers job_id and execution_arn", proofs.answered_with_job),
    "aws logs tail /aws/lambda/avesa-pipeline-orchestrator-dev --follow --region us-east-2": _LOG,
    "aws logs tail /aws/lambda/avesa-tenant-processor-dev --follow --region us-east-2": _LOG,
    "aws s3 ls s3://data-storage-msp-dev/ --recursive --region us-east-2": _LAKE,
    f"{_SCAN} TenantServices-dev --region us-east-2": _TENANTS,
    f"{_SCAN} LastUpdated-dev --region us-east-2": Outcome(
        "each of the four tables has its item", proofs.holds(4, "tenant_id", "table_name")
    ),
    f"{_SCAN} ProcessingJobs-dev --region us-east-2": Outcome("runs are there", proofs.holds(2, "tenant_id", "job_id")),
    f"{_SCAN} ChunkProgress-dev --region us-east-2": Outcome(
        "each chunk has its item, and each item ends by itself", proofs.holds(4, "tenant_id", "chunk_id", "expires_at")
    ),
    f"{_LIST_SECRETS} --region us-east-2": _SECRETS,
    'aws cloudwatch get-dashboard --dashboard-name "AVESA-Pipeline-Overview-dev" --region us-east-2': Outcome(
        "it has widgets", proofs.has_widgets
    ),
    "./scripts/deploy.sh --environment prod --region us-west-2": Outcome(
        "refused: the bucket is in another region; with AVESA_BUCKET_PREFIX it deploys", proofs.deployed("", "prod")
    ),
    "./scripts/deploy.sh -e staging -p my-aws-profile": Outcome(
        "the short options; the profile's credentials are used", proofs.deployed("-staging", "staging")
    ),
    f'{_SETUP} "Example Company" --service connectwise --environment dev': Outcome(
        "refused without credentials, and they are named; with them it is set up again", proofs.set_up
    ),
    'export CONNECTWISE_COMPANY_ID="YourCompanyID"': _SET,
    'export CONNECTWISE_PUBLIC_KEY="your-public-key"': _SET,
    'export CONNECTWISE_PRIVATE_KEY="your-private-key"': _SET,
    'export CONNECTWISE_CLIENT_ID="your-client-id"': _SET,
    'export CONNECTWISE_API_BASE_URL="https://api-na.myconnectwise.net"': _SET,
    f"aws configure set cli_binary_format raw-in-base64-out --profile {_DEV}": Outcome(
        "the profile has it", proofs.is_set("cli_binary_format", _DEV, "raw-in-base64-out")
    ),
    "aws lambda invoke --function-name avesa-connectwise-ingestion-dev "
    f"""--payload '{{"tenant_id": "{{tenant-id}}"}}' response.json --profile {_DEV}""": Outcome(
        "it answers the run's result, or its job id when that takes long", proofs.ran_one_tenant
    ),
    f"aws logs tail /aws/lambda/avesa-connectwise-ingestion-dev --follow --profile {_DEV}": _LOG,
    f"aws s3 ls s3://data-storage-msp-dev/ --recursive --profile {_DEV}": _LAKE,
    f"{_SCAN} TenantServices-dev --profile {_DEV}": _TENANTS,
    "aws dynamodb get-item --table-name TenantServices-dev "
    f"""--key '{{"tenant_id":{{"S":"{{tenant-id}}"}},"service":{{"S":"connectwise"}}}}' --profile {_DEV}""": Outcome(
        "the tenant's item, without a credential in it", proofs.one_tenant
    ),
    f"{_LIST_SECRETS} --profile {_DEV}": _SECRETS,
    f"aws cloudformation list-stacks --stack-status-filter CREATE_COMPLETE UPDATE_COMPLETE --profile {_DEV}": Outcome(
        "all three stacks of dev", proofs.lists_stacks
    ),
    "cd infrastructure": Outcome("the folder is there", proofs.succeeded),
    'cdk deploy --app "python app.py" --context environment=dev --all --region us-east-2': Outcome(
        "brings destroyed functions and monitoring back", proofs.succeeded
    ),
    "cdk destroy --context environment=dev --all": Outcome(
        "no stack is left; bucket and tables are", proofs.gone(*STACKS), is_confirmed=True
    ),
    "cdk destroy AVESADataPipeline-dev": Outcome(
        "the stack is gone; bucket and tables are not", proofs.gone("AVESADataPipeline"), is_confirmed=True
    ),
    "cdk destroy AVESAMonitoring-dev": Outcome("the stack is gone", proofs.gone("AVESAMonitoring"), is_confirmed=True),
    "git checkout <previous-commit>": Outcome("the checkout is the commit before the change", proofs.succeeded),
    "./scripts/deploy.sh --environment dev --profile my-custom-profile": Outcome(
        "refused while it is not configured; then deployed with it", proofs.deployed("-dev", "dev")
    ),
    f"aws configure --profile {_DEV}": _profile(f"AdministratorAccess-{ACCOUNT}", "test"),
    "aws configure --profile my-dev-profile": _profile("my-dev-profile", "test"),
    "./scripts/deploy.sh --environment dev --profile my-dev-profile": Outcome(
        "takes back what a destroyed stack left: the old rows answer a query", proofs.deployed("-dev", "dev")
    ),
    "aws configure --profile avesa-production": _profile("avesa-production", PRODUCTION),
    "aws configure set role_arn arn:aws:iam::YOUR_PRODUCTION_ACCOUNT_ID:role/DeploymentRole --profile avesa-production":
    Outcome(
        "the profile has it",
        proofs.is_set("role_arn", "avesa-production", "arn:aws:iam::YOUR_PRODUCTION_ACCOUNT_ID:role/DeploymentRole"),
    ),
    f"aws configure set source_profile {_DEV} --profile avesa-production": Outcome(
        "with both, the profile works in production's account as that role", proofs.assumed
    ),
}  # fmt: skip


def table() -> str:
    """Return the guide's table of commands and what they are held to."""
    rows = [f"| `{command}` | {outcome.how} |" for command, outcome in OUTCOMES.items()]
    return "\n".join(["| command | held to |", "|---|---|", *rows, ""])
