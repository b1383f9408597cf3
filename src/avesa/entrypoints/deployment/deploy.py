"""Deploys one environment by hand, or goes back. Every step may be done again: a call after a failed one goes on."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from avesa.bootstrap.account import checkout_mappings, open_site
from avesa.bootstrap.workflow import Request
from avesa.domain.deployments import Kind, release_before
from avesa.domain.errors import AvesaError
from avesa.entrypoints.deployment.record import keep_record, make_record, release_name
from avesa.entrypoints.deployment.release import ASSEMBLY, bring, fetch, keep, package
from avesa.entrypoints.deployment.safety import check_site, known_records
from avesa.entrypoints.deployment.telling import say, step
from avesa.entrypoints.deployment.tools import check_tools, checked_out_commit
from avesa.entrypoints.deployment.validation import validate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.adapters.aws.account import Caller
    from avesa.bootstrap.account import Site
    from avesa.domain.deployments import Components
    from avesa.domain.names import Environment

_DEPLOY_STEPS = 5
_ROLLBACK_STEPS = 4


def deploy(environment: Environment, *, region: str, profile: str | None, components: Components, reason: str) -> None:
    """Bring the environment to what this checkout says. Raises AvesaError that says what to do."""
    site, caller = _signed_in(environment, region, profile, steps=_DEPLOY_STEPS)
    commit = checked_out_commit()
    request = _by_hand(site, caller, components, reason or "deployed by hand", commit)
    release_id = release_name(site.clock.now(), commit)
    with _recorded(site, request, Kind.DEPLOYMENT, release_id):
        step(3, _DEPLOY_STEPS, "packages and templates")
        package(environment, caller.account, region, site.variables)
        step(4, _DEPLOY_STEPS, f"deployment of {components.value}")
        mappings = checkout_mappings()
        bring(site, caller.account, components, ASSEMBLY, mappings)
        keep(site, release_id, ASSEMBLY, mappings)
        _validated(site, _DEPLOY_STEPS)
    say("")
    say(f"{environment.value} is deployed. Set a tenant up next:")
    say(
        f"python scripts/setup-service.py --tenant-id ID --company-name NAME --service connectwise "
        f"--environment {environment.value} --region {region}"
    )


def rollback(
    environment: Environment, *, region: str, profile: str | None, release: str, components: Components, reason: str
) -> None:
    """Deploy a kept release again: the one named, or the last good one before what is there now. No data goes back."""
    site, caller = _signed_in(environment, region, profile, steps=_ROLLBACK_STEPS)
    records = known_records(site)
    release_id = release or release_before(records, components)
    commit = next((item.commit for item in reversed(records) if item.release_id == release_id), "")
    request = _by_hand(site, caller, components, reason or f"back to release {release_id}", commit)
    with tempfile.TemporaryDirectory(prefix="avesa-release-") as folder:
        mappings = fetch(site, release_id, Path(folder))
        with _recorded(site, request, Kind.ROLLBACK, release_id):
            step(3, _ROLLBACK_STEPS, f"{components.value} of release {release_id}")
            bring(site, caller.account, components, Path(folder), mappings)
            _validated(site, _ROLLBACK_STEPS)
    say("")
    say(f"{components.value} of {environment.value} is release {release_id} again. Look at it: avesa status")


def _signed_in(environment: Environment, region: str, profile: str | None, *, steps: int) -> tuple[Site, Caller]:
    step(1, steps, "prerequisites")
    site = open_site(environment, region=region, profile=profile)
    check_tools(site.variables)
    step(2, steps, "account and names")
    return site, check_site(site, "")


def _validated(site: Site, steps: int) -> None:
    step(steps, steps, "validation")
    for line in validate(site):
        say(line)


def _by_hand(site: Site, caller: Caller, components: Components, reason: str, commit: str) -> Request:
    return Request(
        environment=site.environment,
        components=components,
        reason=reason,
        is_forced=False,
        actor=caller.arn,
        commit=commit,
        workflow_run="",
        account=caller.account,
        region=site.region,
    )


@contextmanager
def _recorded(site: Site, request: Request, kind: Kind, release_id: str) -> Iterator[None]:
    """Keep a record of what happens inside, however it ends."""
    started_at = site.clock.now()
    try:
        yield
    finally:
        raised = sys.exception()
        record = make_record(
            request,
            kind=kind,
            account=request.account,
            release_id=release_id,
            started_at=started_at,
            ended_at=site.clock.now(),
            error="" if raised is None else str(raised) or type(raised).__name__,
        )
        try:
            keep_record(site, record)
        except AvesaError as error:
            if raised is None:
                raise
            # What stopped the deployment is what is to be mended; it goes on to the caller.
            say(str(error))
