"""What the environment says of a deployment, read once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from avesa.application.context import Bounds
from avesa.domain.errors import ConfigError
from avesa.domain.names import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from avesa.ports.work import EventSink

DEFAULT_REGION: Final = "us-east-2"
DEPLOYED: Final = (Environment.DEV, Environment.STAGING, Environment.PROD)
PACKAGES: Final = ("chunk", "transform")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Where a deployment is, and how much of it a caller wants."""

    environment: Environment
    region: str
    bucket: str
    endpoint_url: str | None = None
    """None: AWS itself."""
    tenant_role_arn: str | None = None
    state_machine_arn: str | None = None
    topic_arn: str | None = None
    """Where people are told of runs that matter; None where nobody is to be told."""
    profile: str | None = None
    package: str | None = None
    """Which of the two Lambda packages this is; None where everything is installed."""
    bounds: Bounds = field(default_factory=Bounds)
    sinks: tuple[EventSink, ...] = ()
    is_stopping: Callable[[], bool] = _never


def read_aws_settings(
    variables: Mapping[str, str] | None = None, *, environment: Environment | None = None
) -> AwsSettings:
    """Return the settings of `variables`, by default the process's own; an empty variable counts as not set.

    `environment` comes before AVESA_ENVIRONMENT. Raises ConfigError that names every wrong variable at once.
    """
    given = {name: text for name, text in (os.environ if variables is None else variables).items() if text.strip()}
    chosen = environment.value if environment is not None else given.get("AVESA_ENVIRONMENT", "")
    name = Environment(chosen).lake_name if chosen in DEPLOYED else ""
    bucket = given.get("AVESA_LAKE_BUCKET", "-".join(filter(None, (given.get("AVESA_BUCKET_PREFIX"), name))))
    package = given.get("AVESA_PACKAGE")
    problems = [
        *_unless(chosen in DEPLOYED, f"AVESA_ENVIRONMENT is {chosen!r}; allowed on AWS: {', '.join(DEPLOYED)}"),
        *_unless(
            not name or _BUCKET.fullmatch(bucket) is not None,
            f"the lake's bucket would be {bucket!r}, which is no bucket name; look at AVESA_LAKE_BUCKET and "
            "AVESA_BUCKET_PREFIX",
        ),
        *_unless(package is None or package in PACKAGES, f"AVESA_PACKAGE is {package!r}; allowed: chunk, transform"),
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return AwsSettings(
        environment=Environment(chosen),
        region=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or DEFAULT_REGION,
        bucket=bucket,
        endpoint_url=given.get("AWS_ENDPOINT_URL"),
        tenant_role_arn=given.get("AVESA_TENANT_ROLE_ARN"),
        state_machine_arn=given.get("AVESA_STATE_MACHINE_ARN"),
        topic_arn=given.get("AVESA_TOPIC_ARN"),
        profile=given.get("AWS_PROFILE"),
        package=package,
    )


def _unless(is_fine: bool, problem: str) -> list[str]:  # noqa: FBT001 - the claim comes first
    return [] if is_fine else [problem]
