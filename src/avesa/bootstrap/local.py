"""The embedded default: a folder, SQLite, threads and processes. The one place where the local adapters are chosen."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from avesa.adapters.delta.audit import DeltaTableAudit
from avesa.adapters.delta.maintenance import DeltaTableMaintainer
from avesa.adapters.delta.store import DeltaCanonicalStore
from avesa.adapters.http.transport import Urllib3Transport
from avesa.adapters.local.budget import BudgetBook, SqlitePause
from avesa.adapters.local.database import SqliteDatabase
from avesa.adapters.local.erasing import LocalEraser
from avesa.adapters.local.events import JsonLinesSink, TeeSink
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.local.liveness import ProcessLiveness
from avesa.adapters.local.secrets import EncryptedSecretStore, SecretKey
from avesa.adapters.local.state import SqliteChunkLedger, SqliteJobLedger, SqliteTableStates, SqliteTenantRegistry
from avesa.adapters.machine.clock import SystemClock
from avesa.adapters.machine.processes import ProcessExecutor
from avesa.adapters.parquet.raw import ParquetRawStore
from avesa.adapters.parquet.reading import ParquetRawReader
from avesa.application.catalog import publish_catalog
from avesa.application.context import Bounds, StepContext
from avesa.application.pipeline import Application
from avesa.bootstrap.packaged import packaged_mappings
from avesa.bootstrap.prices import load_prices
from avesa.domain.errors import StorageError, UsageError
from avesa.domain.names import Environment
from avesa.ports.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from avesa.ports.work import EventSink


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """What a user may set for the local home."""

    home: Path
    mappings: Path | None = None
    """A folder of mappings in place of the package's own."""
    is_lake_mapped: bool = False
    """Leave the lake the mappings that it has: for work on what was loaded with them."""
    secret_key: str | None = field(default=None, repr=False)
    bounds: Bounds = field(default_factory=Bounds)
    parsing_processes: int | None = None
    """None: one for each core."""
    sinks: tuple[EventSink, ...] = ()
    is_stopping: Callable[[], bool] = _never

    @property
    def lake(self) -> Path:
        """The folder of the lake."""
        return self.home / Environment.LOCAL.lake_name

    @property
    def events_file(self) -> Path:
        """Where every event of this home is kept, one JSON object a line."""
        return self.home / "logs" / "events.jsonl"


def key_file() -> Path:
    """Return where the key of the local secrets lies: the user's own configuration, never beside the data."""
    return Path(platformdirs.user_config_dir("avesa", appauthor=False)) / "secret.key"


@contextmanager
def local_application(settings: LocalSettings) -> Iterator[Application]:
    """Give the application of a local home, with its mappings brought into the lake; close what it opened.

    Raises StorageError for a home that cannot be used (read-only, full, from a newer version) and ConfigError for
    mappings that are not valid; nothing is changed then.
    """
    clock = SystemClock()
    database = SqliteDatabase(settings.home / "state.sqlite3")
    lake = LocalLake(settings.lake)
    if database.path.exists():
        # A home of a newer version must be refused before the first write.
        try:
            SqliteTenantRegistry(database).list()
        except StorageError:
            database.close()
            raise
    if not settings.is_lake_mapped:
        publish_catalog(lake, _mappings(settings), folder=str(settings.mappings or "mappings"))
    transport = Urllib3Transport()
    executor = ProcessExecutor(settings.parsing_processes)
    liveness = ProcessLiveness(settings.home / "runs", ttl_seconds=settings.bounds.lease_ttl_seconds)
    context = StepContext(
        environment=Environment.LOCAL,
        registry=SqliteTenantRegistry(database),
        tables=SqliteTableStates(database),
        jobs=SqliteJobLedger(database),
        chunks=SqliteChunkLedger(database),
        lake=lake,
        secrets=EncryptedSecretStore(settings.home / "secrets", SecretKey(key_file(), value=settings.secret_key)),
        raw=ParquetRawStore(lake),
        canonical=DeltaCanonicalStore(lake, clock),
        transport=transport,
        budget=BudgetBook(clock=clock, pause=lambda company: SqlitePause(database, company, clock=clock)).get,
        clock=clock,
        executor=executor,
        liveness=liveness,
        events=TeeSink([JsonLinesSink(settings.events_file, clock=clock), *settings.sinks]),
        random=random.SystemRandom().random,
        is_stopping=settings.is_stopping,
        bounds=settings.bounds,
        prices=load_prices(),
        upkeep=Upkeep(
            raw=ParquetRawReader(lake),
            tables=DeltaTableAudit(lake),
            eraser=LocalEraser(settings.lake, database),
            maintainer=DeltaTableMaintainer(lake, clock),
        ),
    )
    try:
        yield Application(context)
    finally:
        executor.close()
        liveness.close()
        transport.close()
        database.close()


def _mappings(settings: LocalSettings) -> Mapping[str, bytes]:
    if settings.mappings is None:
        return packaged_mappings()
    folder = settings.mappings
    if not folder.is_dir():
        raise UsageError(f"--mappings {folder}: there is no such folder; it must hold integrations/ and canonical/")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.json"))}
