"""Packages a checkout, and brings an assembly into an account: whole, the functions' code alone, or all but it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from avesa.bootstrap.account import upload_mappings
from avesa.bootstrap.releases import open_release_store
from avesa.domain.deployments import Components, Part
from avesa.domain.errors import AvesaError
from avesa.entrypoints.deployment.assembly import (
    MADE,
    lay_out,
    read_template,
    release_files,
    replace_template,
    with_code_of,
)
from avesa.entrypoints.deployment.cdk import run_cdk
from avesa.entrypoints.deployment.checks import STACKS, account_variable
from avesa.entrypoints.deployment.telling import say
from avesa.entrypoints.deployment.tools import INFRASTRUCTURE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.bootstrap.account import Site
    from avesa.domain.names import Environment

ASSEMBLY = INFRASTRUCTURE / "cdk.out"
_FUNCTIONS_STACK = STACKS[1]


def package(environment: Environment, account: str, region: str, variables: Mapping[str, str]) -> None:
    """Synthesize into `infrastructure/cdk.out`; packages made before are kept, templates made before are not.

    It needs no credentials, and gives none to what it starts.
    """
    for pattern in MADE:
        for stale in list(ASSEMBLY.glob(pattern)):
            stale.unlink()
    context = ["--context", f"environment={environment.value}"]
    arguments = ["synth", "--quiet", "--no-notices", "--output", str(ASSEMBLY), *context]
    run_cdk(arguments, cdk_variables(environment, account, region, variables), bootstrap=_bootstrap(account, region))


def bring(site: Site, account: str, components: Components, assembly: Path, mappings: Mapping[str, bytes]) -> None:
    """Bring an assembly into the account. Raises AvesaError that says what to do; calling again goes on."""
    variables = cdk_variables(site.environment, account, site.region, site.variables)
    target = f"aws://{account}/{site.region}"
    if site.account.is_bootstrapped():
        say(f"{target} is bootstrapped")
    else:
        run_cdk(["bootstrap", target, "--no-notices"], variables, bootstrap=_bootstrap(account, site.region))
    with tempfile.TemporaryDirectory(prefix="avesa-assembly-") as folder:
        chosen, stacks = _chosen(site, components, assembly, Path(folder, "assembly"))
        deploying = ["deploy", *stacks, "--app", str(chosen), "--require-approval", "never", "--progress", "events"]
        run_cdk(
            [*deploying, "--import-existing-resources", "--no-notices"],
            variables,
            bootstrap=_bootstrap(account, site.region),
        )
    if Part.INFRASTRUCTURE in components.parts:
        say(f"{upload_mappings(site, mappings)} files are in s3://{site.settings.bucket}/mappings/")


def keep(site: Site, release_id: str, assembly: Path, mappings: Mapping[str, bytes]) -> None:
    """Keep what was deployed, so that it can be deployed again."""
    store = open_release_store(site.settings)
    store.releases.keep(release_id, release_files(assembly, mappings))
    say(f"release {release_id} is kept in s3://{store.bucket}/releases/")


def fetch(site: Site, release_id: str, folder: Path) -> Mapping[str, bytes]:
    """Write a kept release's assembly into `folder`, every file as it was kept, and return its mappings."""
    return lay_out(open_release_store(site.settings).releases.files(release_id), folder)


def cdk_variables(environment: Environment, account: str, region: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what the CDK's command is told."""
    return {
        **variables,
        # The CDK's command tells the app its own idea of the region, which it takes from these.
        **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION", "CDK_DEFAULT_REGION"), region),
        account_variable(environment): account,
        # app.py is to run on the Python that has the CDK: this one.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), variables.get("PATH", "")]),
    }


def _chosen(site: Site, components: Components, assembly: Path, folder: Path) -> tuple[Path, list[str]]:
    """Return the assembly that brings these components, and which of its stacks to deploy."""
    if components is Components.ALL:
        return assembly, ["--all"]
    stack = f"{_FUNCTIONS_STACK}{site.environment.suffix}"
    packaged, deployed = read_template(assembly, stack), site.account.template(stack)
    if components is Components.INFRASTRUCTURE_ONLY:
        if deployed is None:
            say("no function is deployed yet: they come with the code of this package")
            return assembly, ["--all"]
        replace_template(assembly, folder, stack, with_code_of(packaged, deployed))
        return folder, ["--all"]
    if deployed is None:
        raise AvesaError(f"stack {stack} is not there, so there is no function to bring code to: deploy `all` first")
    replace_template(assembly, folder, stack, with_code_of(deployed, packaged))
    return folder, [stack, "--exclusively"]


def _bootstrap(account: str, region: str) -> str:
    return f"cdk bootstrap aws://{account}/{region}"
