"""A command's way to a deployed environment: settings with the right profile, and what the environment remembers."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import ConfigError, UsageError
from avesa.domain.names import check_tenant_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from avesa.adapters.delta.views import SqlSession
    from avesa.application.pipeline import Application
    from avesa.bootstrap.aws_settings import AwsSettings
    from avesa.domain.names import Environment
    from avesa.ports.lake import Lake
    from avesa.ports.state import JobLedger, TableStates, TenantRegistry
    from avesa.ports.time import Clock
    from avesa.ports.work import Liveness

_LONGEST_RUN_SECONDS: Final = 26 * 3600.0
"""More than the state machine lets a run take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedReading:
    """What a deployed environment remembers."""

    bucket: str
    registry: TenantRegistry
    tables: TableStates
    jobs: JobLedger
    lake: Lake
    clock: Clock
    liveness: Liveness


def deployed_settings(environment: Environment, *, region: str | None = None) -> AwsSettings:
    """Return how to reach the environment from here. Raises ConfigError when boto3 or the profile is missing."""
    from avesa.bootstrap.aws_settings import read_aws_settings
    from avesa.bootstrap.profiles import choose_profile

    profile = choose_profile(environment, None, variables=os.environ, configured=configured_profiles(environment))
    settings = read_aws_settings(environment=environment)
    return replace(settings, profile=profile, region=region or settings.region)


def configured_profiles(environment: Environment) -> list[str]:
    """Return the names of the AWS profiles on this machine. Raises ConfigError without boto3."""
    try:
        from botocore.session import Session
    except ImportError:
        raise ConfigError(
            f"environment {environment.value!r} is on AWS, and boto3 is not installed here: "
            "pip install -r requirements.txt"
        ) from None
    return Session().available_profiles


@contextmanager
def deployed_application(settings: AwsSettings) -> Iterator[Application]:
    """Give the application of the environment with the caller's own credentials."""
    from avesa.bootstrap.aws import aws_application

    with aws_application(settings) as application:
        yield application


@contextmanager
def deployed_reading(settings: AwsSettings) -> Iterator[DeployedReading]:
    """Give what the environment remembers."""
    with deployed_application(settings) as application:
        context = application.context
        yield DeployedReading(
            bucket=settings.bucket,
            registry=context.registry,
            tables=context.tables,
            jobs=context.jobs,
            lake=context.lake,
            clock=context.clock,
            liveness=context.liveness,
        )


@contextmanager
def deployed_sql(settings: AwsSettings, *, tenant_id: str | None = None) -> Iterator[SqlSession]:
    """Give SQL over the canonical tables of all tenants, or of one. Raises UsageError for an unknown tenant."""
    from avesa.adapters.delta.views import sql_session

    with deployed_reading(settings) as reading, tempfile.TemporaryDirectory(prefix="avesa-query-") as spill:
        known = sorted({item.tenant_id for item in reading.registry.list()})
        if tenant_id is not None and check_tenant_id(tenant_id) not in known:
            raise UsageError(f"unknown tenant {tenant_id!r}; registered tenants: {', '.join(known) or 'none yet'}")
        with sql_session(reading.lake, known if tenant_id is None else [tenant_id], spill_folder=spill) as session:
            yield session


def start_run(settings: AwsSettings, request: Mapping[str, object]) -> dict[str, str]:
    """Start a run and return its `job_id` and `execution_arn`. Raises UsageError, and starts nothing, for a request
    that cannot be carried out: an unknown tenant or table, nobody registered.
    """
    from avesa.application.steps.run import check_request
    from avesa.bootstrap.aws import start_pipeline

    with deployed_application(settings) as application:
        check_request(application.context, request)
    return start_pipeline(request, settings)


def await_run(settings: AwsSettings, execution_arn: str) -> dict[str, object]:
    """Return what a started run came to. Raises AvesaError with the execution's own words when it failed."""
    from avesa.bootstrap.aws import await_pipeline

    result = await_pipeline(execution_arn, timeout_seconds=_LONGEST_RUN_SECONDS, settings=settings)
    if result is None:
        raise ConfigError(f"execution {execution_arn} outlived its own time-out; look at it in the AWS console")
    return result
