"""What looking after a lake needs beyond running: reading parts back, checking and maintaining tables, deleting for
good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - a record's type is looked up by tools at run time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.ports.lake import ObjectInfo
    from avesa.ports.tables import FoldGroup, RawPart, TableFile, TableSnapshot


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One row of a raw part; `payload` is UTF-8."""

    id: int
    last_updated: datetime | None
    ingested_at: datetime
    job_id: str
    chunk_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class StoredDeletion:
    """One row of a deletions part."""

    id: int
    found_missing_at: datetime
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawContent:
    """All that one raw part holds; of the two, one is empty."""

    records: tuple[StoredRecord, ...] = ()
    deletions: tuple[StoredDeletion, ...] = ()

    @property
    def ids(self) -> set[int]:
        """The distinct record ids in it."""
        return {row.id for row in self.records} | {row.id for row in self.deletions}


class RawReader(Protocol):
    """Raw parts, read back whole. A part is at most a page, so that it fits in memory."""

    def read(self, part: RawPart) -> RawContent:
        """Return every column of every row. Raises StorageError, with the key, when the part cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedGroup:
    """What comparing some buckets with a fresh fold of raw gave."""

    rows: int = 0
    """Rows that the table has."""
    current_rows: int = 0
    differing: tuple[int, ...] = ()
    """Ids whose rows are not those of the fold; ascending."""
    broken: tuple[tuple[int, str], ...] = ()
    """Ids whose rows break a rule of histories, and which."""


class TableAudit(Protocol):
    """Looks at canonical tables and writes nothing. Can be pickled, so that groups may be compared elsewhere."""

    def compare(self, group: FoldGroup) -> ComparedGroup:
        """Fold `group.parts` from nothing and compare with the rows in `group.files`, row for row, column for column.

        Raises StorageError when a file of the table cannot be read.
        """

    def strays(self, snapshot: TableSnapshot) -> list[str]:
        """Return the paths, relative to the table, of data files that no entry of the table's log names."""

    def rows_of(self, snapshot: TableSnapshot, record_id: int) -> int:
        """Return how many rows the snapshot has of a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSurvey:
    """What maintaining a table would do."""

    oldest_kept: int = 0
    """The oldest version that a reader may still open; its files and those of all later versions stay."""
    split: tuple[TableFile, ...] = ()
    """The files of buckets that have more than one: each such bucket would be written as one file."""
    unneeded: tuple[ObjectInfo, ...] = ()
    """Data files and manifests that no kept version needs and that were written before the retention began."""
    log_entries: int = 0
    """Commits since the log was last summed up in a checkpoint."""


class TableMaintainer(Protocol):
    """Keeps a canonical table's files few and its log short; whoever calls it holds the table's lease.

    Raises StorageError when the table or its folder cannot be read; nothing is deleted then.
    """

    def survey(self, snapshot: TableSnapshot, *, keep_since: datetime) -> TableSurvey:
        """Return what is to be done, and do none of it. A version that was the newest one at any time since
        `keep_since` is kept.
        """

    def settle(self, snapshot: TableSnapshot, survey: TableSurvey, *, token: str) -> TableSnapshot:
        """Commit against `snapshot`, with each split bucket in one file; the rows stay as they are.

        Whoever began to fold before the survey commits against an older version and is refused: none of its files can
        come to be needed. Raises CommitConflict (nothing landed) or CommitOutcomeUnknown; delete nothing then.
        """

    def discard(self, snapshot: TableSnapshot, survey: TableSurvey) -> None:
        """Delete what the survey found unneeded. To be called after `settle`."""

    def shorten_log(self, snapshot: TableSnapshot) -> int:
        """Sum the log up in a checkpoint; return how many entries older than 30 days went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedObjects:
    """Objects that are gone for good: their keys, ascending, and the size of what they held."""

    keys: tuple[str, ...] = ()
    size_bytes: int = 0


class Eraser(Protocol):
    """Deletes so that nothing can be brought back, where an ordinary delete may keep old versions of an object."""

    def objects(self, keys: Sequence[str]) -> ErasedObjects:
        """Erase the objects with all their earlier versions; those that are not there are not counted."""

    def below(self, prefix: str, *, keep: frozenset[str] = frozenset()) -> ErasedObjects:
        """Erase every object whose key begins with `prefix` (ends with '/'), less those to keep."""

    def state(self, tenant_id: str) -> dict[str, int]:
        """Erase what the four tables of the state have of a tenant; return how many records, by table.

        Runs over all tenants stay, without what they say of this one; such runs count under ProcessingJobs.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """All of them together; a package without the table engines has none."""

    raw: RawReader
    tables: TableAudit
    eraser: Eraser
    maintainer: TableMaintainer
