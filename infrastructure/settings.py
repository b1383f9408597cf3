"""What a deployment may be told, by CDK context first and by the environment after it; all of it has a default."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from avesa.domain.names import Environment, releases_bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import App

DEFAULT_REGION: Final = "us-east-2"
ENVIRONMENTS: Final = (Environment.DEV, Environment.STAGING, Environment.PROD)
Architecture = Literal["arm64", "x86_64"]
_ARCHITECTURES: Final = ("arm64", "x86_64")
_PYTHONS: Final = ("3.11", "3.12", "3.13")
# A bucket's name has 63 characters at most, and the longest behind the prefix is -data-storage-msp-releases-staging.
_PREFIX: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,26}[a-z0-9]")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_ACCOUNT: Final = re.compile(r"\d{12}")


class SettingsError(Exception):
    """What the app was told is not usable; the message says what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One environment's deployment. Without an account the templates fit any."""

    environment: Environment
    bucket_prefix: str = ""
    architecture: Architecture = "arm64"
    python_version: str = "3.13"
    account: str | None = None
    region: str | None = None
    github_repository: str = ""
    """`owner/name`: whose workflows may deploy. Empty: nobody's."""
    deployment_account: str = ""
    """The account from which people may deploy here by taking on the deployment role. Empty: none."""

    @property
    def suffix(self) -> str:
        """What every name ends with."""
        return self.environment.suffix

    @property
    def bucket(self) -> str:
        """The lake's bucket; names of buckets are taken for the whole world, so that a prefix may be needed."""
        return "-".join(filter(None, (self.bucket_prefix, self.environment.lake_name)))

    @property
    def releases_bucket(self) -> str:
        """The bucket of releases and of deployments' records."""
        return releases_bucket(self.bucket, self.environment)

    @property
    def is_production(self) -> bool:
        """Whether a mistake here would be a customer's."""
        return self.environment is Environment.PROD


def read_deployment(app: App, variables: Mapping[str, str]) -> Deployment:
    """Return what to deploy; raise SettingsError that lists every wrong value at once."""

    def told(key: str, default: str, variable: str = "") -> str:
        return str(app.node.try_get_context(key) or variables.get(variable, "") or default).strip()

    environment, prefix = told("environment", "dev"), told("bucket_prefix", "", "AVESA_BUCKET_PREFIX")
    architecture = told("architecture", "arm64")
    python_version = told("python", "3.13")
    repository, deployer = told("github_repository", ""), told("deployment_account", "")
    problems = [
        *_unless(environment in ENVIRONMENTS, "environment", environment, ", ".join(ENVIRONMENTS)),
        *_unless(architecture in _ARCHITECTURES, "architecture", architecture, ", ".join(_ARCHITECTURES)),
        *_unless(python_version in _PYTHONS, "python", python_version, ", ".join(_PYTHONS)),
        *_unless(
            not prefix or _PREFIX.fullmatch(prefix) is not None,
            "bucket_prefix",
            prefix,
            "2 to 28 of a-z, 0-9 and '-', at both ends a letter or digit",
        ),
        *_unless(
            not repository or _REPOSITORY.fullmatch(repository) is not None,
            "github_repository",
            repository,
            "owner/name",
        ),
        *_unless(not deployer or _ACCOUNT.fullmatch(deployer) is not None, "deployment_account", deployer, "12 digits"),
    ]
    if problems:
        raise SettingsError("\n".join(problems))
    account_variable = "CDK_PROD_ACCOUNT" if environment == Environment.PROD else "CDK_DEFAULT_ACCOUNT"
    account = variables.get(account_variable) or variables.get("CDK_DEFAULT_ACCOUNT") or None
    return Deployment(
        environment=Environment(environment),
        bucket_prefix=prefix,
        architecture=cast("Architecture", architecture),
        python_version=python_version,
        account=account,
        # A template for a given account names its region too; without one it fits wherever it is deployed.
        region=variables.get("CDK_DEFAULT_REGION") or (DEFAULT_REGION if account else None),
        github_repository=repository,
        deployment_account=deployer,
    )


def _unless(is_fine: bool, key: str, value: str, allowed: str) -> list[str]:  # noqa: FBT001 - the claim comes first
    return [] if is_fine else [f"context value {key} is {value!r}; allowed: {allowed}"]
