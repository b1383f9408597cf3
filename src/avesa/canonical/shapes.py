"""What of a record's JSON a mapping looks at, as structs that the decoder fills: made from the mapping alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial, reduce
from operator import attrgetter, or_
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from avesa.canonical.elements import element_rule
from avesa.canonical.mapping import ColumnType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import UnionType

    from avesa.canonical.elements import Pick
    from avesa.canonical.mapping import CanonicalMapping, Column
    from avesa.canonical.values import Reading

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
class Shape:
    """An object on the wire, as far as the mapping looks into it."""

    fields: dict[str, Shape | _Leaf] = field(default_factory=dict)
    is_array: bool = False
    """The object is the element of an array."""

    def place(self, keys: list[str]) -> Shape:
        """Return the shape under the path, made when it is new."""
        shape = self
        for key in keys:
            inner = shape.fields.setdefault(key, Shape())
            if not isinstance(inner, Shape) or inner.is_array:
                raise _AmbiguousShape
            shape = inner
        return shape

    def add_value(self, path: str, usual: _Leaf) -> None:
        """Note that a value lies under the path, of one of the `usual` types."""
        *objects, key = path.split("/")
        fields = self.place(objects).fields
        known = fields.setdefault(key, usual)
        if isinstance(known, Shape):
            raise _AmbiguousShape
        fields[key] = known & usual

    def add_array(self, path: str) -> Shape:
        """Note that an array lies under the path; return the shape of its elements."""
        *objects, key = path.split("/")
        element = self.place(objects).fields.setdefault(key, Shape(is_array=True))
        if not isinstance(element, Shape) or not element.is_array:
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
    def _struct_field(name: str, key: str, inner: Shape | _Leaf) -> tuple[str, type | UnionType, object]:
        if not isinstance(inner, Shape):
            usual: type | UnionType = reduce(or_, sorted(inner, key=repr), NoneType)
            return name, usual, msgspec.field(default=None, name=key)
        struct = inner.struct()
        if inner.is_array:
            return name, list[struct] | None, msgspec.field(default=None, name=key)  # type: ignore[valid-type]
        return name, struct | None, msgspec.field(default=struct(), name=key)


class _AmbiguousShape(Exception):  # noqa: N818 - a fact about the mapping, which is valid
    """A path leads to a value for one column and to an object or an array for another."""


class MappedShape:
    """A mapping compiled: how a record is decoded, and where each column's value lies in what that gives."""

    def __init__(self, mapping: CanonicalMapping, shape: Shape, elements: dict[str, Shape]) -> None:
        columns = mapping.columns
        self.width = len(columns)
        attributes = [_first_attribute(column, shape) for column in columns]
        self.spares: list[tuple[int, range]] = []
        """Columns with further source paths, and where the values of those lie, after the columns."""
        for index, column in enumerate(columns):
            spares = [shape.attribute(path) for path in column.source[1:]]
            if spares:
                self.spares.append((index, range(len(attributes), len(attributes) + len(spares))))
                attributes += spares
        self.fetch: Callable[[object], tuple[Any, ...]] = attrgetter(*attributes)
        """Raises AttributeError for an explicit null in the place of an object; `gentle` has one fetch a value."""
        self.gentle = [partial(_follow, names=attribute.split(".")) for attribute in attributes]
        self.decode = msgspec.json.Decoder(shape.struct()).decode
        self.strings = _indexes(columns, ColumnType.STRING)
        self.int64s = _indexes(columns, ColumnType.INT64)
        self.float64s = _indexes(columns, ColumnType.FLOAT64)
        self.timestamps = _indexes(columns, ColumnType.TIMESTAMP)
        self.arrays = list(_array_readings(columns, elements))


def mapped_shape(mapping: CanonicalMapping) -> MappedShape | None:
    """Return the mapping compiled, or None if it takes one path as a value and as an object or array."""
    shape = Shape()
    elements: dict[str, Shape] = {}
    try:
        for column in mapping.columns:
            for path in column.source:
                shape.add_value(path, _USUAL[column.type])
            if column.each is not None:
                _add_array(column, column.each, shape, elements)
    except _AmbiguousShape:
        return None
    return MappedShape(mapping, shape, elements)


def _add_array(column: Column, each: str, shape: Shape, elements: dict[str, Shape]) -> None:
    element = elements[each] = shape.add_array(each)
    for path in column.where:
        element.add_value(path, _COMPARED)
    element.add_value(column.value or "", _USUAL[column.type])


def _first_attribute(column: Column, shape: Shape) -> str:
    path = column.each or (column.source[0] if column.source else None)
    return _NOTHING if path is None else shape.attribute(path)


def _indexes(columns: Sequence[Column], kind: ColumnType) -> list[int]:
    return [index for index, column in enumerate(columns) if column.type is kind and column.each is None]


def _array_readings(
    columns: Sequence[Column], elements: dict[str, Shape]
) -> Iterator[tuple[int, Callable[[object], Reading]]]:
    for index, column in enumerate(columns):
        if column.each is not None:
            yield index, element_rule(column, pick=_picker(elements[column.each])).read


def _picker(element: Shape) -> Callable[[str], Pick]:
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
