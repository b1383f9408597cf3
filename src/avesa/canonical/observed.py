"""What one raw record tells, as a row of columns: the shape between reading records and folding them set-wise.

The names of the system's own columns begin with an underscore, which no column of a mapping may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.canonical.mapping import ColumnType
from avesa.canonical.table import TableColumn

if TYPE_CHECKING:
    from avesa.canonical.mapping import CanonicalMapping

KEY: Final = "_key"
SEEN_AT: Final = "_seen_at"
JOB: Final = "_job"
CHUNK: Final = "_chunk"
IS_COERCED: Final = "_is_coerced"
UNREADABLE: Final = "_unreadable"
"""Why no row can be made of the record; null for nearly every record. The mapping's columns are null then."""
RECORD_HASH: Final = "record_hash"

_SYSTEM: Final = (
    (KEY, ColumnType.INT64),
    (SEEN_AT, ColumnType.TIMESTAMP),
    (JOB, ColumnType.STRING),
    (CHUNK, ColumnType.STRING),
    (IS_COERCED, ColumnType.BOOL),
    (UNREADABLE, ColumnType.STRING),
    (RECORD_HASH, ColumnType.STRING),
)
SYSTEM_WIDTH: Final = len(_SYSTEM)


def observed_columns(mapping: CanonicalMapping) -> tuple[TableColumn, ...]:
    """Return the columns in order: the system's, then those of the mapping."""
    business = tuple((column.name, column.type) for column in mapping.columns)
    return tuple(TableColumn(name=name, type=kind) for name, kind in (*_SYSTEM, *business))
