"""Runs the CDK's own command, shows what it says as it says it, and tells its known failures with their mend."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import AvesaError
from avesa.entrypoints.deployment.tools import INFRASTRUCTURE, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MENDS: Final[tuple[tuple[str, str], ...]] = (
    ("uses assets, so the toolkit stack must be deployed", "the region is not bootstrapped for the CDK: {bootstrap}"),
    ("Has the environment been bootstrapped", "the region is not bootstrapped for the CDK: {bootstrap}"),
    (
        "is not authorized to perform",
        (
            "these credentials may not do what a deployment does (it creates roles, functions, tables, a bucket): use "
            "a profile with more rights (--profile NAME), such as one of AdministratorAccess"
        ),
    ),
    ("AccessDenied", "these credentials lack a right that the deployment needs: use another profile (--profile NAME)"),
    ("ExpiredToken", "the credentials have expired: sign in again (aws sso login --profile NAME)"),
    ("security token included in the request is", "AWS does not know these credentials: sign in again"),
    (
        "ROLLBACK_FAILED",
        "a stack could not go back to its former state: aws cloudformation continue-update-rollback --stack-name NAME",
    ),
    ("Cloud assembly schema version mismatch", "this CDK CLI does not fit: npm install -g aws-cdk@2"),
    (
        "pip could not fill",
        "a Lambda package could not be made: look at pip's words above; it needs the package index or its cache",
    ),
)
_KEPT_CHARACTERS: Final = 20_000


def run_cdk(arguments: Sequence[str], variables: Mapping[str, str], *, bootstrap: str) -> None:
    """Run `cdk`. Raises AvesaError with the mend; calling the same deployment again goes on."""
    command = ["cdk", *arguments]
    # Beside cdk.json the app would be synthesized, which bootstrapping has no use for.
    folder = ROOT if arguments[0] == "bootstrap" else INFRASTRUCTURE
    process = subprocess.Popen(  # noqa: S603 - the user's CDK, arguments made here
        command,
        cwd=folder,
        env=dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said = ""
    for line in process.stdout or ():
        sys.stdout.write(line)
        sys.stdout.flush()
        said = (said + line)[-_KEPT_CHARACTERS:]
    if process.wait() != 0:
        raise AvesaError(f"`cdk {arguments[0]}` failed with exit status {process.returncode}. {mend(said, bootstrap)}")


def mend(said: str, bootstrap: str) -> str:
    """Return what to do about a failure of which the CDK said this."""
    advice = [words.format(bootstrap=bootstrap) for sign, words in MENDS if sign in said]
    first = advice[0] if advice else "its own words are above: mend the cause"
    return f"{first[0].upper()}{first[1:]}. Then call the same command again: it goes on from here."
