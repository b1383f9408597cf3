"""Who asks AWS, and where: one region, one endpoint, one set of credentials for every client of an application."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - a field's type
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_glue import GlueClient
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_stepfunctions import SFNClient
    from types_boto3_sts import STSClient

_TRIES: Final = 8
_POOL: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCredentials:
    """A key pair, with its token when it is temporary. Values show in no repr."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False, default=None)
    expires_at: datetime | None = None


class AwsAccess:
    """Makes clients. Without `credentials` boto3 looks for the caller's own: environment, profile, role.

    Clients may be shared between threads; making one takes tens of milliseconds, so it is made once.
    """

    def __init__(
        self,
        *,
        region: str,
        endpoint_url: str | None = None,
        credentials: AwsCredentials | None = None,
        profile: str | None = None,
    ) -> None:
        self.region = region
        self.endpoint_url = endpoint_url
        self._given = credentials
        self._session = _session(region, credentials, profile)
        self._config = Config(
            retries={"mode": "standard", "max_attempts": _TRIES},
            max_pool_connections=_POOL,
            connect_timeout=5,
            read_timeout=30,
        )

    def credentials(self) -> AwsCredentials:
        """Return what to sign with now. Raises ConfigError when the caller has none."""
        if self._given is not None:
            return self._given
        found = self._session.get_credentials()
        if found is None:
            raise ConfigError("there are no AWS credentials: sign in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID")
        frozen = found.get_frozen_credentials()
        return AwsCredentials(
            access_key_id=frozen.access_key or "", secret_access_key=frozen.secret_key or "", session_token=frozen.token
        )

    def dynamodb(self) -> DynamoDBClient:
        """Return a client of DynamoDB."""
        return self._session.client("dynamodb", endpoint_url=self.endpoint_url, config=self._config)

    def glue(self) -> GlueClient:
        """Return a client of the Glue Data Catalog."""
        return self._session.client("glue", endpoint_url=self.endpoint_url, config=self._config)

    def s3(self) -> Any:  # noqa: ANN401 - asked for few things; no types of it are installed
        """Return a client of S3, for what the lake's own does not do: versions of objects."""
        service: Any = "s3"
        return self._session.client(service, endpoint_url=self.endpoint_url, config=self._config)

    def secretsmanager(self) -> SecretsManagerClient:
        """Return a client of Secrets Manager."""
        return self._session.client("secretsmanager", endpoint_url=self.endpoint_url, config=self._config)

    def sns(self) -> Any:  # noqa: ANN401 - asked for one thing; no types of it are installed
        """Return a client of the Simple Notification Service."""
        service: Any = "sns"
        return self._session.client(service, endpoint_url=self.endpoint_url, config=self._config)

    def stepfunctions(self) -> SFNClient:
        """Return a client of Step Functions."""
        return self._session.client("stepfunctions", endpoint_url=self.endpoint_url, config=self._config)

    def sts(self) -> STSClient:
        """Return a client of the Security Token Service."""
        return self._session.client("sts", endpoint_url=self.endpoint_url, config=self._config)


def _session(region: str, credentials: AwsCredentials | None, profile: str | None) -> boto3.Session:
    if credentials is None:
        return boto3.Session(region_name=region, profile_name=profile)
    return boto3.Session(
        region_name=region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
    )
