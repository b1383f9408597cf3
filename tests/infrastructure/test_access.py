"""Who may deploy, what deploying may do, and where nobody can change what is remembered of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.infrastructure.templates import ACCESS, ACCOUNT, DATA, Assembly, Resource, pairs_of, synthesized

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.infrastructure

DEPLOYER = "111111111111"
TRUSTED = {"github_repository": "acme/avesa", "deployment_account": DEPLOYER}


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Assembly]:
    return synthesized(tmp_path_factory.mktemp("access"), ["dev", "prod"], **TRUSTED)


@pytest.fixture(params=["dev", "prod"])
def access(request: pytest.FixtureRequest, trusting: dict[str, Assembly]) -> Assembly:
    return trusting[str(request.param)]


def role(assembly: Assembly) -> Resource:
    (found,) = assembly.resources(ACCESS, "AWS::IAM::Role").values()
    properties: Resource = found["Properties"]
    return properties


def allowed(assembly: Assembly) -> set[tuple[str, str]]:
    pairs: set[tuple[str, str]] = set()
    for policy in assembly.resources(ACCESS, "AWS::IAM::Policy").values():
        pairs |= pairs_of(policy["Properties"]["PolicyDocument"])
    return pairs


def test_production_is_deployed_by_the_guides_role(trusting: dict[str, Assembly]) -> None:
    assert {name: role(item)["RoleName"] for name, item in trusting.items()} == {
        "prod": "DeploymentRole",
        "dev": "DeploymentRole-dev",
    }


def test_only_the_repositorys_own_environment_and_the_named_account_take_the_role_on(access: Assembly) -> None:
    statements = role(access)["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    github = {"prod": "production", "dev": "dev"}[access.environment]

    assert sorted(statements, key=lambda item: str(item["Action"])) == [
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{DEPLOYER}:root"}},
        {
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": "sts.amazonaws.com",
                    f"{issuer}:sub": f"repo:acme/avesa:environment:{github}",
                }
            },
        },
    ]


def test_without_anybody_to_trust_there_is_no_role(assemblies: dict[str, Assembly]) -> None:
    for item in assemblies.values():
        assert not item.path(ACCESS).exists()


def test_the_role_creates_nothing_itself_and_deletes_nothing(access: Assembly) -> None:
    verbs = {action.split(":")[1] for action, _ in allowed(access)}

    assert not [
        verb for verb in verbs if verb.startswith(("Create", "Delete", "Update", "Attach", "Pass", "Bypass", "*"))
    ]
    assert {verb for verb in verbs if verb.startswith("Put")} == {"PutObject"}


def test_the_role_reaches_no_tenants_data_and_no_secret(access: Assembly) -> None:
    pairs = allowed(access)

    assert not [pair for pair in pairs if pair[0].startswith("secretsmanager:")]
    assert {action for action, _ in pairs if action.startswith("dynamodb:")} == {"dynamodb:DescribeTable"}
    lake = f"arn:aws:s3:::data-storage-msp{access.suffix}"
    read = {place for action, place in pairs if action in {"s3:GetObject", "s3:PutObject"}}
    kept = f"arn:aws:s3:::data-storage-msp-releases{access.suffix}"
    assert read == {f"{lake}/mappings/*", *(f"{kept}/{folder}/*" for folder in ("blobs", "records", "releases"))}


def test_the_role_may_try_every_function_of_its_environment(access: Assembly) -> None:
    tried = {place.rpartition(":")[2] for action, place in allowed(access) if action == "lambda:InvokeFunction"}

    functions = access.resources("AVESAPerformanceOptimization", "AWS::Lambda::Function").values()
    assert tried == {item["Properties"]["FunctionName"] for item in functions}


def test_the_role_of_one_environment_names_no_other_one(access: Assembly) -> None:
    text = json.dumps([sorted(pair) for pair in allowed(access)])

    others = {"dev": ["-staging", 'avesa-alarms"'], "prod": ["-dev", "-staging"]}[access.environment]
    assert not [name for name in others if name in text]


def test_the_security_rules_accept_the_role(access: Assembly) -> None:
    report = json.loads((access.folder / "validation-report.json").read_text(encoding="utf-8"))["pluginReports"]

    assert [(item["pluginName"], item["conclusion"]) for item in report] == [("AwsSolutions", "success")]


def test_what_is_remembered_of_deployments_is_locked_for_its_time(assembly: Assembly) -> None:
    bucket = assembly.resources(DATA, "AWS::S3::Bucket")["Releases"]["Properties"]
    retention = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]

    assert bucket["BucketName"] == f"data-storage-msp-releases{assembly.suffix}"
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    expected = {"prod": ("COMPLIANCE", 400), "dev": ("GOVERNANCE", 30)}[assembly.environment]
    assert (retention["Mode"], retention["Days"]) == expected
    # A rule that ends objects would take a content from under a release that still names it.
    assert "LifecycleConfiguration" not in bucket


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"github_repository": "acme"}, "github_repository is 'acme'; allowed: owner/name"),
        ({"github_repository": "acme/*"}, "github_repository is 'acme/*'"),
        ({"deployment_account": "*"}, "deployment_account is '*'; allowed: 12 digits"),
    ],
)
def test_nobody_is_trusted_by_mistake(context: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="allowed") as told:
        synthesized(tmp_path, ["dev"], **context)

    assert words in str(told.value)
