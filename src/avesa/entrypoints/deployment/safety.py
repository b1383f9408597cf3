"""What must hold before a deployment that was asked for may begin: identity, names, stacks at rest, no run under way,
and something to bring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.bootstrap.releases import open_release_store
from avesa.domain.deployments import is_unchanged
from avesa.domain.errors import AvesaError
from avesa.domain.names import releases_bucket
from avesa.entrypoints.deployment.checks import STACKS, check_account, check_bucket, check_name, check_stacks
from avesa.entrypoints.deployment.telling import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.adapters.aws.account import Account, Caller
    from avesa.bootstrap.account import Site
    from avesa.bootstrap.workflow import Request
    from avesa.domain.deployments import DeploymentRecord
    from avesa.ports.time import Clock

MACHINE: Final = "PipelineOrchestrator"
_LOOK_AGAIN_SECONDS: Final = 15.0


def check_site(site: Site, expected_account: str) -> Caller:
    """Return who is signed in. Raises AvesaError for another account than expected (empty: any), a bucket's name that
    is not ours, and stacks that nobody can deploy to.
    """
    caller = site.account.caller()
    say(f"signed in as {caller.arn}, region {site.region}")
    if expected_account and expected_account != caller.account:
        raise AvesaError(
            f"these credentials are of account {caller.account} ({caller.arn}); {site.environment.value} is to be "
            f"deployed to {expected_account}: mend the role that the workflow takes on, or AWS_ACCOUNT_ID"
        )
    check_account(site.environment, site.account, caller, site.variables)
    known = check_bucket(site.environment, site.account, site.settings.bucket)
    say(f"the bucket {site.settings.bucket} {known}")
    releases = releases_bucket(site.settings.bucket, site.environment)
    say(f"the bucket {releases} {check_name(site.account, releases)}")
    check_stacks(site.environment, site.account)
    return caller


def check_commit(request: Request, checked_out: str) -> None:
    """Raise AvesaError when what lies here is not what was asked for, or was changed since."""
    if checked_out != request.commit:
        raise AvesaError(
            f"the checkout is {checked_out or 'no commit'}, asked for is {request.commit}: deploy a clean checkout"
        )
    say(f"the checkout is commit {request.commit}")


def check_change(request: Request, records: Sequence[DeploymentRecord]) -> None:
    """Raise AvesaError when this commit is there already; `force_deploy` deploys it again."""
    if not is_unchanged(records, request.components, request.commit):
        say(f"{request.components.value} of commit {request.commit[:12]} is not deployed yet")
        return
    if not request.is_forced:
        raise AvesaError(
            f"nothing changed: {request.components.value} was last deployed from this very commit {request.commit}. "
            "Nothing was done; force_deploy deploys it again"
        )
    say("nothing changed since the last deployment; force_deploy was set: going on")


def await_runs(request: Request, account: Account, clock: Clock, *, most_seconds: float) -> None:
    """Wait until no run is under way. Raises AvesaError when one outlasts the time; `force_deploy` does not wait.

    Runs survive a deployment (what is durable stays, functions are compatible from one release to the next), so that
    to force is a matter of patience, not of data.
    """
    machine = f"{MACHINE}{request.environment.suffix}"
    deadline = clock.monotonic() + most_seconds
    while running := account.running_executions(machine):
        if request.is_forced:
            say(f"{len(running)} runs are under way; force_deploy was set: not waiting for them")
            return
        if clock.monotonic() >= deadline:
            raise AvesaError(
                f"{len(running)} runs are still under way after {most_seconds:.0f} s ({', '.join(running[:3])}): start "
                "this again later, or with force_deploy, which does not wait"
            )
        say(f"waiting for {len(running)} runs to end")
        clock.sleep(_LOOK_AGAIN_SECONDS)
    say("no run is under way")


def known_records(site: Site) -> list[DeploymentRecord]:
    """Return what was deployed before; nothing, where the bucket for it is not there yet."""
    if site.account.stack_status(f"{STACKS[0]}{site.environment.suffix}") is None:
        return []
    store = open_release_store(site.settings)
    return store.log.records() if site.account.owns_bucket(store.bucket) else []
