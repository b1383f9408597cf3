"""What only secrets on a disk can get wrong: who may read them, a lost key, a value that shows somewhere."""

from __future__ import annotations

import os
import stat
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from avesa.adapters.local.secrets import EncryptedSecretStore, SecretKey
from avesa.domain.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "acme/connectwise-local"
PLANTED = "planted-secret-0451"
VALUES = {"company_id": "acme", "private_key": PLANTED}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "avesa" / "secret.key"


def _store(home: Path, key_file: Path, value: str | None = None) -> EncryptedSecretStore:
    return EncryptedSecretStore(home / "secrets", SecretKey(key_file, value=value))


def _new_key() -> str:
    return Fernet.generate_key().decode()


def _bytes_below(folder: Path) -> bytes:
    return b"\n".join(path.name.encode() + path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_first_secret_makes_a_key_away_from_the_data(home: Path, key_file: Path) -> None:
    _store(home, key_file).put(NAME, VALUES)

    assert _store(home, key_file).get(NAME) == VALUES
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["acme%2Fconnectwise-local.secret"]
    assert key_file.read_bytes().strip() not in _bytes_below(home)


def test_a_given_key_makes_no_key_file(home: Path, key_file: Path) -> None:
    key = _new_key()
    _store(home, key_file, key).put(NAME, VALUES)

    assert _store(home, key_file, key).get(NAME) == VALUES
    assert not key_file.exists()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_only_the_owner_may_read_secrets_and_key(home: Path, key_file: Path) -> None:
    (home / "secrets").mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        _store(home, key_file).put(NAME, VALUES)
    finally:
        os.umask(before)

    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in [home / "secrets", *(home / "secrets").iterdir(), key_file, key_file.parent]
    }
    assert modes == {
        "secrets": 0o700,
        "acme%2Fconnectwise-local.secret": 0o600,
        "secret.key": 0o600,
        "avesa": 0o700,
    }


def test_threads_that_store_the_first_secrets_together_share_one_key(home: Path, key_file: Path) -> None:
    start = threading.Barrier(6)

    def put(number: int) -> None:
        store = _store(home, key_file)
        start.wait()
        store.put(f"tenant-{number}/connectwise", VALUES)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(put, range(6)))

    assert [_store(home, key_file).get(f"tenant-{number}/connectwise") for number in range(6)] == [VALUES] * 6


@pytest.mark.parametrize("folder", ["home", "home/secrets"])
def test_a_key_beside_the_data_is_refused(home: Path, tmp_path: Path, folder: str) -> None:
    with pytest.raises(ConfigError, match="another folder"):
        _store(home, tmp_path / folder / "secret.key")


def _wrong_key(home: Path, key_file: Path) -> EncryptedSecretStore:
    _store(home, key_file, _new_key()).put(NAME, VALUES)
    return _store(home, key_file, _new_key())


def _lost_key(home: Path, key_file: Path) -> EncryptedSecretStore:
    _store(home, key_file).put(NAME, VALUES)
    key_file.unlink()
    return _store(home, key_file)


def _cut_key(home: Path, key_file: Path) -> EncryptedSecretStore:
    _store(home, key_file).put(NAME, VALUES)
    key_file.write_text(f"{PLANTED}\n")
    return _store(home, key_file)


def _no_key(home: Path, key_file: Path) -> EncryptedSecretStore:
    _store(home, key_file).put(NAME, VALUES)
    return _store(home, key_file, PLANTED)


def _cut_secret(home: Path, key_file: Path) -> EncryptedSecretStore:
    _store(home, key_file).put(NAME, VALUES)
    file = home / "secrets" / "acme%2Fconnectwise-local.secret"
    file.write_bytes(file.read_bytes()[:-9])
    return _store(home, key_file)


def _foreign_content(home: Path, key_file: Path) -> EncryptedSecretStore:
    store = _store(home, key_file)
    store.put(NAME, VALUES)
    token = Fernet(key_file.read_bytes().strip()).encrypt(f'["{PLANTED}"'.encode())
    (home / "secrets" / "acme%2Fconnectwise-local.secret").write_bytes(token)
    return store


def _swapped(home: Path, key_file: Path) -> EncryptedSecretStore:
    store = _store(home, key_file)
    store.put("other/connectwise-local", VALUES)
    (home / "secrets" / "other%2Fconnectwise-local.secret").rename(home / "secrets" / "acme%2Fconnectwise-local.secret")
    return store


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_wrong_key, r"acme.*\.secret.*AVESA_SECRET_KEY.*another key.*setup-service"),
        (_lost_key, r"acme.*\.secret.*missing.*secret\.key.*setup-service"),
        (_cut_key, r"secret\.key holds no key.*put the right one back"),
        (_no_key, r"AVESA_SECRET_KEY holds no key.*44 characters"),
        (_cut_secret, r"acme.*\.secret.*secret\.key.*damaged.*setup-service"),
        (_foreign_content, r"acme.*\.secret.*setup-service"),
        (_swapped, r"acme.*\.secret.*another name.*setup-service"),
    ],
    ids=lambda value: getattr(value, "__name__", "")[1:],
)
def test_what_cannot_be_read_is_explained_without_a_value(
    home: Path, key_file: Path, spoil: object, message: str
) -> None:
    assert callable(spoil)
    store = spoil(home, key_file)

    with pytest.raises(ConfigError, match=message) as refused:
        store.get(NAME)

    # Everything that a log or a crash report could print.
    told = "".join(traceback.format_exception(refused.value))
    assert PLANTED not in told
    assert refused.value.__cause__ is None


def test_a_lost_key_is_not_papered_over_with_a_new_one(home: Path, key_file: Path) -> None:
    store = _lost_key(home, key_file)

    with pytest.raises(ConfigError, match=r"missing"):
        store.put("other/connectwise-local", VALUES)

    assert not key_file.exists()


def test_a_planted_secret_is_in_no_file_and_no_text(home: Path, key_file: Path) -> None:
    key = _new_key()
    for store in (_store(home, key_file), _store(home, key_file, key)):
        store.put(NAME, VALUES)
        store.get(NAME)

        assert PLANTED.encode() not in _bytes_below(home)
        assert PLANTED not in repr(store)
        assert key not in repr(store)


def test_a_folder_that_cannot_be_made_is_told_without_a_value(tmp_path: Path, key_file: Path) -> None:
    (tmp_path / "home").write_bytes(b"")

    with pytest.raises(StorageError, match=r"acme.*\.secret") as refused:
        _store(tmp_path / "home", key_file).put(NAME, VALUES)

    assert PLANTED not in "".join(traceback.format_exception(refused.value))


def test_a_key_file_that_cannot_be_read_is_told(home: Path, key_file: Path) -> None:
    _store(home, key_file).put(NAME, VALUES)
    key_file.unlink()
    key_file.mkdir()

    with pytest.raises(StorageError, match=r"secret\.key"):
        _store(home, key_file).get(NAME)
