"""What a deployment was asked for, from the variables of a workflow's step: read once, every fault told at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from avesa.bootstrap.aws_settings import DEFAULT_REGION
from avesa.domain.deployments import Components
from avesa.domain.errors import UsageError
from avesa.domain.names import Environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONFIRMATION: Final = "DEPLOY TO PRODUCTION"
TARGETS: Final = {"production": Environment.PROD, "staging": Environment.STAGING, "dev": Environment.DEV}
"""Environments as a workflow's form has them."""
SHORTEST_REASON: Final = 10
LONGEST_REASON: Final = 500
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_ACTOR: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(\[bot\])?")
_ACCOUNT: Final = re.compile(r"\d{12}")
_FLAGS: Final = {"true": True, "false": False, "": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One deployment that is allowed to be tried."""

    environment: Environment
    components: Components
    reason: str
    is_forced: bool
    actor: str
    commit: str
    workflow_run: str
    """The address of the run; empty for a deployment by hand."""
    account: str
    """Where it must land; empty for a deployment by hand, which has the variables of deploy.sh for it."""
    region: str


def read_request(variables: Mapping[str, str]) -> Request:
    """Return what the variables ask for. Raises UsageError that lists everything wrong; nothing was done then.

    Production also needs the confirmation, letter by letter; no flag replaces it, nor the reason, nor who asks.
    """
    given = {name: variables.get(name, "").strip() for name in _NAMES}
    # As typed: a space too many is not what was asked for.
    given["DEPLOYMENT_CONFIRMATION"] = variables.get("DEPLOYMENT_CONFIRMATION", "")
    problems = list(_problems(given))
    if problems:
        raise UsageError("this deployment is refused:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return Request(
        environment=TARGETS[given["ENVIRONMENT_TARGET"]],
        components=Components(given["COMPONENTS_TO_DEPLOY"] or Components.ALL),
        reason=given["DEPLOYMENT_REASON"],
        is_forced=_FLAGS[given["FORCE_DEPLOY"]],
        actor=_actor(given),
        commit=given["GITHUB_SHA"],
        workflow_run=_run_address(given),
        account=given["AVESA_DEPLOYMENT_ACCOUNT"],
        region=given["AWS_REGION"] or DEFAULT_REGION,
    )


_NAMES: Final = (
    "DEPLOYMENT_CONFIRMATION",
    "ENVIRONMENT_TARGET",
    "DEPLOYMENT_REASON",
    "COMPONENTS_TO_DEPLOY",
    "FORCE_DEPLOY",
    "GITHUB_ACTOR",
    "GITHUB_TRIGGERING_ACTOR",
    "GITHUB_SHA",
    "GITHUB_SERVER_URL",
    "GITHUB_REPOSITORY",
    "GITHUB_RUN_ID",
    "GITHUB_RUN_ATTEMPT",
    "AVESA_DEPLOYMENT_ACCOUNT",
    "AWS_REGION",
)


def _problems(given: Mapping[str, str]) -> Iterator[str]:
    target, components, force = given["ENVIRONMENT_TARGET"], given["COMPONENTS_TO_DEPLOY"], given["FORCE_DEPLOY"]
    if target not in TARGETS:
        yield f"environment_target is {target!r}; allowed: {', '.join(TARGETS)}"
    if target == "production" and given["DEPLOYMENT_CONFIRMATION"] != CONFIRMATION:
        yield f"deployment_confirmation is not exactly {CONFIRMATION!r}: type it if production is what you mean"
    yield from _reason_problems(given["DEPLOYMENT_REASON"])
    if components and components not in set(Components):
        yield f"components_to_deploy is {components!r}; allowed: {', '.join(Components)}"
    if force not in _FLAGS:
        yield f"force_deploy is {force!r}; allowed: true, false"
    if _ACTOR.fullmatch(_actor(given)) is None:
        yield "nobody is named who deploys (GITHUB_TRIGGERING_ACTOR, GITHUB_ACTOR): start it from GitHub Actions"
    if _COMMIT.fullmatch(given["GITHUB_SHA"]) is None:
        yield f"the commit (GITHUB_SHA) is {given['GITHUB_SHA']!r}, not 40 hexadecimal digits"
    if not given["GITHUB_RUN_ID"].isdigit():
        yield "the workflow's run is not named (GITHUB_RUN_ID): start it from GitHub Actions"
    if _ACCOUNT.fullmatch(given["AVESA_DEPLOYMENT_ACCOUNT"]) is None:
        yield (
            f"the account to deploy to (AVESA_DEPLOYMENT_ACCOUNT) is {given['AVESA_DEPLOYMENT_ACCOUNT']!r}, not 12 "
            "digits: set the variable AWS_ACCOUNT_ID of the GitHub environment"
        )


def _reason_problems(reason: str) -> Iterator[str]:
    if len(reason) < SHORTEST_REASON:
        yield (
            f"deployment_reason has {len(reason)} characters, {SHORTEST_REASON} or more are needed: say what changes "
            "and why, for whoever reads it in a year"
        )
    if len(reason) > LONGEST_REASON:
        yield f"deployment_reason has {len(reason)} characters, at most {LONGEST_REASON} are kept"
    if not reason.isprintable():
        yield "deployment_reason holds a line break or a control character: one line of plain text is kept"


def _actor(given: Mapping[str, str]) -> str:
    # Who started a run again is not who started it first.
    return given["GITHUB_TRIGGERING_ACTOR"] or given["GITHUB_ACTOR"]


def _run_address(given: Mapping[str, str]) -> str:
    server = given["GITHUB_SERVER_URL"] or "https://github.com"
    attempt = given["GITHUB_RUN_ATTEMPT"] or "1"
    return f"{server}/{given['GITHUB_REPOSITORY']}/actions/runs/{given['GITHUB_RUN_ID']}/attempts/{attempt}"
