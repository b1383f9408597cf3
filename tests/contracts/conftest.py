"""The adapters of each port; a new adapter is done when it stands in its table and the suite passes."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography.fernet import Fernet

from avesa.adapters.local.database import SqliteDatabase
from avesa.adapters.local.executor import LocalExecutor
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.local.liveness import ProcessLiveness
from avesa.adapters.local.secrets import EncryptedSecretStore, SecretKey
from avesa.adapters.local.state import SqliteChunkLedger, SqliteJobLedger, SqliteTableStates, SqliteTenantRegistry
from avesa.adapters.memory.executor import InlineExecutor
from avesa.adapters.memory.lake import MemoryLake
from avesa.adapters.memory.liveness import MemoryLiveness
from avesa.adapters.memory.secrets import MemorySecretStore
from avesa.adapters.memory.state import MemoryState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avesa.ports.lake import Lake, SecretStore
    from avesa.ports.state import ChunkLedger, JobLedger, TableStates, TenantRegistry
    from avesa.ports.work import Executor, Liveness

NOBODY = 65534


class State(NamedTuple):
    """The four state ports over the same store."""

    tenants: TenantRegistry
    tables: TableStates
    jobs: JobLedger
    chunks: ChunkLedger


def _memory_state(_: Path) -> State:
    state = MemoryState()
    return State(state.tenants, state.tables, state.jobs, state.chunks)


def _sqlite_state(folder: Path) -> State:
    database = SqliteDatabase(folder / "home" / "state.sqlite3")
    return State(
        SqliteTenantRegistry(database),
        SqliteTableStates(database),
        SqliteJobLedger(database),
        SqliteChunkLedger(database),
    )


def _encrypted_secrets(folder: Path) -> SecretStore:
    key = SecretKey(folder / "config" / "secret.key", value=Fernet.generate_key().decode())
    return EncryptedSecretStore(folder / "home" / "secrets", key)


STATES: dict[str, Callable[[Path], State]] = {"memory": _memory_state, "sqlite": _sqlite_state}
LAKES: dict[str, Callable[[Path], Lake]] = {
    "memory": lambda _: MemoryLake(),
    "local": lambda folder: LocalLake(folder / "home" / "lake"),
}
SECRET_STORES: dict[str, Callable[[Path], SecretStore]] = {
    "memory": lambda _: MemorySecretStore(),
    "local": _encrypted_secrets,
}
LIVENESS: dict[str, Callable[[Path], Liveness]] = {
    "memory": lambda _: MemoryLiveness(),
    "local": lambda folder: ProcessLiveness(folder / "home" / "locks", ttl_seconds=0.04),
}
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "memory": InlineExecutor,
    "local": lambda: LocalExecutor(parsing_processes=2),
    "local, one process": lambda: LocalExecutor(parsing_processes=1),
}


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    return STATES[request.param](tmp_path)


@pytest.fixture(params=LAKES)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return LAKES[request.param](tmp_path)


@pytest.fixture(params=SECRET_STORES)
def secret_store(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStore:
    return SECRET_STORES[request.param](tmp_path)


@pytest.fixture(params=LIVENESS)
def liveness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Liveness]:
    made = LIVENESS[request.param](tmp_path)
    yield made
    if isinstance(made, ProcessLiveness):
        made.close()


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = EXECUTORS[request.param]()
    yield made
    if isinstance(made, LocalExecutor):
        made.close()


@pytest.fixture
def noon() -> datetime:
    return datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that may be read and not written, with a file `acme/a` of the byte "1"; not for Windows.

    To root no folder is read-only, so root runs the test as somebody else, who cannot enter pytest's own folders.
    """
    folder = Path(tempfile.mkdtemp(prefix="avesa-test-"))
    (folder / "acme").mkdir()
    (folder / "acme" / "a").write_bytes(b"1")
    for place in (folder / "acme", folder):
        place.chmod(0o555)
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    yield folder
    os.seteuid(user)
    for place in (folder, folder / "acme"):
        place.chmod(0o755)
    shutil.rmtree(folder)
