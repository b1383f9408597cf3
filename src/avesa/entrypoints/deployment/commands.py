"""The options of the guide's scripts, and one clear message and exit status for every ending."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from avesa.domain.deployments import Components
from avesa.domain.errors import AvesaError, UsageError
from avesa.domain.names import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")

DEFAULT_REGION: Final = "us-east-2"
STAGE_NAMES: Final = (
    "validate",
    "summary",
    "safety-checks",
    "package",
    "deploy-package",
    "verify",
    "test",
    "record",
    "notify",
)
_ENVIRONMENTS: Final = [Environment.DEV.value, Environment.STAGING.value, Environment.PROD.value]


def _sited(function: F) -> F:
    """Give the command the options by which every script finds its environment."""
    for option in (
        click.option(
            "-p",
            "--profile",
            metavar="PROFILE",
            help="AWS profile. Default: AWS_PROFILE or the credentials of the environment's variables; without them "
            "avesa-production for prod, the one AdministratorAccess-… profile or AWS's default elsewhere.",
        ),
        click.option("-r", "--region", default=DEFAULT_REGION, show_default=True, metavar="REGION", help="AWS region."),
        click.option(
            "-e",
            "--environment",
            required=True,
            type=click.Choice(_ENVIRONMENTS),
            help="Which environment.",
        ),
    ):
        function = option(function)
    return function


_COMPONENTS: Final = click.option(
    "--components",
    type=click.Choice([item.value for item in Components]),
    default=Components.ALL.value,
    show_default=True,
    help="infrastructure-only: all but the functions' code. lambdas-only: their code, and nothing else.",
)
_REASON: Final = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the deployment's record.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Deploy an environment on AWS, and test what is deployed."""


@cli.command()
@_sited
@_COMPONENTS
@_REASON
def deploy(environment: str, region: str, profile: str | None, components: str, reason: str) -> int:
    r"""Deploy an environment: check, package, bootstrap if needed, deploy the stacks and the mappings, validate.

    \b
    Examples:
      ./scripts/deploy.sh --environment dev
      ./scripts/deploy.sh --environment prod --region us-west-2
      ./scripts/deploy.sh -e staging -p my-aws-profile

    It may be called again at any time: what is as it should be stays, and a call after a failed one goes on. Nothing
    that holds data is ever deleted. AVESA_BUCKET_PREFIX puts a prefix before the buckets' names.
    """
    from avesa.entrypoints.deployment.deploy import deploy as deploy_environment

    deploy_environment(
        Environment(environment), region=region, profile=profile, components=Components(components), reason=reason
    )
    return 0


@cli.command()
@_sited
@click.option("--to", "release", default="", metavar="RELEASE", help="Default: the last good one before what is there.")
@click.option("--functions-only", is_flag=True, help="Only the functions' code goes back; all else stays.")
@_REASON
def rollback(
    environment: str, region: str, profile: str | None, release: str, reason: str, *, functions_only: bool
) -> int:
    r"""Deploy an earlier release again, exactly as it was kept; data, state and secrets stay as they are.

    \b
    Examples:
      ./scripts/rollback.sh --environment dev
      ./scripts/rollback.sh --environment prod --functions-only --reason "tickets fail since the last release"
      ./scripts/rollback.sh --environment dev --to 20261125T221428Z-0123456789ab

    `avesa deployments --environment dev` lists the releases.
    """
    from avesa.entrypoints.deployment.deploy import rollback as go_back

    go_back(
        Environment(environment),
        region=region,
        profile=profile,
        release=release,
        components=Components.LAMBDAS_ONLY if functions_only else Components.ALL,
        reason=reason,
    )
    return 0


@cli.command()
@click.argument("name", type=click.Choice(STAGE_NAMES), metavar="STAGE")
def stage(name: str) -> int:
    r"""Carry out one stage of a workflow's deployment, as its variables ask for.

    \b
    Stages, in order: validate, summary, safety-checks, package, deploy-package, verify, test, record, summary, notify.
    """
    from avesa.entrypoints.deployment.stages import STAGES

    STAGES[name](os.environ)
    return 0


@cli.command("test-lambda-functions")
@_sited
@click.option("-v", "--verbose", is_flag=True, help="Also show which steps each function has.")
def test_lambda_functions(environment: str, region: str, profile: str | None, *, verbose: bool) -> int:
    """Call every deployed function once, with an event that reads and writes nothing."""
    from avesa.bootstrap.account import open_site
    from avesa.entrypoints.deployment.functions import check_functions

    return check_functions(open_site(Environment(environment), region=region, profile=profile), is_verbose=verbose)


@cli.command("test-end-to-end-pipeline")
@_sited
@click.option(
    "--tenant-id",
    metavar="ID",
    help="Whose tables to load. Default: the first tenant that is enabled; in dev, where none is set up, one with "
    "made-up records, which the environment brings itself.",
)
@click.option("--own-source", is_flag=True, help="Take the made-up records, whoever else is set up (dev alone).")
@click.option("--table-name", metavar="NAME", help="Only this table. Default: all of them.")
def test_end_to_end_pipeline(
    environment: str,
    region: str,
    profile: str | None,
    tenant_id: str | None,
    table_name: str | None,
    *,
    own_source: bool,
) -> int:
    """Run the deployed pipeline for a tenant, and check every place where the run must have left something."""
    from avesa.bootstrap.account import open_site
    from avesa.entrypoints.deployment.end_to_end import check_pipeline

    if own_source and (tenant_id is not None or environment != Environment.DEV):
        raise UsageError("--own-source is for dev, which brings a tenant of its own: call it without --tenant-id")
    site = open_site(Environment(environment), region=region, profile=profile)
    return check_pipeline(site, tenant_id=tenant_id, table_name=table_name, brings_source=own_source)


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit status: 0 done, 1 failed, 2 the call was wrong, 130 interrupted."""
    try:
        status = cli.main(args=list(arguments), prog_name="avesa-deployment", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except AvesaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except click.Abort:
        print("interrupted; call the same command again to go on", file=sys.stderr)
        return 130
    return status if isinstance(status, int) else 0
