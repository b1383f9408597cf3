"""Credentials in Secrets Manager, one secret per name, JSON inside."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec
from botocore.exceptions import ClientError

from avesa.adapters.aws.refusals import code_of, refusals
from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_secretsmanager import SecretsManagerClient

_MISSING: Final = "ResourceNotFoundException"
_LEAVING: Final = "InvalidRequestException"
"""AWS's answer while a secret is being deleted."""
_CURRENT: Final = "AWSCURRENT"
_PREVIOUS: Final = "AWSPREVIOUS"
_PENDING: Final = "AWSPENDING"
_TRIES: Final = 6
_PAUSE_SECONDS: Final = 0.5


class SecretsManagerStore:
    """Credentials by name. Values show in no message and no repr."""

    def __init__(self, client: SecretsManagerClient, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def get(self, name: str) -> dict[str, str] | None:
        return self._stage(name, _CURRENT)

    def previous(self, name: str) -> dict[str, str] | None:
        return self._stage(name, _PREVIOUS)

    def _stage(self, name: str, stage: str) -> dict[str, str] | None:
        with refusals(f"secret {name}"):
            try:
                text = self._client.get_secret_value(SecretId=secret_id(name), VersionStage=stage)["SecretString"]
            except ClientError as error:
                if code_of(error) in (_MISSING, _LEAVING):
                    return None
                raise
        try:
            return msgspec.json.decode(text, type=dict[str, str])
        except msgspec.DecodeError:
            # Without its cause, which could quote what it was decoding.
            raise ConfigError(
                f"secret {name} does not hold what avesa stores there; run avesa setup-service for this tenant again"
            ) from None

    def put(self, name: str, values: dict[str, str]) -> None:
        text = msgspec.json.encode(values).decode()
        with refusals(f"secret {name}"):
            for attempt in range(1, _TRIES + 1):
                try:
                    return self._put(secret_id(name), text)
                except ClientError as error:
                    # A secret that was deleted a moment ago keeps its name for a moment longer.
                    if code_of(error) not in (_LEAVING, "ResourceExistsException") or attempt == _TRIES:
                        raise
                self._sleep(_PAUSE_SECONDS * attempt)
        return None

    def rotate(self, name: str, values: dict[str, str]) -> None:
        """Put the new version beside the present one, then let the stages change places in one request."""
        present = self._version_of(name, _CURRENT)
        if present is None:
            return self.put(name, values)
        text = msgspec.json.encode(values).decode()
        with refusals(f"secret {name}"):
            made = self._client.put_secret_value(SecretId=secret_id(name), SecretString=text, VersionStages=[_PENDING])[
                "VersionId"
            ]
            # AWS itself gives AWSPREVIOUS to the version that loses AWSCURRENT.
            self._move(name, _CURRENT, to=made, away_from=present)
            self._move(name, _PENDING, to=None, away_from=made)
        return None

    def settle(self, name: str, *, keep_new: bool) -> None:
        old, present = self._version_of(name, _PREVIOUS), self._version_of(name, _CURRENT)
        if old is None or present is None:
            return
        with refusals(f"secret {name}"):
            if not keep_new:
                self._move(name, _CURRENT, to=old, away_from=present)
                old = present
            # A version without a stage cannot be asked for any more, and AWS removes it.
            self._move(name, _PREVIOUS, to=None, away_from=old)

    def delete(self, name: str) -> None:
        """Forget the credentials at once: nobody can bring them back."""
        with refusals(f"secret {name}"):
            try:
                self._client.delete_secret(SecretId=secret_id(name), ForceDeleteWithoutRecovery=True)
            except ClientError as error:
                if code_of(error) not in (_MISSING, _LEAVING):
                    raise

    def _version_of(self, name: str, stage: str) -> str | None:
        with refusals(f"secret {name}"):
            try:
                found = self._client.describe_secret(SecretId=secret_id(name)).get("VersionIdsToStages", {})
            except ClientError as error:
                if code_of(error) in (_MISSING, _LEAVING):
                    return None
                raise
        return next((version for version, stages in found.items() if stage in stages), None)

    def _move(self, name: str, stage: str, *, to: str | None, away_from: str) -> None:
        target = {} if to is None else {"MoveToVersionId": to}
        self._client.update_secret_version_stage(
            SecretId=secret_id(name), VersionStage=stage, RemoveFromVersionId=away_from, **target
        )

    def _put(self, identifier: str, text: str) -> None:
        try:
            self._client.put_secret_value(SecretId=identifier, SecretString=text)
        except ClientError as error:
            if code_of(error) != _MISSING:
                raise
            self._client.create_secret(
                Name=identifier, SecretString=text, Description="Credentials that AVESA reads a tenant's service with"
            )


def secret_id(name: str) -> str:
    """Return the name as Secrets Manager allows it; names of tenants stay as they are, no two names meet."""
    return quote(name, safe="/_=.@-").replace("%", "+").replace("~", "+7E")
