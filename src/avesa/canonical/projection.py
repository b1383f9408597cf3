"""Turns one raw record into the columns of its canonical table, with the hash that tells a change from a touch."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - a NamedTuple's types are looked up by tools at run time
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from avesa.canonical.exact import ExactReader
from avesa.canonical.typed import typed_reader

if TYPE_CHECKING:
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.canonical.values import Value

HASH_BYTES = 16


class Projected(NamedTuple):
    """A record as its table's columns."""

    values: tuple[Value, ...]
    """In mapping order; datetimes are aware and UTC."""
    coerced: tuple[str, ...]
    """Columns, in mapping order, whose value did not fit; last_updated too when the record has no source time."""
    id: str
    source_time: datetime | None
    record_hash: str
    """32 hex characters over all columns but last_updated and last_updated_by."""


class Projection:
    """A mapping compiled for many records. Holds no state of them: one may be shared between threads."""

    def __init__(self, mapping: CanonicalMapping) -> None:
        self._names = tuple(column.name for column in mapping.columns)
        self._typed = typed_reader(mapping)
        self._exact = ExactReader(mapping)
        self.width = len(self._names)
        self._encode = msgspec.msgpack.Encoder().encode

    def project(self, payload: str | bytes) -> Projected:
        """Return the record's columns; the same text gives the same result in every process and on every machine.

        Raises DataError if the text is not a JSON object or has no integer id of 64 bits; the reason quotes nothing
        of the record.
        """
        read = self._typed.read(payload) if self._typed else None
        if read is not None:
            return self._projected(*read)
        return self._project_exactly(payload)

    def _project_exactly(self, payload: str | bytes) -> Projected:
        readings = self._exact.read(payload)
        values = [value for value, _ in readings]
        return self._projected(values, [index for index, (_, fits) in enumerate(readings) if not fits])

    def _projected(self, values: list[Value], coerced: list[int]) -> Projected:
        source_time = values[-2]
        flagged: tuple[str, ...] = ()
        if coerced or source_time is None:
            indexes = {*coerced, len(values) - 2} if source_time is None else set(coerced)
            flagged = tuple(self._names[index] for index in sorted(indexes))
        # MessagePack has one shortest form for each of our values and carries type and length with each, so that
        # None, "", 1, "1" and 1.0 differ, and neighbours never run together.
        digest = blake2b(self._encode(values[:-2]), digest_size=HASH_BYTES).hexdigest()
        return Projected(tuple(values), flagged, values[0], source_time, digest)  # type: ignore[arg-type]
