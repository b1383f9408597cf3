"""Reads many records at once into columns: what `Projection` gives for each of them, at less than half the cost.

Only records of the plainest shape are read so; whatever could differ from the exact reading by a hair (a NUL, a time in
another form than the service's own, an unusual type) is handed to `Projection`, record by record.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from avesa.canonical.projection import HASH_BYTES, Projection
from avesa.canonical.shapes import mapped_shape
from avesa.canonical.values import INT64_MAX, INT64_MIN, WIRE_CHARACTERS, read_timestamp
from avesa.domain.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.canonical.shapes import MappedShape
    from avesa.canonical.values import Value

_TIMES: Final = list[datetime | None]
_Column = list[Any]


class ReadColumns(NamedTuple):
    """Records as columns; all of them as long as the records are many."""

    columns: list[_Column]
    """Values in mapping order."""
    hashes: list[str | None]
    is_coerced: list[bool]
    unreadable: list[str | None]
    """Why no row can be made of a record: its columns and its hash are null."""
    odd: tuple[int, ...] = ()
    """Places of the records that were read one by one."""


class ColumnReader:
    """A mapping compiled for pages of records. Holds no state of them."""

    def __init__(self, mapping: CanonicalMapping) -> None:
        self._projection = Projection(mapping)
        self._shape = mapped_shape(mapping)
        self._encode = msgspec.msgpack.Encoder().encode

    def read(self, payloads: Sequence[bytes | msgspec.Raw]) -> ReadColumns:
        """Return the records as columns."""
        if self._shape is None:
            return self._exactly(payloads, {}, [])
        rows, places = _decoded(self._shape, payloads)
        columns, odd = _finished(self._shape, rows)
        if odd:
            places = [place for at, place in enumerate(places) if at not in odd]
            columns = [[value for at, value in enumerate(column) if at not in odd] for column in columns]
        encode = self._encode
        hashes = [blake2b(encode(row), digest_size=HASH_BYTES).hexdigest() for row in zip(*columns[:-2], strict=True)]
        if len(places) < len(payloads):
            return self._exactly(payloads, dict(zip(places, zip(*columns, strict=True), strict=True)), hashes)
        return ReadColumns(columns, [*hashes], [time is None for time in columns[-2]], [None] * len(places))

    def _exactly(
        self, payloads: Sequence[bytes | msgspec.Raw], known: dict[int, tuple[Value, ...]], hashes: list[str]
    ) -> ReadColumns:
        """Return the columns with what is not known read record by record."""
        hash_of = dict(zip(known, hashes, strict=True))
        rows: list[tuple[Value, ...]] = []
        found = ReadColumns([], [], [], [])
        for place, payload in enumerate(payloads):
            row = known.get(place)
            reason = None
            record_hash = hash_of.get(place)
            is_coerced = row is not None and row[-2] is None
            if row is None:
                try:
                    read = self._projection.project(bytes(payload))
                except DataError as error:
                    row, reason = (None,) * self._projection.width, str(error)
                else:
                    row, record_hash, is_coerced = read.values, read.record_hash, bool(read.coerced)
            rows.append(row)
            found.hashes.append(record_hash)
            found.is_coerced.append(is_coerced)
            found.unreadable.append(reason)
        columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(self._projection.width)]
        odd = tuple(place for place in range(len(payloads)) if place not in known)
        return found._replace(columns=columns, odd=odd)


def _decoded(
    shape: MappedShape, payloads: Sequence[bytes | msgspec.Raw]
) -> tuple[list[tuple[Any, ...]], Sequence[int]]:
    """Return the values of the records that have the usual shape, and the places of those records."""
    decode, fetch = shape.decode, shape.fetch
    rows: list[tuple[Any, ...]] = []
    odd: set[int] = set()
    for place, payload in enumerate(payloads):
        try:
            rows.append(fetch(decode(payload)))
        except (msgspec.DecodeError, UnicodeError, RecursionError, AttributeError):
            odd.add(place)
    return rows, [place for place in range(len(payloads)) if place not in odd] if odd else range(len(payloads))


def _finished(shape: MappedShape, rows: list[tuple[Any, ...]]) -> tuple[list[_Column], set[int]]:
    """Return the columns, and the rows of which a value may not be what an exact reading gives."""
    raw = list(zip(*rows, strict=True)) or [()] * shape.width
    columns: list[_Column] = [list(column) for column in raw[: shape.width]]
    for index, spares in shape.spares:
        for spare in spares:
            if None in columns[index]:
                pairs = zip(columns[index], raw[spare], strict=True)
                columns[index] = [other if value is None else value for value, other in pairs]
    odd = {at for at, number in enumerate(columns[0]) if type(number) is not int or not _fits(number)}
    for index in shape.int64s:
        odd |= {at for at, number in enumerate(columns[index]) if number is not None and not _fits(number)}
    for index in shape.strings:
        columns[index] = _texts(columns[index], odd)
    for index in shape.float64s:
        columns[index] = [None if value is None else value + 0.0 for value in columns[index]]  # -0.0 becomes 0.0
    for index in shape.timestamps:
        columns[index] = _times(columns[index], odd)
    for index, read in shape.arrays:
        readings = [(None, True) if array is None else read(array) for array in columns[index]]
        odd |= {at for at, (_, fits) in enumerate(readings) if not fits}
        columns[index] = [value for value, _ in readings]
    return columns, odd


def _texts(column: _Column, odd: set[int]) -> _Column:
    """Return the column with numbers as text; add the rows whose text holds a NUL to `odd`."""
    if int in set(map(type, column)):
        column = [str(value) if type(value) is int else value for value in column]
    if "\0" in "".join(filter(None, column)):
        odd |= {at for at, value in enumerate(column) if value is not None and "\0" in value}
    return column


def _times(column: _Column, odd: set[int]) -> _Column:
    """Return the column with texts as times; add the rows of another form than the service's own to `odd`.

    That form is read by msgspec in both ways of reading; in another one it could round, where the contract cuts.
    """
    if set(map(len, filter(None, column))) <= {WIRE_CHARACTERS} and "" not in column:
        try:
            return msgspec.convert(column, _TIMES)
        except msgspec.ValidationError:
            pass  # one of them is no time: each is looked at
    readings = [(None, True) if value is None else read_timestamp(value) for value in column]
    odd |= {at for at, (_, fits) in enumerate(readings) if not fits}
    return [value for value, _ in readings]


def _fits(number: int) -> bool:
    return INT64_MIN <= number <= INT64_MAX
