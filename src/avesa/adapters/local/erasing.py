"""Deletes for good on this machine: files with what half-finished writes left, rows with what SQLite keeps of them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from avesa.adapters.local.files import refusals
from avesa.domain.errors import StorageError
from avesa.domain.keys import check_key
from avesa.domain.model import Job
from avesa.domain.names import ALL_TENANTS
from avesa.ports.decoding import decoder
from avesa.ports.upkeep import ErasedObjects

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from avesa.adapters.local.database import SqliteDatabase

_TABLES: Final = ("TenantServices", "LastUpdated", "ProcessingJobs", "ChunkProgress")


class LocalEraser:
    """An Eraser for the lake's folder at `root` and the state in `database`. Folders that it empties go too."""

    def __init__(self, root: str | os.PathLike[str], database: SqliteDatabase) -> None:
        self._root = Path(root).absolute()
        self._database = database

    def objects(self, keys: Sequence[str]) -> ErasedObjects:
        paths = [self._root / check_key(key) for key in keys]
        return self._erase(path for path in paths if path.is_file())

    def below(self, prefix: str, *, keep: frozenset[str] = frozenset()) -> ErasedObjects:
        folder = self._root / check_key(prefix.removesuffix("/"))
        # Unfinished writes as well: a process that was killed leaves what it was about to store.
        found = self._erase(path for path in _files(folder) if path.relative_to(self._root).as_posix() not in keep)
        self._prune(folder)
        return found

    def state(self, tenant_id: str) -> dict[str, int]:
        with self._database.writing() as connection:
            counts = {name: _rows_deleted(connection, name, tenant_id) for name in _TABLES}
            counts["ProcessingJobs"] += _left_out_of_common_jobs(connection, tenant_id)
        self._forget()
        return counts

    def _erase(self, paths: Iterable[Path]) -> ErasedObjects:
        keys, size_bytes = [], 0
        with refusals(f"lake {self._root}"):
            for path in sorted(paths):
                keys.append(path.relative_to(self._root).as_posix())
                size_bytes += path.stat().st_size
                path.unlink()
                self._prune(path.parent)
        return ErasedObjects(keys=tuple(keys), size_bytes=size_bytes)

    def _prune(self, folder: Path) -> None:
        """Remove the folder and those above it for as long as they are empty, never the root."""
        # One that is not empty, or gone already, ends it; so does a reader on Windows.
        with contextlib.suppress(OSError):
            while folder != self._root and folder.is_relative_to(self._root):
                folder.rmdir()
                folder = folder.parent

    def _forget(self) -> None:
        """Rewrite the file: SQLite keeps deleted rows in free pages, and in its log, until they are needed."""
        with self._database.reading() as connection:
            connection.execute("VACUUM")
            is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise StorageError(
                f"state file {self._database.path}: another process is reading it, so that its log still holds what "
                "was deleted; end that process, then call the same command again"
            )


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _rows_deleted(connection: sqlite3.Connection, table: str, tenant_id: str) -> int:
    return connection.execute(f"DELETE FROM {table} WHERE tenant_id = ?", (tenant_id,)).rowcount  # noqa: S608 - ours


def _left_out_of_common_jobs(connection: sqlite3.Connection, tenant_id: str) -> int:
    """Take the tenant's results out of the runs over all tenants; return how many had one."""
    rows = connection.execute("SELECT job_id, value FROM ProcessingJobs WHERE tenant_id = ?", (ALL_TENANTS,)).fetchall()
    changed = 0
    for job_id, value in rows:
        job = decoder(Job).decode(value)
        kept = tuple(result for result in job.tenants if result.tenant_id != tenant_id)
        if len(kept) != len(job.tenants):
            changed += 1
            connection.execute(
                "UPDATE ProcessingJobs SET value = ? WHERE tenant_id = ? AND job_id = ?",
                (msgspec.json.encode(replace(job, tenants=kept)).decode(), ALL_TENANTS, job_id),
            )
    return changed
