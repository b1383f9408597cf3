"""The lake in an S3 bucket: objects through obstore, tables through delta-rs, both with the same credentials."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from avesa.domain.errors import StorageError
from avesa.domain.keys import check_key, check_prefix
from avesa.ports.lake import ObjectExists, ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from obstore.store import S3Config, S3Credential

    from avesa.adapters.aws.access import AwsAccess

# obstore raises Python's own exceptions in some places and its own in others.
_MISSING: Final = (NotFoundError, FileNotFoundError)
_TAKEN: Final = (AlreadyExistsError, FileExistsError)
_DENIED: Final = (PermissionDeniedError, UnauthenticatedError, PermissionError)
_DOWNLOADS: Final = 16
_ASK_AGAIN: Final = timedelta(minutes=10)
"""Credentials of a profile or role renew themselves; the store asks for them this often."""


class S3Lake:
    """Objects in a bucket. Safe to share between threads; cannot be pickled, since credentials do not travel."""

    def __init__(self, bucket: str, access: AwsAccess, *, is_locked: bool = False) -> None:
        """`is_locked`: the bucket retains every object, and then takes only puts that bring a checksum."""
        self._bucket = bucket
        self._access = access
        # A name with a dot would not fit the certificate of a virtual host; the endpoint of a rehearsal has no hosts.
        config: S3Config = {"checksum_algorithm": "SHA256"} if is_locked else {}
        if access.endpoint_url is not None:
            config["endpoint"] = access.endpoint_url
        self._store = S3Store(
            bucket,
            region=access.region,
            virtual_hosted_style_request=access.endpoint_url is None,
            credential_provider=self._credential,
            client_options={"allow_http": _is_plain(access.endpoint_url)},
            # Only what is set: an endpoint of None is not "AWS's own" to obstore, but a wrong type.
            config=config,
        )

    def __repr__(self) -> str:
        return f"S3Lake({self._bucket!r})"

    def put(self, key: str, data: bytes, *, overwrite: bool = False) -> None:
        check_key(key)
        with self._refusals(key):
            try:
                # In one request: only then does S3 refuse a key that is taken.
                obstore.put(self._store, key, data, mode="overwrite" if overwrite else "create", use_multipart=False)
            except _TAKEN as error:
                raise ObjectExists(key) from error

    def get(self, key: str) -> bytes:
        check_key(key)
        with self._refusals(key):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except _MISSING:
                raise KeyError(key) from None

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)
        if keys:
            with self._refusals(keys[0]), contextlib.suppress(*_MISSING):
                obstore.delete(self._store, list(keys))

    @contextlib.contextmanager
    def local_copies(self, keys: Sequence[str]) -> Iterator[list[str]]:
        """Give copies in a temporary folder that goes with the context. Raises KeyError for one that is not there."""
        with TemporaryDirectory(prefix="avesa-lake-") as folder:
            # The ending tells readers the format; the number keeps equal names apart.
            paths = [Path(folder, f"{number}-{key.rpartition('/')[2]}") for number, key in enumerate(keys)]
            with ThreadPoolExecutor(max(min(_DOWNLOADS, len(keys)), 1), thread_name_prefix="avesa-s3") as pool:
                for _ in pool.map(self._download, keys, paths):
                    pass
            yield [str(path) for path in paths]

    def table_uri(self, prefix: str) -> tuple[str, dict[str, str]]:
        """Return the table's address, with options that hold this lake's own credentials as they are now."""
        check_key(prefix.removesuffix("/"))
        now = self._access.credentials()
        options = {
            "AWS_REGION": self._access.region,
            "AWS_ACCESS_KEY_ID": now.access_key_id,
            "AWS_SECRET_ACCESS_KEY": now.secret_access_key,
            # S3 refuses a put on a key that is taken, so commits need no lock of their own.
            "aws_conditional_put": "etag",
        }
        if now.session_token is not None:
            options["AWS_SESSION_TOKEN"] = now.session_token
        if self._access.endpoint_url is not None:
            options["AWS_ENDPOINT_URL"] = self._access.endpoint_url
            options["AWS_ALLOW_HTTP"] = str(_is_plain(self._access.endpoint_url)).lower()
        return f"s3://{self._bucket}/{prefix.removesuffix('/')}", options

    def _download(self, key: str, path: Path) -> None:
        check_key(key)
        with self._refusals(key), path.open("wb") as file:
            try:
                for block in obstore.get(self._store, key):
                    file.write(block)
            except _MISSING:
                raise KeyError(key) from None

    def _credential(self) -> S3Credential:
        now = self._access.credentials()
        return {
            "access_key_id": now.access_key_id,
            "secret_access_key": now.secret_access_key,
            "token": now.session_token,
            # In this very time zone: boto3's own stands for the same and is refused.
            "expires_at": (now.expires_at or datetime.now(UTC) + _ASK_AGAIN).astimezone(UTC),
        }

    @contextlib.contextmanager
    def _refusals(self, key: str) -> Iterator[None]:
        where = f"lake object {key} in s3://{self._bucket}"
        try:
            yield
        except (BaseError, OSError) as error:
            words = _first_line(error)
            # A refused listing comes as an error of no kind of its own.
            if isinstance(error, _DENIED) or "403 Forbidden" in str(error):
                raise StorageError(
                    f"{where}: AWS answered AccessDenied ({words}); these credentials have no right to it"
                ) from error
            raise StorageError(f"{where}: {words}; look at bucket, region and network, then run again") from error

    # Last, since its name hides the built-in type from the annotations that follow.
    def list(self, prefix: str) -> list[ObjectInfo]:
        check_prefix(prefix)
        with self._refusals(prefix):
            found = [
                ObjectInfo(key=meta["path"], size_bytes=meta["size"], modified_at=meta["last_modified"])
                for batch in obstore.list(self._store, prefix=prefix or None)
                for meta in batch
            ]
        return sorted(found, key=lambda info: info.key)


def _is_plain(endpoint_url: str | None) -> bool:
    return endpoint_url is not None and endpoint_url.startswith("http://")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
