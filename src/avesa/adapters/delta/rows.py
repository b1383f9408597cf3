"""Rows between DuckDB and the fold: Arrow columns in, Arrow columns out. Times travel as microseconds since 1970,
UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from arro3.core import Array, DataType, Table

from avesa.canonical.mapping import ColumnType
from avesa.canonical.scd2 import Version
from avesa.canonical.table import table_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.canonical.table import TableColumn
    from avesa.canonical.values import Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FETCH_ROWS: Final = 256
"""Few enough that the next batch finds the memory of the one before: touching fresh memory costs more than reading."""

ARROW_TYPES: Final = {
    ColumnType.STRING: DataType.utf8(),
    ColumnType.INT64: DataType.int64(),
    ColumnType.FLOAT64: DataType.float64(),
    ColumnType.BOOL: DataType.bool(),
    ColumnType.TIMESTAMP: DataType.timestamp("us", tz="UTC"),
}


def to_micros(at: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the aware UTC time."""
    return _EPOCH + timedelta(microseconds=micros)


def fetch(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a query, a few hundred in memory at a time."""
    while batch := cursor.fetchmany(_FETCH_ROWS):
        yield from batch
        del batch


def select_list(mapping: CanonicalMapping) -> str:
    """Return the SQL that selects a table's columns less id_bucket, times as microseconds."""
    return ", ".join(
        f'epoch_us("{column.name}")' if column.type is ColumnType.TIMESTAMP else f'"{column.name}"'
        for column in table_columns(mapping)[:-1]
    )


def version_of(row: Sequence[object], mapping: CanonicalMapping, times: Sequence[int]) -> Version:
    """Return the version that a row of `select_list` is; `times` are the positions of its times."""
    values: list[object] = list(row)
    for position in times:
        micros = values[position]
        values[position] = None if micros is None else from_micros(micros)  # type: ignore[arg-type]
    width = len(mapping.columns)
    valid_from, valid_to, _current, is_deleted, record_hash, ingested_at = values[2 + width :]
    return Version(
        valid_from=valid_from,  # type: ignore[arg-type]
        valid_to=valid_to,  # type: ignore[arg-type]
        is_deleted=bool(is_deleted),
        record_hash=str(record_hash),
        ingested_at=ingested_at,  # type: ignore[arg-type]
        content=tuple(values[2 : 2 + width]),  # type: ignore[arg-type]
    )


def time_positions(mapping: CanonicalMapping) -> list[int]:
    """Return the positions of the times in a row of `select_list`."""
    return [index for index, column in enumerate(table_columns(mapping)[:-1]) if column.type is ColumnType.TIMESTAMP]


def arrow_table(mapping: CanonicalMapping, rows: Iterable[tuple[Value, ...]]) -> Table:
    """Return the rows (in the order of `table_columns`) as Arrow columns."""
    return columns_table(table_columns(mapping), rows)


def columns_table(columns: Sequence[TableColumn], rows: Iterable[tuple[Value, ...]]) -> Table:
    """Return the rows, values in the order of `columns`, as Arrow columns."""
    transposed = list(zip(*rows, strict=True)) or [()] * len(columns)
    return Table.from_pydict(
        {column.name: _array(values, column.type) for column, values in zip(columns, transposed, strict=True)}
    )


def _array(values: Sequence[Value], kind: ColumnType) -> Array:
    if kind is ColumnType.TIMESTAMP:
        micros = [None if value is None else to_micros(value) for value in values]  # type: ignore[arg-type]
        return Array(micros, DataType.int64()).cast(ARROW_TYPES[kind])
    return Array(list(values), ARROW_TYPES[kind])
