"""What a table must say: read from the source's own records by a reading of the mapping that shares nothing with
avesa.canonical.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


def expected_row(mapping: Mapping[str, Any], record: Json) -> Json:
    """Return the business columns that a current row must have for a record as the source shows it."""
    return {column["name"]: _cast(column["type"], _found(column, record)) for column in mapping["columns"]}


def _found(column: Mapping[str, Any], record: Json) -> object:
    if "each" in column:
        elements = _at(record, column["each"]) or []
        where = column.get("where", {})
        picked = [item for item in elements if all(_at(item, path) == value for path, value in where.items())]
        values = [_at(item, column["value"]) for item in picked]
        if "join" in column:
            texts = [str(value) for value in values if value is not None]
            return column["join"].join(texts) if texts else None
        return values[0] if values else None
    source = column["source"]
    if isinstance(source, str):
        return _at(record, source)
    return next((value for path in source or () if (value := _at(record, path)) is not None), None)


def _at(record: object, path: str) -> Any:  # noqa: ANN401 - JSON at the wire
    for name in _names(path):
        if not isinstance(record, dict):
            return None
        record = record.get(name)
    return record


@cache
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _cast(kind: str, value: object) -> object:
    if value is None:
        return None
    if kind == "string":
        return str(value)
    if kind == "float64":
        return float(str(value))
    if kind == "timestamp":
        at = datetime.fromisoformat(str(value))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return value
