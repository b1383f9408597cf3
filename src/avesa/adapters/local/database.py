"""The state's SQLite file: opened, given its schema, and shared by threads and processes, one writer at a time."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

from avesa.adapters.local.files import make_folder, refusals
from avesa.domain.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_VERSION: Final = 2
"""What `PRAGMA user_version` says of a file that this release reads and writes."""

# Values are JSON text, so that a field added to a record needs no migration; what a query asks for is a column.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS TenantServices (
    tenant_id TEXT NOT NULL, service TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (tenant_id, service)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS LastUpdated (
    tenant_id TEXT NOT NULL, table_name TEXT NOT NULL, fence INTEGER NOT NULL DEFAULT 0, lease TEXT, value TEXT,
    PRIMARY KEY (tenant_id, table_name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ProcessingJobs (
    tenant_id TEXT NOT NULL, job_id TEXT NOT NULL, started_us INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (tenant_id, job_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ProcessingJobsByStart ON ProcessingJobs (started_us, job_id);
CREATE INDEX IF NOT EXISTS ProcessingJobsById ON ProcessingJobs (job_id);
CREATE TABLE IF NOT EXISTS ChunkProgress (
    tenant_id TEXT NOT NULL, chunk_id TEXT NOT NULL, table_name TEXT NOT NULL, job_id TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ChunkProgressByTable ON ChunkProgress (tenant_id, table_name, job_id, chunk_id);
CREATE TABLE IF NOT EXISTS RequestPauses (
    company TEXT NOT NULL PRIMARY KEY, told_us INTEGER NOT NULL, until_us INTEGER NOT NULL
) WITHOUT ROWID;
"""

_PAUSE_SECONDS: Final = 0.02

_WHAT_TO_DO: Final = (
    ("SQLITE_FULL", "free space on this disk, then run again"),
    ("SQLITE_READONLY", "give this user the right to write the file and its folder, or choose another with --home"),
    ("SQLITE_CANTOPEN", "give this user the right to write the file and its folder, or choose another with --home"),
    ("SQLITE_BUSY", "another process keeps it locked: wait for its end, or end it, then run again"),
    ("SQLITE_LOCKED", "another process keeps it locked: wait for its end, or end it, then run again"),
    ("SQLITE_NOTADB", "it is not a state file of avesa: move it away, then set the tenants up again"),
    ("SQLITE_CORRUPT", "it is damaged: put a copy of it back, or move it away and set the tenants up again"),
    ("SQLITE_IOERR", "the disk reports an error: check it before anything else is written"),
)


class SqliteDatabase:
    """One SQLite file. A connection serves one thread at a time and is kept for the next one that asks.

    Threads come and go with every executor call, so connections belong to a pool and not to threads: none is left
    open by a thread that ended. Every method raises StorageError with the file, the cause and what to do.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_seconds: float = 30.0) -> None:
        self.path = Path(path).absolute()
        self._busy_timeout_seconds = busy_timeout_seconds
        self._lock = threading.Lock()
        # By process id: a forked child must neither use nor close what its parent opened.
        self._idle: dict[int, list[sqlite3.Connection]] = {}
        weakref.finalize(self, _close_idle, self._idle)

    def __repr__(self) -> str:
        return f"SqliteDatabase({str(self.path)!r})"

    def __reduce__(self) -> tuple[type[SqliteDatabase], tuple[str]]:
        return SqliteDatabase, (str(self.path),)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for statements that change nothing."""
        with self._translated(), self._connection() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that alone may write; all of it is durable at the end, or none of it after an exception."""
        with self._translated(), self._connection() as connection, _transaction(connection):
            yield connection

    def close(self) -> None:
        """Close the connections that nobody uses; a later call opens new ones."""
        with self._lock:
            _close_idle(self._idle)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            idle = self._idle.setdefault(os.getpid(), [])
            connection = idle.pop() if idle else None
        connection = connection or self._open()
        try:
            yield connection
        except sqlite3.Error:
            connection.close()  # whatever state it is in, the next caller gets a fresh one
            raise
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._idle.setdefault(os.getpid(), []).append(connection)

    def _open(self) -> sqlite3.Connection:
        with refusals(f"state file {self.path}"):
            make_folder(self.path.parent)
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")
            self._ensure_schema(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _ensure_schema(self, connection: sqlite3.Connection) -> None:
        if self._version(connection) == SCHEMA_VERSION:
            return
        self._switch_to_wal(connection)
        with _transaction(connection):
            if self._version(connection) < SCHEMA_VERSION:
                for statement in _SCHEMA.split(";"):  # executescript would commit in between
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _version(self, connection: sqlite3.Connection) -> int:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"state file {self.path} has schema version {version}, this avesa knows {SCHEMA_VERSION}: "
                "a newer avesa wrote it; upgrade avesa"
            )
        return version

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        # Here SQLite does not wait for another writer, whatever the busy timeout (tried with 3.40): of two processes
        # that create the file together, one would fail. The mode stays with the file, so this happens once.
        deadline = time.monotonic() + self._busy_timeout_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if not _name(error).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = _name(error)
            advice = next(
                (text for prefix, text in _WHAT_TO_DO if name.startswith(prefix)), "mend the cause, then run again"
            )
            raise StorageError(f"state file {self.path}: {error}; {advice}") from error


def _close_idle(idle: dict[int, list[sqlite3.Connection]]) -> None:
    for connection in idle.pop(os.getpid(), []):
        connection.close()


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE: a transaction that reads first and then writes could find that another one wrote in between.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors (a full disk), and then refuses to do so again.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _name(error: sqlite3.Error) -> str:
    # Absent on errors that the module raises before SQLite is asked.
    return getattr(error, "sqlite_errorname", "")
