"""The bucket of releases and deployment records, opened for whoever deploys or looks back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avesa.domain.names import releases_bucket

if TYPE_CHECKING:
    from avesa.application.releases import DeploymentLog, Releases
    from avesa.bootstrap.aws_settings import AwsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStore:
    """What an environment remembers of its deployments."""

    bucket: str
    log: DeploymentLog
    releases: Releases


def open_release_store(settings: AwsSettings) -> ReleaseStore:
    """Return the environment's store; nothing is asked of AWS yet."""
    from avesa.adapters.aws.access import AwsAccess
    from avesa.adapters.aws.lake import S3Lake
    from avesa.application.releases import DeploymentLog, Releases

    access = AwsAccess(region=settings.region, endpoint_url=settings.endpoint_url, profile=settings.profile)
    bucket = releases_bucket(settings.bucket, settings.environment)
    store = S3Lake(bucket, access, is_locked=True)
    return ReleaseStore(bucket=bucket, log=DeploymentLog(store), releases=Releases(store))
