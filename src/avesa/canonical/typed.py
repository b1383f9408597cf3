"""Reads records of the usual shape at several times the speed: decoded straight into structs made from the mapping.

A field whose JSON type is not the usual one makes the decoder refuse the record, which avesa.canonical.exact then
reads. So this module never guesses: it gives exactly what the exact reading gives, or nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from avesa.canonical.shapes import mapped_shape
from avesa.canonical.values import INT64_MAX, INT64_MIN, read_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.canonical.shapes import MappedShape
    from avesa.canonical.values import Reading, Value


class TypedReader:
    """Reads the columns of one mapping from records of the usual shape. Made by typed_reader."""

    def __init__(self, shape: MappedShape) -> None:
        self._shape = shape
        self._readings: list[tuple[int, Callable[[object], Reading]]] = [
            *((index, read_timestamp) for index in shape.timestamps),
            *shape.arrays,
        ]

    def read(self, payload: str | bytes) -> tuple[list[Value], list[int]] | None:
        """Return the values in mapping order and the indexes of the coerced ones; None: read it exactly."""
        if _may_hold_nul(payload):
            return None
        try:
            record = self._shape.decode(payload)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        try:
            values = list(self._shape.fetch(record))
        except AttributeError:  # an explicit null for an object; the wire usually leaves it out
            values = [fetch(record) for fetch in self._shape.gentle]
        for index, spares in self._shape.spares:
            if values[index] is None:
                values[index] = next((values[spare] for spare in spares if values[spare] is not None), None)
        del values[self._shape.width :]
        return (values, self._finish(values)) if self._has_its_integers(values) else None

    def _has_its_integers(self, values: list[Value]) -> bool:
        number = values[0]
        if type(number) is not int or not INT64_MIN <= number <= INT64_MAX:
            return False
        for index in self._shape.int64s:
            if type(number := values[index]) is int and not INT64_MIN <= number <= INT64_MAX:
                return False
        return True

    def _finish(self, values: list[Value]) -> list[int]:
        """Make decoded values into column values, in place; return the indexes of those that did not fit."""
        for index in self._shape.strings:
            if type(values[index]) is int:
                values[index] = str(values[index])
        for index in self._shape.float64s:
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
    shape = mapped_shape(mapping)
    return None if shape is None else TypedReader(shape)


def _may_hold_nul(payload: str | bytes) -> bool:
    # A NUL can only be written as this escape: raw control characters are not JSON. Most payloads hold no escape at
    # all, and looking for one character is twenty times faster than looking for six.
    if isinstance(payload, str):
        return "\\" in payload and "\\u0000" in payload
    return b"\\" in payload and b"\\u0000" in payload
