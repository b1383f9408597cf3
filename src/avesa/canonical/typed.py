"""Reads records of the usual shape at several times the speed: decoded straight into structs made from the mapping.

A field whose JSON type is not the usual one makes the decoder refuse the record, which avesa.canonical.exact then
reads. So this module never guesses: it gives exactly what the exact reading gives, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial, reduce
from operator import attrgetter, or_
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from avesa.canonical.elements import element_rule
from avesa.canonical.mapping import ColumnType
from avesa.canonical.values import INT64_MAX, INT64_MIN, read_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import UnionType

    from avesa.canonical.elements import Pick
    from avesa.canonical.mapping import CanonicalMapping, Column
    from avesa.canonical.values import Reading, Value

_USUAL: Final[dict[ColumnType, frozenset[type]]] = {
    ColumnType.STRING: frozenset({str, int}),  # ids are numbers on the wire
    ColumnType.INT64: frozenset({int}),
    ColumnType.FLOAT64: frozenset({float}),  # the decoder takes integers for floats too
    ColumnType.BOOL: frozenset({bool}),
    # As text: the decoder rounds fractions of microseconds, the contract cuts them.
    ColumnType.TIMESTAMP: frozenset({str}),
}
_COMPARED: Final = frozenset({str, int, float, bool})
_NOTHING: Final = "nothing"

_Leaf: TypeAlias = frozenset[type]


@dataclass(slots=True)
class _Shape:
    """An object on the wire, as far as the mapping looks into it."""

    fields: dict[str, _Shape | _Leaf] = field(default_factory=dict)
    is_array: bool = False
    """The object is the element of an array."""

    def place(self, keys: list[str]) -> _Shape:
        """Return the shape under the path, made when it is new."""
        shape = self
        for key in keys:
            inner = shape.fields.setdefault(key, _Shape())
            if not isinstance(inner, _Shape) or inner.is_array:
                raise _AmbiguousShape
            shape = inner
        return shape

    def add_value(self, path: str, usual: _Leaf) -> None:
        """Note that a value lies under the path, of one of the `usual` types."""
        *objects, key = path.split("/")
        fields = self.place(objects).fields
        known = fields.setdefault(key, usual)
        if isinstance(known, _Shape):
            raise _AmbiguousShape
        fields[key] = known & usual

    def add_array(self, path: str) -> _Shape:
        """Note that an array lies under the path; return the shape of its elements."""
        *objects, key = path.split("/")
        element = self.place(objects).fields.setdefault(key, _Shape(is_array=True))
        if not isinstance(element, _Shape) or not element.is_array:
            raise _AmbiguousShape
        return element

    def attribute(self, path: str) -> str:
        """Return the dotted attribute of the made struct that holds what lies under the path."""
        names: list[str] = []
        shape = self
        *objects, last = path.split("/")
        for key in objects:
            names.append(shape.name(key))
            shape = shape.place([key])
        return ".".join([*names, shape.name(last)])

    def name(self, key: str) -> str:
        """Return the attribute of a known field: JSON keys need not be Python names."""
        return f"f{list(self.fields).index(key)}"

    def struct(self) -> type[msgspec.Struct]:
        """Return the struct: every field optional, an absent object is an empty one, so that attributes chain."""
        fields = [self._struct_field(f"f{i}", key, inner) for i, (key, inner) in enumerate(self.fields.items())]
        return msgspec.defstruct("Shape", fields, frozen=True, gc=False, namespace={_NOTHING: None})

    @staticmethod
    def _struct_field(name: str, key: str, inner: _Shape | _Leaf) -> tuple[str, type | UnionType, object]:
        if not isinstance(inner, _Shape):
            usual: type | UnionType = reduce(or_, sorted(inner, key=repr), NoneType)
            return name, usual, msgspec.field(default=None, name=key)
        struct = inner.struct()
        if inner.is_array:
            return name, list[struct] | None, msgspec.field(default=None, name=key)  # type: ignore[valid-type]
        return name, struct | None, msgspec.field(default=struct(), name=key)


class _AmbiguousShape(Exception):  # noqa: N818 - a fact about the mapping, which is valid
    """A path leads to a value for one column and to an object or an array for another."""


class TypedReader:
    """Reads the columns of one mapping from records of the usual shape. Made by typed_reader."""

    def __init__(self, mapping: CanonicalMapping, shape: _Shape, elements: dict[str, _Shape]) -> None:
        columns = mapping.columns
        self._width = len(columns)
        attributes = [_first_attribute(column, shape) for column in columns]
        self._spares: list[tuple[int, range]] = []
        for index, column in enumerate(columns):
            spares = [shape.attribute(path) for path in column.source[1:]]
            if spares:
                self._spares.append((index, range(len(attributes), len(attributes) + len(spares))))
                attributes += spares
        self._fetch = attrgetter(*attributes)
        self._gentle = [partial(_follow, names=attribute.split(".")) for attribute in attributes]
        self._decode = msgspec.json.Decoder(shape.struct()).decode
        self._strings = _indexes(columns, ColumnType.STRING)
        self._int64s = _indexes(columns, ColumnType.INT64)
        self._float64s = _indexes(columns, ColumnType.FLOAT64)
        self._readings: list[tuple[int, Callable[[object], Reading]]] = [
            *((index, read_timestamp) for index in _indexes(columns, ColumnType.TIMESTAMP)),
            *_array_readings(columns, elements),
        ]

    def read(self, payload: str | bytes) -> tuple[list[Value], list[int]] | None:
        """Return the values in mapping order and the indexes of the coerced ones; None: read it exactly."""
        if _may_hold_nul(payload):
            return None
        try:
            record = self._decode(payload)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        try:
            values = list(self._fetch(record))
        except AttributeError:  # an explicit null for an object; the wire usually leaves it out
            values = [fetch(record) for fetch in self._gentle]
        for index, spares in self._spares:
            if values[index] is None:
                values[index] = next((values[spare] for spare in spares if values[spare] is not None), None)
        del values[self._width :]
        return (values, self._finish(values)) if self._has_its_integers(values) else None

    def _has_its_integers(self, values: list[Value]) -> bool:
        number = values[0]
        if type(number) is not int or not INT64_MIN <= number <= INT64_MAX:
            return False
        for index in self._int64s:
            if type(number := values[index]) is int and not INT64_MIN <= number <= INT64_MAX:
                return False
        return True

    def _finish(self, values: list[Value]) -> list[int]:
        """Make decoded values into column values, in place; return the indexes of those that did not fit."""
        for index in self._strings:
            if type(values[index]) is int:
                values[index] = str(values[index])
        for index in self._float64s:
            if type(number := values[index]) is float:
                values[index] = number + 0.0  # -0.0 becomes 0.0
        coerced: list[int] = []
        for index, read in self._readings:
            if values[index] is not None:
                values[index], fits = read(values[index])
                if not fits:
                    coerced.append(index)
        return coerced


def typed_reader(mapping: CanonicalMapping) -> TypedReader | None:
    """Return the reader, or None if the mapping takes one path as a value and as an object or array.

    Every record of such a mapping is read exactly.
    """
    shape = _Shape()
    elements: dict[str, _Shape] = {}
    try:
        for column in mapping.columns:
            _add_column(column, shape, elements)
    except _AmbiguousShape:
        return None
    return TypedReader(mapping, shape, elements)


def _may_hold_nul(payload: str | bytes) -> bool:
    # A NUL can only be written as this escape: raw control characters are not JSON. Most payloads hold no escape at
    # all, and looking for one character is twenty times faster than looking for six.
    if isinstance(payload, str):
        return "\\" in payload and "\\u0000" in payload
    return b"\\" in payload and b"\\u0000" in payload


def _add_column(column: Column, shape: _Shape, elements: dict[str, _Shape]) -> None:
    for path in column.source:
        shape.add_value(path, _USUAL[column.type])
    if column.each is not None:
        element = elements[column.each] = shape.add_array(column.each)
        for path in column.where:
            element.add_value(path, _COMPARED)
        element.add_value(column.value or "", _USUAL[column.type])


def _first_attribute(column: Column, shape: _Shape) -> str:
    path = column.each or (column.source[0] if column.source else None)
    return _NOTHING if path is None else shape.attribute(path)


def _indexes(columns: Sequence[Column], kind: ColumnType) -> list[int]:
    return [index for index, column in enumerate(columns) if column.type is kind and column.each is None]


def _array_readings(
    columns: Sequence[Column], elements: dict[str, _Shape]
) -> Iterator[tuple[int, Callable[[object], Reading]]]:
    for index, column in enumerate(columns):
        if column.each is not None:
            yield index, element_rule(column, pick=_picker(elements[column.each])).read


def _picker(element: _Shape) -> Callable[[str], Pick]:
    def pick(path: str) -> Pick:
        names = element.attribute(path).split(".")
        return lambda typed: (_follow(typed, names=names), True)

    return pick


def _follow(value: Any, *, names: list[str]) -> Any:  # noqa: ANN401 - structs that are made at run time
    for name in names:
        if value is None:
            return None
        value = getattr(value, name)
    return value
