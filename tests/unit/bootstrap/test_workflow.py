"""What a workflow may ask for: production only by its words, and every fault told at once."""

from __future__ import annotations

import pytest

from avesa.bootstrap.workflow import read_request
from avesa.domain.deployments import Components
from avesa.domain.errors import UsageError
from avesa.domain.names import Environment

GOOD = {
    "DEPLOYMENT_CONFIRMATION": "DEPLOY TO PRODUCTION",
    "ENVIRONMENT_TARGET": "production",
    "DEPLOYMENT_REASON": "Fix critical bug in data transformation",
    "COMPONENTS_TO_DEPLOY": "all",
    "FORCE_DEPLOY": "false",
    "GITHUB_ACTOR": "ann",
    "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/avesa",
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "2",
    "AVESA_DEPLOYMENT_ACCOUNT": "222222222222",
    "AWS_REGION": "us-west-2",
}


def test_a_good_request_says_who_why_what_where_and_how() -> None:
    found = read_request(GOOD)

    assert (found.actor, found.reason) == ("ann", GOOD["DEPLOYMENT_REASON"])
    assert (found.environment, found.components, found.is_forced) == (Environment.PROD, Components.ALL, False)
    assert (found.account, found.region, found.commit) == ("222222222222", "us-west-2", GOOD["GITHUB_SHA"])
    assert found.workflow_run == "https://github.com/acme/avesa/actions/runs/77/attempts/2"


def test_who_started_a_run_again_is_who_deploys() -> None:
    assert read_request(GOOD | {"GITHUB_TRIGGERING_ACTOR": "bob"}).actor == "bob"


@pytest.mark.parametrize(
    "typed",
    ["", "deploy to production", "DEPLOY TO PRODUCTION ", " DEPLOY TO PRODUCTION", "DEPLOY TO PRODUCTIO", "yes"],
)
@pytest.mark.parametrize("force", ["true", "false"])
def test_production_needs_its_confirmation_letter_by_letter_forced_or_not(typed: str, force: str) -> None:
    with pytest.raises(UsageError, match="not exactly 'DEPLOY TO PRODUCTION'"):
        read_request(GOOD | {"DEPLOYMENT_CONFIRMATION": typed, "FORCE_DEPLOY": force})


@pytest.mark.parametrize(("target", "environment"), [("dev", Environment.DEV), ("staging", Environment.STAGING)])
def test_elsewhere_no_confirmation_is_asked_for(target: str, environment: Environment) -> None:
    found = read_request(GOOD | {"DEPLOYMENT_CONFIRMATION": "", "ENVIRONMENT_TARGET": target})

    assert found.environment is environment


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ENVIRONMENT_TARGET", "prod", "environment_target is 'prod'; allowed: production, staging, dev"),
        ("DEPLOYMENT_REASON", "", "deployment_reason has 0 characters"),
        ("DEPLOYMENT_REASON", "  fix it  ", "deployment_reason has 6 characters"),
        ("DEPLOYMENT_REASON", "x" * 501, "at most 500"),
        ("DEPLOYMENT_REASON", "a line\nand ::set-env another", "a line break or a control character"),
        ("DEPLOYMENT_REASON", "colours \x1b[31m in a terminal", "a line break or a control character"),
        ("COMPONENTS_TO_DEPLOY", "$(id)", r"components_to_deploy is '\$\(id\)'"),
        ("FORCE_DEPLOY", "yes", "force_deploy is 'yes'"),
        ("GITHUB_ACTOR", "", "nobody is named"),
        ("GITHUB_ACTOR", "a b", "nobody is named"),
        ("GITHUB_SHA", "main", "not 40 hexadecimal digits"),
        ("GITHUB_RUN_ID", "", "the workflow's run is not named"),
        ("AVESA_DEPLOYMENT_ACCOUNT", "", "not 12 digits"),
        ("AVESA_DEPLOYMENT_ACCOUNT", "22222222222", "not 12 digits"),
    ],
)
def test_each_wrong_value_is_refused_with_its_name(name: str, value: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_request(GOOD | {name: value})


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(UsageError) as told:
        read_request({})

    assert str(told.value).count("\n  - ") == 6


def test_force_and_parts_are_read() -> None:
    found = read_request(GOOD | {"FORCE_DEPLOY": "true", "COMPONENTS_TO_DEPLOY": "lambdas-only"})

    assert (found.is_forced, found.components) == (True, Components.LAMBDAS_ONLY)
