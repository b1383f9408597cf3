"""Before anything is created: the wrong account, a taken name, a stack at work, a missing profile or tool is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from avesa.bootstrap.profiles import choose_profile
from avesa.domain.errors import AvesaError, ConfigError
from avesa.domain.names import Environment
from avesa.entrypoints.deployment.checks import check_account, check_bucket, check_stacks
from avesa.entrypoints.deployment.tools import check_tools

if TYPE_CHECKING:
    from pathlib import Path

    from avesa.adapters.aws.account import Account, Caller

DEV, STAGING, PROD = Environment.DEV, Environment.STAGING, Environment.PROD


@dataclass
class KnownAccount:
    """An account in which these stacks and buckets are; None is a bucket that another account has."""

    stacks: dict[str, str] = field(default_factory=dict)
    buckets: dict[str, str | None] = field(default_factory=dict)
    lake: str | None = None
    region: str = "us-east-2"

    def stack_status(self, name: str) -> str | None:
        return self.stacks.get(name)

    def physical_id(self, stack: str, logical_id: str) -> str | None:
        return self.lake

    def owns_bucket(self, name: str) -> bool | None:
        return self.buckets[name] is not None if name in self.buckets else None

    def bucket_region(self, name: str) -> str:
        return self.buckets[name] or ""


@dataclass(frozen=True)
class KnownCaller:
    account: str = "111111111111"
    arn: str = "arn:aws:iam::111111111111:user/somebody"


def checked_account(environment: Environment, account: KnownAccount, **variables: str) -> None:
    check_account(environment, cast("Account", account), cast("Caller", KnownCaller()), variables)


def checked_bucket(environment: Environment, account: KnownAccount, bucket: str) -> str:
    return check_bucket(environment, cast("Account", account), bucket)


def test_credentials_of_another_account_than_the_variable_names_are_refused() -> None:
    with pytest.raises(AvesaError, match=r"account 111111111111.*prod belongs into account 222222222222"):
        checked_account(PROD, KnownAccount(), CDK_PROD_ACCOUNT="222222222222")


def test_the_account_that_the_variable_names_is_right() -> None:
    checked_account(PROD, KnownAccount(), CDK_PROD_ACCOUNT="111111111111", CDK_DEFAULT_ACCOUNT="222222222222")
    checked_account(DEV, KnownAccount(), CDK_DEFAULT_ACCOUNT="111111111111", CDK_PROD_ACCOUNT="222222222222")


@pytest.mark.parametrize(
    ("environment", "stack"),
    [(PROD, "AVESADataPipeline-dev"), (PROD, "AVESADataPipeline-staging"), (DEV, "AVESADataPipeline")],
)
def test_production_shares_no_account(environment: Environment, stack: str) -> None:
    with pytest.raises(AvesaError, match="production has an account of its own"):
        checked_account(environment, KnownAccount(stacks={stack: "CREATE_COMPLETE"}))


def test_development_and_staging_share_an_account() -> None:
    checked_account(STAGING, KnownAccount(stacks={"AVESADataPipeline-dev": "CREATE_COMPLETE"}))


def test_a_bucket_name_that_another_account_has_is_told_with_the_setting_that_mends_it() -> None:
    with pytest.raises(
        AvesaError, match=r"taken by another AWS account.*AVESA_BUCKET_PREFIX=acme.*Nothing was created"
    ):
        checked_bucket(DEV, KnownAccount(buckets={"data-storage-msp-dev": None}), "data-storage-msp-dev")


def test_a_free_name_and_the_own_retained_bucket_are_fine() -> None:
    kept = KnownAccount(buckets={"data-storage-msp-dev": "us-east-2"})

    assert checked_bucket(DEV, KnownAccount(), "data-storage-msp-dev") == "is free"
    assert checked_bucket(DEV, kept, "data-storage-msp-dev") == "is there, and is kept"


def test_the_own_bucket_in_another_region_is_told() -> None:
    with pytest.raises(AvesaError, match="is in us-east-2, not in us-west-2"):
        checked_bucket(
            PROD, KnownAccount(buckets={"data-storage-msp": "us-east-2"}, region="us-west-2"), "data-storage-msp"
        )


def test_a_forgotten_prefix_makes_no_second_lake() -> None:
    there = KnownAccount(stacks={"AVESADataPipeline-dev": "UPDATE_COMPLETE"}, lake="acme-data-storage-msp-dev")

    with pytest.raises(AvesaError, match=r"set AVESA_BUCKET_PREFIX to what it was \(acme\)"):
        checked_bucket(DEV, there, "data-storage-msp-dev")


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_a_stack_at_work_is_waited_for(status: str) -> None:
    with pytest.raises(AvesaError, match="another deployment is under way"):
        check_stacks(DEV, cast("Account", KnownAccount(stacks={"AVESAMonitoring-dev": status})))


def test_a_stack_that_cannot_move_comes_with_the_command_that_frees_it() -> None:
    stuck = KnownAccount(stacks={"AVESADataPipeline-dev": "UPDATE_ROLLBACK_FAILED"})

    with pytest.raises(AvesaError, match="continue-update-rollback --stack-name AVESADataPipeline-dev"):
        check_stacks(DEV, cast("Account", stuck))


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "REVIEW_IN_PROGRESS"]
)
def test_a_half_failed_deployment_is_gone_on_with(status: str) -> None:
    check_stacks(DEV, cast("Account", KnownAccount(stacks={"AVESADataPipeline-dev": status})))


def chosen(environment: Environment, *configured: str, asked: str | None = None, **variables: str) -> str | None:
    return choose_profile(environment, asked, variables=variables, configured=configured)


def test_production_has_a_profile_of_its_own_and_its_absence_is_told() -> None:
    assert chosen(PROD, "avesa-production", "default") == "avesa-production"
    with pytest.raises(ConfigError, match=r"AWS profile 'avesa-production' not configured.*aws configure --profile"):
        chosen(PROD, "default")


def test_a_default_profile_gives_way_to_credentials_of_the_variables() -> None:
    assert chosen(PROD, AWS_ACCESS_KEY_ID="AKIA") is None
    assert chosen(PROD, AWS_WEB_IDENTITY_TOKEN_FILE="/token") is None
    assert chosen(PROD, "mine", AWS_PROFILE="mine") == "mine"


def test_what_is_asked_for_comes_first_and_must_be_configured() -> None:
    assert chosen(PROD, "mine", asked="mine", AWS_ACCESS_KEY_ID="AKIA") == "mine"
    with pytest.raises(ConfigError, match=r"AWS profile 'mine' not configured.*Configured profiles: other"):
        chosen(DEV, "other", asked="mine")


def test_development_takes_the_one_profile_that_fits_else_awss_own_default() -> None:
    assert chosen(DEV, "AdministratorAccess-1", "x") == "AdministratorAccess-1"
    assert chosen(DEV, "AdministratorAccess-1", "AdministratorAccess-2") is None
    assert chosen(DEV) is None


def program(folder: Path, name: str, said: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{said}'\n", encoding="utf-8")
    path.chmod(0o755)


def test_all_missing_tools_are_listed_at_once_each_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(AvesaError) as told:
        check_tools({"PATH": str(tmp_path)})

    for words in ("aws is not installed", "node is not installed", "cdk is not installed", "npm install -g aws-cdk@2"):
        assert words in str(told.value)


@pytest.mark.parametrize(
    ("node", "cdk", "problem"),
    [
        ("v20.1.0", "3.0.0 (build 1)", "is version 3, which cannot read"),
        ("v16.1.0", "2.1148.1 (build 1)", "is version 16, 18 or newer is needed"),
    ],
)
def test_a_tool_of_the_wrong_version_is_told(tmp_path: Path, node: str, cdk: str, problem: str) -> None:
    for name, said in (("aws", "aws-cli/2.9.19 Python/3.11"), ("node", node), ("cdk", cdk)):
        program(tmp_path, name, said)

    with pytest.raises(AvesaError, match=problem):
        check_tools({"PATH": str(tmp_path)})


def test_fitting_tools_are_fine(tmp_path: Path) -> None:
    for name, said in (("aws", "aws-cli/2.9.19"), ("node", "v20.1.0"), ("cdk", "2.1148.1 (build 1)")):
        program(tmp_path, name, said)

    check_tools({"PATH": str(tmp_path)})
