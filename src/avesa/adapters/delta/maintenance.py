"""Maintenance of Delta tables: buckets written together again, files that no reader needs any more, a short log."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import duckdb
import msgspec
from arro3.core import Table
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction

from avesa.adapters.delta.manifests import FoldManifests
from avesa.adapters.delta.store import FOLD_TRANSACTION, PARTITION, DeltaCanonicalStore
from avesa.domain.errors import CommitConflict, CommitOutcomeUnknown, StorageError
from avesa.domain.names import canonical_prefix
from avesa.ports.decoding import decoder
from avesa.ports.tables import TableFile
from avesa.ports.upkeep import TableSurvey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.ports.lake import Lake
    from avesa.ports.tables import TableSnapshot
    from avesa.ports.time import Clock

_LOG: Final = "_delta_log/"
_FOLDS: Final = "_avesa/folds/"
_MEMORY_LIMIT: Final = "256MB"
_TICK: Final = timedelta(milliseconds=1)
"""The log tells times to the millisecond, rounded down."""


class _LastCheckpoint(msgspec.Struct):
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A bucket's new file, how many rows it has, and the files that it replaces."""

    file: TableFile
    rows: int
    replaced: tuple[TableFile, ...]


class DeltaTableMaintainer:
    """A TableMaintainer on any Lake."""

    def __init__(self, lake: Lake, clock: Clock) -> None:
        self._lake, self._clock = lake, clock

    def survey(self, snapshot: TableSnapshot, *, keep_since: datetime) -> TableSurvey:
        if snapshot.version is None:
            return TableSurvey()
        prefix = _prefix(snapshot)
        # What lies there is listed before the log is read: what is written meanwhile is in neither.
        lying = self._lake.list(prefix)
        with _readable(snapshot):
            table = self._table(snapshot)
            oldest = _oldest_needed(table, keep_since)
            needed = {*self._files(snapshot, oldest), *self._added_since(snapshot, oldest)}
            oldest_fold = self._oldest_fold(snapshot, oldest)
        unneeded = [
            info
            for info in lying
            if info.modified_at is not None
            and info.modified_at < keep_since
            and _is_unneeded(info.key.removeprefix(prefix), needed, oldest_fold)
        ]
        return TableSurvey(
            oldest_kept=oldest,
            split=_split(snapshot),
            unneeded=tuple(unneeded),
            log_entries=snapshot.version - self._checkpoint(prefix),
        )

    def settle(self, snapshot: TableSnapshot, survey: TableSurvey, *, token: str) -> TableSnapshot:
        written = list(self._together(snapshot, survey, token))
        at = int(self._clock.now().timestamp() * 1000)
        actions: list[AddAction | RemoveAction] = [_removal(file, at) for item in written for file in item.replaced]
        actions += [_addition(item, at) for item in written]
        name = f"{snapshot.tenant_id}/{snapshot.mapping.table}"
        try:
            table = self._table(snapshot)
            table.create_write_transaction(
                actions,
                mode="append",
                schema=table.schema(),
                partition_by=[PARTITION],
                commit_properties=CommitProperties(custom_metadata={"avesaMaintenance": token}, max_commit_retries=0),
            )
        except CommitFailedError as error:
            raise CommitConflict(f"{name}: another commit came before that of the maintenance ({error})") from error
        except (DeltaError, OSError) as error:
            raise CommitOutcomeUnknown(
                f"{name}: the maintenance's commit did not answer ({error}); nothing was deleted, maintain it again"
            ) from error
        return DeltaCanonicalStore(self._lake, self._clock).open(snapshot.tenant_id, snapshot.service, snapshot.mapping)

    def discard(self, snapshot: TableSnapshot, survey: TableSurvey) -> None:  # noqa: ARG002 - the keys say the table
        self._lake.delete([info.key for info in survey.unneeded])

    def shorten_log(self, snapshot: TableSnapshot) -> int:
        log = f"{_prefix(snapshot)}{_LOG}"
        before = len(self._lake.list(log))
        with _readable(snapshot):
            table = self._table(snapshot)
            table.create_checkpoint()
            after_checkpoint = len(self._lake.list(log))
            # Keeps what readers of the last 30 days may need: Delta's own setting, longer than any retention of ours.
            table.cleanup_metadata()
        return max(before, after_checkpoint) - len(self._lake.list(log))

    def _table(self, snapshot: TableSnapshot, version: int | None = None) -> DeltaTable:
        uri, options = self._lake.table_uri(_prefix(snapshot))
        wanted = snapshot.version if version is None else version
        return DeltaTable(uri, version=wanted, storage_options=options or None)

    def _files(self, snapshot: TableSnapshot, version: int) -> list[str]:
        if version == snapshot.version:
            return [file.path for file in snapshot.files]
        actions = Table.from_arrow(self._table(snapshot, version).get_add_actions(flatten=True))
        return [str(path) for path in actions.column("path").to_pylist()]

    def _added_since(self, snapshot: TableSnapshot, version: int) -> Iterator[str]:
        """Yield the files that the commits after a version added, those replaced again since too."""
        for number in range(version + 1, (snapshot.version or 0) + 1):
            for line in self._lake.get(f"{_prefix(snapshot)}{_LOG}{number:020d}.json").splitlines():
                added = json.loads(line).get("add")
                if added is not None:
                    yield added["path"]

    def _oldest_fold(self, snapshot: TableSnapshot, version: int) -> int:
        """Return the lowest number of a manifest that a version from `version` on is read with."""
        number = self._table(snapshot, version).transaction_version(FOLD_TRANSACTION)
        if number is None:
            return 0
        return FoldManifests(self._lake, _prefix(snapshot)).read(number).base or number

    def _checkpoint(self, prefix: str) -> int:
        """Return the version of the log's newest checkpoint; 0 when there is none."""
        try:
            text = self._lake.get(f"{prefix}{_LOG}_last_checkpoint")
        except KeyError:
            return 0
        return decoder(_LastCheckpoint).decode(text).version

    def _together(self, snapshot: TableSnapshot, survey: TableSurvey, token: str) -> Iterator[_Written]:
        """Write the buckets of more than one file as one file each, one bucket in memory at a time."""
        by_bucket: dict[int, list[TableFile]] = {}
        for file in survey.split:
            by_bucket.setdefault(file.bucket, []).append(file)
        for bucket, files in sorted(by_bucket.items()):
            yield self._one_file(snapshot, bucket, files, token)

    def _one_file(self, snapshot: TableSnapshot, bucket: int, files: list[TableFile], token: str) -> _Written:
        prefix = _prefix(snapshot)
        keys = [prefix + file.path for file in files]
        with (
            TemporaryDirectory(prefix="avesa-maintain-") as folder,
            self._lake.local_copies(keys) as paths,
            duckdb.connect(config={"threads": 1, "memory_limit": _MEMORY_LIMIT, "temp_directory": folder}) as database,
        ):
            target = Path(folder, "bucket.parquet")
            quoted = target.as_posix().replace("'", "''")
            query = (
                "COPY (SELECT * FROM read_parquet(?, hive_partitioning=false, union_by_name=true) "  # noqa: S608
                f"ORDER BY id::BIGINT, valid_from) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)"
            )
            (rows,) = database.execute(query, [paths]).fetchone() or (0,)
            content = target.read_bytes()
        path = f"{PARTITION}={bucket}/part-{token}.parquet"
        self._lake.put(prefix + path, content)
        file = TableFile(path=path, bucket=bucket, size_bytes=len(content))
        return _Written(file=file, rows=int(rows), replaced=tuple(files))


def _prefix(snapshot: TableSnapshot) -> str:
    return canonical_prefix(snapshot.tenant_id, snapshot.mapping.table)


def _oldest_needed(table: DeltaTable, keep_since: datetime) -> int:
    """Return the oldest version that was the newest one at some time since `keep_since`.

    v7 ──────── v8 ─────────────── v9 ──── now          v7 was replaced before, v8 may have a reader
                    keep_since
    """
    entries = sorted(table.history(), key=lambda entry: int(entry["version"]))
    first = int(entries[0]["version"])
    for entry in entries:
        if datetime.fromtimestamp(int(entry["timestamp"]) / 1000, UTC) + _TICK > keep_since:
            return max(int(entry["version"]) - 1, first)
    return table.version()


def _is_unneeded(path: str, needed: set[str], oldest_fold: int) -> bool:
    if path.startswith(_FOLDS):
        number = path.removeprefix(_FOLDS).removesuffix(".json")
        return number.isdigit() and int(number) < oldest_fold
    # What begins so is the log's, or ours and no data file.
    return not path.startswith("_") and path not in needed


def _split(snapshot: TableSnapshot) -> tuple[TableFile, ...]:
    files = Counter(file.bucket for file in snapshot.files)
    return tuple(file for file in snapshot.files if files[file.bucket] > 1)


def _removal(file: TableFile, at: int) -> RemoveAction:
    return RemoveAction(file.path, False, at, file.size_bytes, {PARTITION: str(file.bucket)})  # noqa: FBT003 - data_change


def _addition(item: _Written, at: int) -> AddAction:
    return AddAction(
        path=item.file.path,
        size=item.file.size_bytes,
        partition_values={PARTITION: str(item.file.bucket)},
        modification_time=at,
        data_change=False,  # the rows are those that were there
        stats=json.dumps({"numRecords": item.rows}),
    )


@contextmanager
def _readable(snapshot: TableSnapshot) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError, KeyError, ValueError) as error:
        raise StorageError(
            f"{snapshot.tenant_id}/{snapshot.mapping.table}: the table's log cannot be read ({error}); nothing was "
            "deleted. Raw is whole: run `avesa rebuild`"
        ) from error
