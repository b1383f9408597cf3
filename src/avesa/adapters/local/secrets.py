"""Credentials on this machine's disk, encrypted, with the key kept apart from the data.

A copy of the home folder (a backup, a support bundle, a synchronised folder) gives nobody the credentials.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from avesa.adapters.local.files import make_folder, refusals, write_file
from avesa.domain.errors import ConfigError
from avesa.ports.decoding import decoder

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_FILE_ENDING: Final = ".secret"
_OWNER_ONLY_FOLDER: Final = 0o700
_OWNER_ONLY_FILE: Final = 0o600


class SecretKey:
    """Where the key comes from: `value` (of AVESA_SECRET_KEY) if there is one, else the file at `path`.

    A value is 32 random bytes in URL-safe base64, as `Fernet.generate_key()` makes them.
    """

    def __init__(self, path: str | os.PathLike[str], *, value: str | None = None) -> None:
        self.path = Path(path).absolute()
        self._value = value

    def __repr__(self) -> str:
        return f"SecretKey({self.place})"

    @property
    def is_file(self) -> bool:
        """Whether the key comes from the file, which may have to be made first."""
        return not self._value

    @property
    def place(self) -> str:
        """Where a person finds the key; not the key."""
        return "AVESA_SECRET_KEY" if self._value else str(self.path)

    def load(self) -> Fernet | None:
        """Return the key, or None when there is no key file yet. Raises ConfigError when what is there is no key."""
        if self._value:
            return self._fernet(self._value.encode())
        with refusals(f"key file {self.path}"), contextlib.suppress(FileNotFoundError):
            return self._fernet(self.path.read_bytes().strip())
        return None

    def make(self) -> None:
        """Make the key file, for its owner only; of several processes the first one's key stays."""
        with refusals(f"key file {self.path}"):
            make_folder(self.path.parent, mode=_OWNER_ONLY_FOLDER)
            with contextlib.suppress(FileExistsError):
                write_file(self.path, Fernet.generate_key() + b"\n", overwrite=False, mode=_OWNER_ONLY_FILE)

    def _fernet(self, key: bytes) -> Fernet:
        with contextlib.suppress(ValueError):
            return Fernet(key)
        raise ConfigError(
            f"{self.place} holds no key: 32 random bytes in URL-safe base64 are needed (44 characters); put the right "
            "one back, or make a new one with Fernet.generate_key() of the package cryptography and set the tenants up "
            "again"
        )


class EncryptedSecretStore:
    """One encrypted file per name in `folder`, for its owner only. Values show in no message and no repr."""

    def __init__(self, folder: str | os.PathLike[str], key: SecretKey) -> None:
        self._folder = Path(folder).absolute()
        self._key = key
        if key.is_file and key.path.parent in (self._folder, self._folder.parent):
            raise ConfigError(
                f"the key file {key.path} would lie beside the secrets in {self._folder}, where a copy of the data "
                "takes both along; keep it in another folder"
            )

    def __repr__(self) -> str:
        return f"EncryptedSecretStore({str(self._folder)!r}, {self._key!r})"

    def get(self, name: str) -> dict[str, str] | None:
        path = self._path(name)
        with refusals(f"secret file {path}"):
            try:
                token = path.read_bytes()
            except FileNotFoundError:
                return None
        return _open(token, self._required_key(path), name=name, path=path, place=self._key.place)

    def put(self, name: str, values: dict[str, str]) -> None:
        path = self._path(name)
        with refusals(f"secret file {path}"):
            make_folder(self._folder, mode=_OWNER_ONLY_FOLDER)
            # An unpacked backup may have opened it to others.
            self._folder.chmod(_OWNER_ONLY_FOLDER)
        key = self._key_to_write_with(path)
        # The name is inside too: a file that was moved to another tenant's name is not taken for that tenant's.
        token = key.encrypt(msgspec.json.encode(_Content(name=name, values=values)))
        with refusals(f"secret file {path}"):
            write_file(path, token, overwrite=True, mode=_OWNER_ONLY_FILE)

    def rotate(self, name: str, values: dict[str, str]) -> None:
        present = self.get(name)
        if present is not None:
            self.put(_previous(name), present)
        self.put(name, values)

    def previous(self, name: str) -> dict[str, str] | None:
        return self.get(_previous(name))

    def settle(self, name: str, *, keep_new: bool) -> None:
        old = None if keep_new else self.previous(name)
        if old is not None:
            self.put(name, old)
        self._unlink(_previous(name))

    def delete(self, name: str) -> None:
        self._unlink(_previous(name))
        self._unlink(name)

    def _unlink(self, name: str) -> None:
        path = self._path(name)
        with refusals(f"secret file {path}"):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}{_FILE_ENDING}"

    def _required_key(self, path: Path) -> Fernet:
        key = self._key.load()
        if key is None:
            raise ConfigError(
                f"secret file {path} cannot be read: its key is missing ({self._key.place}); put the key back, or set "
                f"AVESA_SECRET_KEY, or delete the files in {self._folder} and run avesa setup-service for every tenant"
            )
        return key

    def _key_to_write_with(self, path: Path) -> Fernet:
        key = self._key.load()
        if key is None and not any(self._others()):
            self._key.make()
        # With secrets but no key, a new key would hide the loss until the next run of another tenant.
        return key or self._required_key(path)

    def _others(self) -> Iterator[Path]:
        return self._folder.glob(f"*{_FILE_ENDING}")


def _previous(name: str) -> str:
    """Return the name under which what was there before a rotation lies; nobody else's can be the same."""
    return f"{name}\0previous"


class _Content(msgspec.Struct):
    name: str
    values: dict[str, str]


def _open(token: bytes, key: Fernet, *, name: str, path: Path, place: str) -> dict[str, str]:
    # `from None` throughout: a decoding error could quote what it was decoding.
    try:
        content = decoder(_Content).decode(key.decrypt(token))
    except InvalidToken:
        raise ConfigError(
            f"secret file {path} cannot be decrypted with the key in {place}: it was written with another key, or is "
            "damaged; give the key that it was written with, or run avesa setup-service for this tenant again"
        ) from None
    except msgspec.DecodeError:
        raise ConfigError(
            f"secret file {path} does not hold what avesa stores there; run avesa setup-service for this tenant again"
        ) from None
    if content.name != name:
        raise ConfigError(
            f"secret file {path} holds the credentials of another name; it was moved or copied here: delete it, then "
            "run avesa setup-service for this tenant again"
        )
    return content.values
