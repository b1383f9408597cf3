"""What must hold before anything is created: the right account, a free or own bucket name, stacks that are at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.domain.errors import AvesaError
from avesa.domain.names import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.adapters.aws.account import Account, Caller

STACKS: Final = ("AVESADataPipeline", "AVESAPerformanceOptimization", "AVESAMonitoring")
PREFIX_VARIABLE: Final = "AVESA_BUCKET_PREFIX"
_LAKE: Final = "Lake"
_STUCK: Final = {
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --stack-name {name} --region {region}",
    "ROLLBACK_FAILED": "aws cloudformation delete-stack --stack-name {name} --region {region} (its data is retained)",
    "DELETE_FAILED": "aws cloudformation delete-stack --stack-name {name} --region {region} (its data is retained)",
}


def account_variable(environment: Environment) -> str:
    """Return the variable that names the environment's account."""
    return "CDK_PROD_ACCOUNT" if environment is Environment.PROD else "CDK_DEFAULT_ACCOUNT"


def check_account(environment: Environment, account: Account, caller: Caller, variables: Mapping[str, str]) -> None:
    """Raise AvesaError for the wrong account: another one than the variable names, or one that production shares."""
    variable = account_variable(environment)
    expected = variables.get(variable)
    if expected and expected != caller.account:
        raise AvesaError(
            f"these credentials are of account {caller.account} ({caller.arn}), {environment.value} belongs into "
            f"account {expected} ({variable}): choose the right profile with --profile, or mend {variable}"
        )
    is_production = environment is Environment.PROD
    others = (Environment.DEV, Environment.STAGING) if is_production else (Environment.PROD,)
    for other in others:
        name = f"{STACKS[0]}{other.suffix}"
        if account.stack_status(name) is not None:
            raise AvesaError(
                f"account {caller.account} holds the environment {other.value} (stack {name}), and production has an "
                f"account of its own: choose the right profile for {environment.value} with --profile"
            )


def check_bucket(environment: Environment, account: Account, bucket: str) -> str:
    """Return what is known of the lake's bucket. Raises AvesaError, before anything is created, for a name that
    another account has, a bucket in another region, and an environment whose lake has another name.
    """
    stack = f"{STACKS[0]}{environment.suffix}"
    deployed = account.physical_id(stack, _LAKE) if account.stack_status(stack) is not None else None
    if deployed is not None and deployed != bucket:
        before = deployed.removesuffix(environment.lake_name).rstrip("-") or "nothing"
        raise AvesaError(
            f"the lake of {environment.value} is the bucket {deployed}, and this call would make {bucket} beside it: "
            f"set {PREFIX_VARIABLE} to what it was ({before})"
        )
    return check_name(account, bucket)


def check_name(account: Account, bucket: str) -> str:
    """Return whether a bucket's name is free or ours. Raises AvesaError for one of another account or region."""
    is_own = account.owns_bucket(bucket)
    if is_own is False:
        raise AvesaError(
            f"the bucket name {bucket} is taken by another AWS account; the whole world shares names of buckets. "
            f"Choose a prefix of your own, such as your company's name: {PREFIX_VARIABLE}=acme makes it acme-"
            f"{bucket}. Set it for every later call too. Nothing was created"
        )
    if is_own and account.bucket_region(bucket) != account.region:
        raise AvesaError(
            f"the bucket {bucket} of this account is in {account.bucket_region(bucket)}, not in {account.region}: call "
            f"with that region, or set {PREFIX_VARIABLE} for a second environment there. Nothing was created"
        )
    return "is there, and is kept" if is_own else "is free"


def check_stacks(environment: Environment, account: Account) -> None:
    """Raise AvesaError for stacks that nobody can deploy to now. A half-failed creation or update is no obstacle."""
    for base in STACKS:
        name = f"{base}{environment.suffix}"
        status = account.stack_status(name)
        if status in _STUCK:
            remedy = _STUCK[status].format(name=name, region=account.region)
            raise AvesaError(f"stack {name} is {status}; bring it to rest first: {remedy}; then call this again")
        if status is not None and status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise AvesaError(
                f"stack {name} is {status}: another deployment is under way. Wait for its end, then call this again"
            )
