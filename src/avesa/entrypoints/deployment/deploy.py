"""Deploys one environment. Every step may be done again: a call after a failed one goes on where that one ended."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from avesa.bootstrap.account import open_site, upload_mappings
from avesa.entrypoints.deployment.cdk import run_cdk
from avesa.entrypoints.deployment.checks import account_variable, check_account, check_bucket, check_stacks
from avesa.entrypoints.deployment.tools import INFRASTRUCTURE, check_tools
from avesa.entrypoints.deployment.validation import validate

if TYPE_CHECKING:
    from avesa.adapters.aws.account import Caller
    from avesa.bootstrap.account import Site
    from avesa.domain.names import Environment

_STEPS = 6


def deploy(environment: Environment, *, region: str, profile: str | None) -> None:
    """Bring the environment to what this checkout says. Raises AvesaError that says what to do."""
    step(1, "prerequisites")
    check_tools(os.environ)
    step(2, "account and names")
    site = open_site(environment, region=region, profile=profile)
    caller = _checked(site)
    variables = {
        **site.variables,
        account_variable(environment): caller.account,
        # app.py is to run on the Python that has the CDK: this one.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), site.variables.get("PATH", "")]),
    }
    for name in ("AWS_PROFILE", "CDK_DEFAULT_REGION", account_variable(environment)):
        say(f"{name}={variables.get(name, '(not set: the credentials come from the environment)')}")
    target = f"aws://{caller.account}/{region}"
    step(3, "CDK bootstrap")
    if site.account.is_bootstrapped():
        say(f"{target} is bootstrapped")
    else:
        run_cdk(["bootstrap", target, "--no-notices"], variables, bootstrap=f"cdk bootstrap {target}")
    step(4, "infrastructure")
    _deploy_stacks(site, variables, target)
    step(5, "mappings")
    say(f"{upload_mappings(site)} files are in s3://{site.settings.bucket}/mappings/")
    step(6, "validation")
    for line in validate(site):
        say(line)
    say("")
    say(f"{environment.value} is deployed. Set a tenant up next:")
    say(
        f"python scripts/setup-service.py --tenant-id ID --company-name NAME --service connectwise "
        f"--environment {environment.value} --region {region}"
    )


def _checked(site: Site) -> Caller:
    caller = site.account.caller()
    say(f"signed in as {caller.arn}, region {site.region}")
    check_account(site.environment, site.account, caller, os.environ)
    known = check_bucket(site.environment, site.account, site.settings.bucket)
    say(f"the bucket {site.settings.bucket} {known}")
    check_stacks(site.environment, site.account)
    return caller


def _deploy_stacks(site: Site, variables: dict[str, str], target: str) -> None:
    """Synthesize once, then deploy that; packages made before are kept, templates made before are not."""
    out = INFRASTRUCTURE / "cdk.out"
    for template in out.glob("*.template.json"):
        template.unlink()
    bootstrap = f"cdk bootstrap {target}"
    context = ["--context", f"environment={site.environment.value}"]
    run_cdk(["synth", "--quiet", "--no-notices", "--output", "cdk.out", *context], variables, bootstrap=bootstrap)
    deploying = ["deploy", "--all", "--app", "cdk.out", "--require-approval", "never", "--import-existing-resources"]
    run_cdk([*deploying, "--progress", "events", "--no-notices"], variables, bootstrap=bootstrap)


def step(number: int, name: str) -> None:
    """Say which part begins."""
    width = min(shutil.get_terminal_size().columns, 100)
    print(f"\n[{number}/{_STEPS}] {name} ".ljust(width, "-"), flush=True)


def say(text: str) -> None:
    """Say what was found or done."""
    print(text, flush=True)
