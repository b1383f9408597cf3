"""Raw parts and canonical tables: what the steps need of them, whatever format holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.connectors.pages import Rejected
    from avesa.domain.model import RawRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPart:
    """One immutable raw object. Its key tells job, chunk, fence and the range of ids in it."""

    key: str
    job_id: str
    min_id: int
    max_id: int
    is_deletions: bool = False
    projected: str | None = None
    """Key of the same records as columns of the mapping that folds them: derived, dropped once they are folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartName:
    """Where a raw part goes: unique to the attempt, since the fence is in it."""

    tenant_id: str
    service: str
    endpoint: str
    job_id: str
    chunk_id: str
    fence: int
    page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOrigin:
    """Where and when a page was read, and what is to be made of its records. Can be pickled."""

    job_id: str
    chunk_id: str
    ingested_at: datetime
    drop_fields: tuple[str, ...] = ()
    mapping: CanonicalMapping | None = None
    """Makes columns of the records too, so that the fold need not read their texts again."""


class SplitPage(Protocol):
    """What there is to check of a page, however its records are kept."""

    @property
    def ids(self) -> Sequence[int]:
        """Of the records that can be read, in the order received."""

    @property
    def rejected(self) -> Sequence[Rejected]:
        """The records that cannot be read."""

    @property
    def bare_id(self) -> int | None:
        """A record that has nothing but its id, if there is one."""


class RawStore(Protocol):
    """Raw parts of all tenants."""

    def pack(self, body: bytes, origin: PageOrigin) -> SplitPage:
        """Make what this store can put of a page's JSON array; no I/O, can be pickled.

        Raises TransientSourceError when it is none.
        """

    def put_page(self, name: PartName, page: SplitPage) -> RawPart:
        """Make a packed page durable. It has records. Raises ObjectExists if this attempt wrote the page already."""

    def projected(self, tenant_id: str, service: str, endpoint: str) -> Sequence[str]:
        """Return the keys of the parts that lie here as columns too, of whatever mapping."""

    def drop_projected(self, keys: Sequence[str]) -> None:
        """Delete columns that nobody needs any more; raw stays."""

    def write(self, name: PartName, records: Sequence[RawRecord], *, ingested_at: datetime) -> RawPart:
        """Make one part durable. `records` is not empty. Raises ObjectExists if this attempt wrote the page already."""

    def write_deletions(self, name: PartName, ids: Sequence[int], *, found_missing_at: datetime) -> RawPart:
        """Make the ids found missing durable as a deletions part."""

    def list(self, tenant_id: str, service: str, endpoint: str) -> list[RawPart]:
        """Return every part, deletions too, by key."""

    def ids(self, parts: Sequence[RawPart]) -> set[int]:
        """Return the distinct record ids that the parts hold, read from the parts themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A data file of a canonical table: path relative to the table, partition and size."""

    path: str
    bucket: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSnapshot:
    """A canonical table as one commit left it; `version` is None when there is no table yet."""

    tenant_id: str
    service: str
    mapping: CanonicalMapping
    version: int | None = None
    fold_number: int = 0
    mapping_digest: str | None = None
    folded: frozenset[str] = frozenset()
    """Keys of the raw parts whose records are in the table."""
    files: tuple[TableFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldGroup:
    """A share of a fold that fits in memory: some buckets, the new parts that touch them, all parts that may hold
    their history. Picklable, so that it may go to another process.
    """

    tenant_id: str
    service: str
    mapping: CanonicalMapping
    token: str
    """Unique to the attempt; part of every file name that the fold writes."""
    buckets: tuple[int, ...]
    parts: tuple[RawPart, ...]
    history: tuple[RawPart, ...]
    files: tuple[TableFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedGroup:
    """What folding a group gave: files to add, files they replace, and what changed."""

    added: tuple[TableFile, ...] = ()
    added_rows: tuple[int, ...] = ()
    replaced: tuple[TableFile, ...] = ()
    records: int = 0
    versions_opened: int = 0
    versions_closed: int = 0
    versions_corrected: int = 0
    coerced: int = 0
    unreadable: tuple[tuple[int, str], ...] = ()


class CanonicalStore(Protocol):
    """Canonical tables of all tenants."""

    def open(self, tenant_id: str, service: str, mapping: CanonicalMapping) -> TableSnapshot:
        """Return the newest version of the table."""

    def touched(self, parts: Sequence[RawPart]) -> dict[int, int]:
        """Return how many rows the parts have for each bucket."""

    def fold(self, group: FoldGroup) -> FoldedGroup:
        """Fold the group's parts into its buckets and write the changed ones as new files; nothing is visible yet."""

    def commit(
        self,
        snapshot: TableSnapshot,
        groups: Sequence[FoldedGroup],
        *,
        folded: frozenset[str],
        fence: int,
        is_rebuild: bool,
    ) -> TableSnapshot:
        """Make the groups visible at once, together with the keys of the parts that they hold.

        Raises CommitConflict (nothing landed) or CommitOutcomeUnknown (look before you try again).
        """

    def current_ids(self, snapshot: TableSnapshot) -> set[int]:
        """Return the ids whose record is current."""
