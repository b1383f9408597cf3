"""Reads a record of any shape: untyped, value by value.

Slower than avesa.canonical.typed, and never refuses a record that has an id.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Never

from avesa.canonical.elements import element_rule
from avesa.canonical.mapping import ID
from avesa.canonical.values import READERS, read_int64
from avesa.domain.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.canonical.elements import Pick
    from avesa.canonical.mapping import CanonicalMapping, Column
    from avesa.canonical.values import Reading

_SURELY_INT64_OR_NEAR = 20
"""Characters of a JSON integer up to which it is decoded as int."""


class _LongInteger(str):
    """A JSON integer of more than 20 characters, kept as its text.

    Python limits int(text), differently by release, and only text and floats can hold such a number anyway.
    """

    __slots__ = ()


class ExactReader:
    """Reads the columns of one mapping from JSON text of any shape."""

    def __init__(self, mapping: CanonicalMapping) -> None:
        self._id_path = mapping.columns[0].source[0].split("/")
        self._readers = [_column_reader(column) for column in mapping.columns if column.name != ID]

    def read(self, payload: str | bytes) -> list[Reading]:
        """Return a reading for each column in mapping order.

        Raises DataError if the text is not a JSON object or has no integer id; the reason quotes nothing of it.
        """
        record = _decode(payload)
        readings: list[Reading] = [(_read_id(record, self._id_path), True)]
        readings += [read(record) for read in self._readers]
        return readings


def _decode(payload: str | bytes) -> dict[str, object]:
    # surrogateescape: bytes that are not UTF-8 become lone surrogates, which read_string replaces and flags; in a
    # field that no column reads they do no harm, exactly as in the typed reading.
    text = payload if isinstance(payload, str) else payload.decode("utf-8", "surrogateescape")
    try:
        record = json.loads(text, parse_int=_parse_int, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        raise DataError(f"not JSON: {exc.msg} at character {exc.pos}") from None  # exc.doc holds the payload
    except RecursionError:
        raise DataError("not readable: arrays and objects are nested too deeply") from None
    if not isinstance(record, dict):
        raise DataError("not a JSON object")
    return record


def _parse_int(text: str) -> int | _LongInteger:
    return int(text) if len(text) <= _SURELY_INT64_OR_NEAR else _LongInteger(text)


def _refuse_constant(_name: str) -> Never:
    raise DataError("not JSON: a number is NaN or infinite")


def _read_id(record: dict[str, object], path: list[str]) -> str:
    found, _ = _follow(record, path=path)
    if found is None:
        raise DataError("the record has no id")
    number, fits = read_int64(found)
    if not fits:
        raise DataError("the record's id is not an integer of 64 bits")
    return str(number)


def _column_reader(column: Column) -> Callable[[object], Reading]:
    sources = column.source if column.each is None else (column.each,)
    read = READERS[column.type] if column.each is None else element_rule(column, pick=_pick).read
    return partial(_read_first, paths=[path.split("/") for path in sources], read=read)


def _pick(path: str) -> Pick:
    return partial(_follow, path=path.split("/"))


def _follow(value: object, *, path: list[str]) -> tuple[object, bool]:
    for key in path:
        if not isinstance(value, dict):
            return None, value is None
        value = value.get(key)
    return value, True


def _read_first(record: object, *, paths: list[list[str]], read: Callable[[object], Reading]) -> Reading:
    is_clear = True
    for path in paths:
        found, is_path_clear = _follow(record, path=path)
        if found is not None:
            return read(found)
        is_clear = is_clear and is_path_clear
    return None, is_clear
