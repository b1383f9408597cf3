"""Canonical mapping files: which column of a canonical table comes from which field of a service's record.

A mapping is written by hand and decides what ends up in a table, so that a file that is wrong in any way is refused
whole, with everything that is wrong with it, before the first record is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

ID: Final = "id"
LAST_UPDATED: Final = "last_updated"
LAST_UPDATED_BY: Final = "last_updated_by"

RESERVED_NAMES: Final = frozenset(
    {
        "tenant_id",
        "service",
        "valid_from",
        "valid_to",
        "is_current",
        "is_deleted",
        "record_hash",
        "ingested_at",
        "id_bucket",
    }
)
"""Columns that every canonical table has beside those of its mapping; a mapping must not use them."""

READING_RULES: Final = 1
"""Number of the rules by which fields are read (avesa.canonical.values). It is part of every digest: raise it when
a rule changes, and tables that older rules made are rebuilt instead of mixed."""

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9_]*")
_SERVICE = re.compile(r"[a-z][a-z0-9_-]*")
_ENDPOINT = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*")
_FIELD_PATH = re.compile(r"[^/\s]+(?:/[^/\s]+)*")
_FIELD_PATH_ALLOWED = "field names joined by /, such as _info/lastUpdated"
_NAME_ALLOWED = "a to z, 0 to 9 and _, beginning with a letter"


class ColumnType(StrEnum):
    """What a canonical column holds."""

    STRING = "string"
    INT64 = "int64"
    FLOAT64 = "float64"
    BOOL = "bool"
    TIMESTAMP = "timestamp"  # UTC, microseconds


def _alternatives(source: object) -> object:
    if source is None:
        return ()
    if isinstance(source, str):
        return (source,)
    if isinstance(source, list) and source and all(isinstance(path, str) for path in source):
        return tuple(source)
    raise ValueError("a field path, a list of field paths of which the first that is not null counts, or null")


def _conditions(where: object) -> object:
    if isinstance(where, dict) and where and all(isinstance(value, (str, bool, int)) for value in where.values()):
        return where
    raise ValueError("an object of field paths, each with the text, whole number, true or false that it must equal")


class Column(BaseModel):
    """One column: read from `source` (first of its paths that is not null), or from the elements of the array `each`.

    With `each`: `value` is the path inside an element; `where` picks elements by equality; with `join` the values of
    all picked elements are joined to one text, without it the first picked element counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: ColumnType
    source: Annotated[tuple[str, ...], BeforeValidator(_alternatives)] = ()
    each: str | None = None
    where: Annotated[dict[str, str | bool | int], BeforeValidator(_conditions)] = {}
    value: str | None = None
    join: str | None = None


class CanonicalMapping(BaseModel):
    """A valid mapping: `columns` begin with id and end with last_updated, last_updated_by. Made by parse_mapping."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    service: str
    endpoint: str
    columns: tuple[Column, ...]

    @cached_property
    def digest(self) -> str:
        """Hex sha256 of what the mapping says and of the rules it is read by; layout and key order do not count."""
        meaning = {"rules": READING_RULES, **self.model_dump(mode="json")}
        text = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def parse_mapping(text: bytes | str, *, file: str) -> CanonicalMapping:
    """Return the mapping that `text` (JSON) says.

    Raises ConfigError that lists everything wrong with it, a line each: `file`, the place, what it is, what is allowed.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as exc:
        raise ConfigError(f"{file}: line {exc.lineno} column {exc.colno}: not JSON: {exc.msg}") from exc
    except (UnicodeDecodeError, RecursionError) as exc:
        raise ConfigError(f"{file}: not JSON: allowed is one JSON object in UTF-8") from exc
    try:
        mapping = CanonicalMapping.model_validate(document)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_context=False)
        raise ConfigError("\n".join(f"{file}: {_shape_problem(detail)}" for detail in details)) from exc
    problems = list(_problems(mapping))
    if problems:
        raise ConfigError("\n".join(f"{file}: {problem}" for problem in problems))
    return mapping


def _shape_problem(detail: ErrorDetails) -> str:
    loc = detail["loc"]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
    place = place or "the file"
    kind = detail["type"]
    if kind == "missing":
        return f"{place} is missing; it is required"
    if kind == "extra_forbidden":
        owner = Column if loc[0] == "columns" else CanonicalMapping
        return f"{place} is not known; allowed: {', '.join(owner.model_fields)}"
    if kind == "enum":
        return f"{place} is {_shown(detail['input'])}; allowed: {', '.join(ColumnType)}"
    if kind == "model_type":
        return f"{place} is {_shown(detail['input'])}; allowed: an object"
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{place} is {_shown(detail['input'])}; allowed: {allowed}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a message stays one readable line


def _problems(mapping: CanonicalMapping) -> Iterator[str]:
    if not _SNAKE_CASE.fullmatch(mapping.table):
        yield f"table is {mapping.table!r}; allowed: {_NAME_ALLOWED}"
    if not _SERVICE.fullmatch(mapping.service):
        yield f"service is {mapping.service!r}; allowed: {_NAME_ALLOWED}, or -"
    if not _ENDPOINT.fullmatch(mapping.endpoint):
        yield f"endpoint is {mapping.endpoint!r}; allowed: letters, digits, _ and - in parts joined by single /"
    yield from _order_problems(mapping.columns)
    seen: dict[str, int] = {}
    for index, column in enumerate(mapping.columns):
        place = f"columns[{index}]"
        first = seen.setdefault(column.name, index)
        if first != index:
            yield f"{place}.name is {column.name!r}; columns[{first}] has it already, names are unique"
        yield from _column_problems(column, place)


def _order_problems(columns: tuple[Column, ...]) -> Iterator[str]:
    found = [(column.name, column.type) for column in columns]
    ends = [(LAST_UPDATED, ColumnType.TIMESTAMP), (LAST_UPDATED_BY, ColumnType.STRING)]
    if found[:1] != [(ID, ColumnType.STRING)]:
        yield "columns[0] must be id, a string"
    elif len(columns[0].source) != 1:
        yield "columns[0].source is what makes the record's key; allowed: exactly one field path"
    if found[-2:] != ends:
        yield "columns must end with last_updated, a timestamp, and last_updated_by, a string"


def _column_problems(column: Column, place: str) -> Iterator[str]:
    if not _SNAKE_CASE.fullmatch(column.name):
        yield f"{place}.name is {column.name!r}; allowed: {_NAME_ALLOWED}"
    if column.name in RESERVED_NAMES:
        yield f"{place}.name is {column.name!r}; every canonical table has that column already, use another name"
    yield from _origin_problems(column, place)
    for key, path in _paths(column):
        if not _FIELD_PATH.fullmatch(path):
            yield f"{place}.{key} is {path!r}; allowed: {_FIELD_PATH_ALLOWED}"
    if len(set(column.source)) != len(column.source):
        yield f"{place}.source names a field path twice; name each once"


def _origin_problems(column: Column, place: str) -> Iterator[str]:
    is_given = column.model_fields_set
    if ("source" in is_given) == (column.each is not None):
        yield f"{place} must have either source (null for a column that nothing fills) or each, and not both"
    if (column.each is None) != (column.value is None):
        yield f"{place} must have each and value together, or neither"
    for key in ("where", "join"):
        if key in is_given and column.each is None:
            yield f"{place}.{key} means nothing without each"
    if column.join is not None and column.type is not ColumnType.STRING:
        yield f"{place}.type is {column.type.value!r}; joined values are text, allowed: string"


def _paths(column: Column) -> Iterator[tuple[str, str]]:
    yield from (("source", path) for path in column.source)
    yield from (("where", path) for path in column.where)
    yield from ((key, path) for key, path in (("each", column.each), ("value", column.value)) if path is not None)
