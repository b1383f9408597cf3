"""What the environment of a deployment may say."""

from __future__ import annotations

import pytest

from avesa.bootstrap.aws_settings import read_aws_settings
from avesa.domain.errors import ConfigError
from avesa.domain.names import Environment


@pytest.mark.parametrize(
    ("variables", "bucket"),
    [
        ({"AVESA_ENVIRONMENT": "dev"}, "data-storage-msp-dev"),
        ({"AVESA_ENVIRONMENT": "prod"}, "data-storage-msp"),
        ({"AVESA_ENVIRONMENT": "staging", "AVESA_BUCKET_PREFIX": "acme"}, "acme-data-storage-msp-staging"),
        ({"AVESA_ENVIRONMENT": "dev", "AVESA_LAKE_BUCKET": "other"}, "other"),
    ],
)
def test_the_bucket_follows_the_environment_unless_it_is_named(variables: dict[str, str], bucket: str) -> None:
    assert read_aws_settings(variables).bucket == bucket


def test_an_option_comes_before_the_variable() -> None:
    settings = read_aws_settings({"AVESA_ENVIRONMENT": "prod"}, environment=Environment.DEV)

    assert (settings.environment, settings.bucket) == (Environment.DEV, "data-storage-msp-dev")


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = read_aws_settings({"AVESA_ENVIRONMENT": "dev", "AWS_ENDPOINT_URL": "", "AWS_REGION": " "})

    assert (settings.endpoint_url, settings.region) == (None, "us-east-2")


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        read_aws_settings({"AVESA_ENVIRONMENT": "dev", "AVESA_LAKE_BUCKET": "No_Bucket", "AVESA_PACKAGE": "both"})

    assert "No_Bucket" in str(told.value)
    assert "AVESA_PACKAGE" in str(told.value)


@pytest.mark.parametrize("environment", ["", "local", "production"])
def test_only_deployed_environments_are_on_aws(environment: str) -> None:
    with pytest.raises(ConfigError, match="dev, staging, prod"):
        read_aws_settings({"AVESA_ENVIRONMENT": environment})
