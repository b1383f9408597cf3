"""The canonical table's physical facts: its columns and their order, its partitions, and a version as a row of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from avesa.canonical.mapping import ColumnType

if TYPE_CHECKING:
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.canonical.scd2 import Version
    from avesa.canonical.values import Value

BUCKET_WIDTH: Final = 4096
"""Record ids per partition. Recent records change most, so a batch touches few buckets; see performance.md."""

LEADING: Final = (("tenant_id", ColumnType.STRING), ("service", ColumnType.STRING))
TRAILING: Final = (
    ("valid_from", ColumnType.TIMESTAMP),
    ("valid_to", ColumnType.TIMESTAMP),
    ("is_current", ColumnType.BOOL),
    ("is_deleted", ColumnType.BOOL),
    ("record_hash", ColumnType.STRING),
    ("ingested_at", ColumnType.TIMESTAMP),
    ("id_bucket", ColumnType.INT64),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """A column of a canonical table. Timestamps are UTC with microseconds."""

    name: str
    type: ColumnType


def table_columns(mapping: CanonicalMapping) -> tuple[TableColumn, ...]:
    """Return the table's columns in order: tenant_id, service, those of the mapping (id first), then the system's."""
    business = tuple((column.name, column.type) for column in mapping.columns)
    return tuple(TableColumn(name=name, type=kind) for name, kind in (*LEADING, *business, *TRAILING))


def bucket_of(id: str | int, width: int = BUCKET_WIDTH) -> int:
    """Return the partition of a record id: ids [n * width, (n + 1) * width) are bucket n, negative ids too."""
    return int(id) // width


def row(version: Version, *, tenant_id: str, service: str, width: int = BUCKET_WIDTH) -> tuple[Value, ...]:
    """Return the version as a row, in the order of `table_columns`."""
    return (
        tenant_id,
        service,
        *version.content,
        version.valid_from,
        version.valid_to,
        version.is_current,
        version.is_deleted,
        version.record_hash,
        version.ingested_at,
        bucket_of(str(version.content[0]), width),
    )
