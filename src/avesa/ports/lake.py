"""The lake's objects and the secrets: bytes under keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - a record's type is looked up by tools at run time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """A stored object: its key relative to the lake's root, with '/', its size, and when it was put."""

    key: str
    size_bytes: int
    modified_at: datetime | None = field(default=None, compare=False)
    """By the store's own clock; None where the store does not tell."""


class ObjectExists(Exception):  # noqa: N818 - a fact about the key, the caller decides what it means
    """There is an object under this key already; nothing was written."""


class Lake(Protocol):
    """Immutable objects under '/'-separated keys; a put is whole or not at all, and durable when it returns.

    Raises StorageError with the key and the cause when the store refuses (full, read-only, gone).
    """

    def put(self, key: str, data: bytes, *, overwrite: bool = False) -> None:
        """Store `data`; without `overwrite` raises ObjectExists if the key is taken."""

    def get(self, key: str) -> bytes:
        """Return the object's bytes; raises KeyError when there is none."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete the objects; one that is not there is no error."""

    def local_copies(self, keys: Sequence[str]) -> AbstractContextManager[list[str]]:
        """Give paths of this machine's file system to read the objects from, for as long as the context lasts."""

    def table_uri(self, prefix: str) -> tuple[str, dict[str, str]]:
        """Return the address and storage options with which delta-rs opens the table under `prefix`."""

    def list(self, prefix: str) -> list[ObjectInfo]:
        """Return the objects whose keys begin with `prefix` (ends with '/'), sorted by key, unfinished puts left
        out.
        """


class SecretStore(Protocol):
    """Credentials by name (see domain.names.secret_name); values never appear in errors or logs."""

    def get(self, name: str) -> dict[str, str] | None:
        """Return the credentials, or None."""

    def put(self, name: str, values: dict[str, str]) -> None:
        """Store the credentials, in place of earlier ones."""

    def rotate(self, name: str, values: dict[str, str]) -> None:
        """Store the credentials in place of the present ones, which stay as the previous ones until they are forgotten.

        A crash leaves the present ones in use or the new ones, never none.
        """

    def previous(self, name: str) -> dict[str, str] | None:
        """Return the credentials before the last rotation, or None."""

    def settle(self, name: str, *, keep_new: bool) -> None:
        """Forget the previous credentials; without `keep_new` they are taken back into use first."""

    def delete(self, name: str) -> None:
        """Forget the credentials, the previous ones too; none there is no error."""
