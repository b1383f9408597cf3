"""One table of one company: records as bytes, beside them the two values by which clients ask for them.

A change makes a new version and leaves the old one as it was, so that a request that began on it ends on it.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from avesa.simulator.wire import decode, is_wire_date, parse_moment, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from avesa.simulator.schema import Schema

NO_STAMP = -(1 << 62)  # before every time there is: `lastUpdated > x` is never true of a record without one
_MAX_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One record: id, seconds of its lastUpdated (or NO_STAMP), JSON; odd when that time is written oddly or absent."""

    id: int
    stamp: int
    body: bytes
    is_odd: bool = False


def stamp_of(record: Any) -> tuple[int, bool]:  # noqa: ANN401 - JSON at the wire
    """Return the seconds of a record's lastUpdated and whether it is written in another form than the API's own."""
    info = record.get("_info") if isinstance(record, dict) else None
    text = info.get("lastUpdated") if isinstance(info, dict) else None
    moment = parse_moment(text) if isinstance(text, str) else None
    if moment is None or text is None:
        return NO_STAMP, True
    return seconds_of(moment), not is_wire_date(text)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a table: parallel sequences in ascending order of id, never changed once made."""

    ids: array[int]
    stamps: array[int]
    bodies: list[bytes]
    odd: frozenset[int] = frozenset()
    # Positions found for a filter or an order, by its text: a walk over pages asks for the same ones again and again.
    _remembered: dict[str, array[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def position(self, record_id: int) -> int | None:
        """Return where the record lies, or None when there is none."""
        at = bisect_left(self.ids, record_id)
        return at if at < len(self.ids) and self.ids[at] == record_id else None

    def between(self, low: int, high: int) -> range:
        """Return the positions of the ids in [low, high]."""
        return range(bisect_left(self.ids, low), bisect_right(self.ids, high))

    def remembered(self, key: str) -> array[int] | None:
        """Return the positions once remembered under the key, or None."""
        return self._remembered.get(key)

    def remember(self, key: str, positions: Iterable[int]) -> array[int]:
        """Keep positions under a key, forgetting all others when they become many."""
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        found = self._remembered[key] = array("q", positions)
        return found


class Table:
    """The current version of a table and the one door through which it changes; any thread may use it."""

    def __init__(self, schema: Schema, rows: Iterable[Row]) -> None:
        self.schema = schema
        self._lock = threading.RLock()
        ordered = sorted(rows, key=lambda row: row.id)
        self._snapshot = Snapshot(
            array("q", (row.id for row in ordered)),
            array("q", (row.stamp for row in ordered)),
            [row.body for row in ordered],
            frozenset(row.id for row in ordered if row.is_odd),
        )
        self._highest = ordered[-1].id if ordered else 0
        self._deleted: dict[int, Row] = {}

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    @property
    def lock(self) -> threading.RLock:
        """Held by a caller who reads and then writes."""
        return self._lock

    @property
    def highest_id(self) -> int:
        """The greatest id ever given; an id is not given twice."""
        return self._highest

    def body(self, record_id: int) -> bytes | None:
        """Return the record's JSON, or None when there is no such record."""
        snapshot = self._snapshot
        position = snapshot.position(record_id)
        return None if position is None else snapshot.bodies[position]

    def records(self) -> dict[int, dict[str, Any]]:
        """Return every current record, decoded, by id."""
        snapshot = self._snapshot
        return {record_id: decode(body) for record_id, body in zip(snapshot.ids, snapshot.bodies, strict=True)}

    def change(self, rows: Mapping[int, Row | None]) -> None:
        """Put the given records and delete those given as None, all in one new version."""
        with self._lock:
            before = self._snapshot
            ids, stamps, bodies = array("q", before.ids), array("q", before.stamps), list(before.bodies)
            odd = set(before.odd)
            for record_id, row in rows.items():
                at = bisect_left(ids, record_id)
                exists = at < len(ids) and ids[at] == record_id
                odd.discard(record_id)
                if row is None:
                    if exists:
                        self._deleted[record_id] = Row(record_id, stamps[at], bodies[at], record_id in before.odd)
                        del ids[at], stamps[at], bodies[at]
                    continue
                if row.is_odd:
                    odd.add(record_id)
                if exists:
                    stamps[at], bodies[at] = row.stamp, row.body
                else:
                    ids.insert(at, record_id)
                    stamps.insert(at, row.stamp)
                    bodies.insert(at, row.body)
                    self._highest = max(self._highest, record_id)
            self._snapshot = Snapshot(ids, stamps, bodies, frozenset(odd))

    def deleted(self, record_id: int) -> Row | None:
        """Return the record as it was when it was deleted, or None when it never was."""
        return self._deleted.get(record_id)
