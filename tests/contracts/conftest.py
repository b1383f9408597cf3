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

from avesa.adapters.aws.lake import S3Lake
from avesa.adapters.aws.ledgers import DynamoChunkLedger, DynamoJobLedger
from avesa.adapters.aws.liveness import ExecutionLiveness
from avesa.adapters.aws.records import StateTables
from avesa.adapters.aws.secrets import SecretsManagerStore
from avesa.adapters.aws.state import DynamoTableStates, DynamoTenantRegistry
from avesa.adapters.local.database import SqliteDatabase
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.local.liveness import ProcessLiveness
from avesa.adapters.local.secrets import EncryptedSecretStore, SecretKey
from avesa.adapters.local.state import SqliteChunkLedger, SqliteJobLedger, SqliteTableStates, SqliteTenantRegistry
from avesa.adapters.machine.processes import ProcessExecutor
from avesa.adapters.machine.threads import ThreadExecutor
from avesa.adapters.memory.executor import InlineExecutor
from avesa.adapters.memory.lake import MemoryLake
from avesa.adapters.memory.liveness import MemoryLiveness
from avesa.adapters.memory.secrets import MemorySecretStore
from avesa.adapters.memory.state import MemoryState
from avesa.domain.names import Environment
from tests.emulator.servers import fresh_access, make_bucket, make_tables, open_emulator, real_dynamodb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _pytest.mark import ParameterSet

    from avesa.adapters.aws.access import AwsAccess
    from avesa.ports.lake import Lake, SecretStore
    from avesa.ports.state import ChunkLedger, JobLedger, TableStates, TenantRegistry
    from avesa.ports.work import Executor, Liveness

__all__ = ["open_emulator", "real_dynamodb"]  # fixtures, found here by name
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


def dynamo_state(access: AwsAccess) -> State:
    """The state in tables just made."""
    make_tables(access)
    tables = StateTables(access.dynamodb(), Environment.DEV)
    return State(
        DynamoTenantRegistry(tables), DynamoTableStates(tables), DynamoJobLedger(tables), DynamoChunkLedger(tables)
    )


def _emulated_lake(access: AwsAccess) -> Lake:
    return S3Lake(make_bucket(access, f"lake-{access.credentials().access_key_id}"), access)


def _execution_liveness(access: AwsAccess) -> Liveness:
    execution = f"arn:aws:states:{access.region}:000000000000:execution:TableProcessor-dev:one"
    return ExecutionLiveness(access.stepfunctions(), ttl_seconds=0.04, execution_arn=execution)


def _emulated(*names: str) -> list[ParameterSet]:
    return [pytest.param(name, marks=pytest.mark.emulator) for name in names]


# name -> the fixture of the server that it speaks to
SERVERS = {"emulator": "open_emulator", "dynamodb": "real_dynamodb"}


def _access(request: pytest.FixtureRequest) -> AwsAccess:
    server = request.getfixturevalue(SERVERS[request.param])
    return fresh_access(server if isinstance(server, str) else server.url)


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
    "processes": lambda: ProcessExecutor(parsing_processes=2),
    "one process": lambda: ProcessExecutor(parsing_processes=1),
    "threads": ThreadExecutor,
}


@pytest.fixture(params=[*STATES, *_emulated("emulator", "dynamodb")])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    if request.param in SERVERS:
        return dynamo_state(_access(request))
    return STATES[request.param](tmp_path)


@pytest.fixture(params=[*LAKES, *_emulated("emulator")])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param in SERVERS:
        return _emulated_lake(_access(request))
    return LAKES[request.param](tmp_path)


@pytest.fixture(params=[*SECRET_STORES, *_emulated("emulator")])
def secret_store(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStore:
    if request.param in SERVERS:
        return SecretsManagerStore(_access(request).secretsmanager())
    return SECRET_STORES[request.param](tmp_path)


@pytest.fixture(params=[*LIVENESS, *_emulated("emulator")])
def liveness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Liveness]:
    if request.param in SERVERS:
        yield _execution_liveness(_access(request))
        return
    made = LIVENESS[request.param](tmp_path)
    yield made
    if isinstance(made, ProcessLiveness):
        made.close()


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = EXECUTORS[request.param]()
    yield made
    if isinstance(made, ProcessExecutor):
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
