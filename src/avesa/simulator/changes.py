"""What happens to a company's records over time, drawn from a seed: the kinds of change that an extract must notice,
and those that it cannot notice by asking for what was updated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from avesa.simulator.table import Row, stamp_of
from avesa.simulator.wire import date_text, decode, encode, seconds_of

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from datetime import datetime

    from avesa.simulator.table import Table

Record = dict[str, Any]

# The text that an edit rewrites, and numbers that it moves, by model.
_TEXTS = {"Ticket": "summary", "TimeEntry": "notes", "Company": "phoneNumber", "Contact": "title", "Member": "title"}
_NUMBERS = {"Ticket": "actualHours", "TimeEntry": "actualHours", "Company": "annualRevenue"}
RECENT_ROWS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How many records change in which way; no record changes twice in one go.

    `silent` changes a business field and leaves lastUpdated; `merges` sets deletedFlag and leaves lastUpdated;
    `moves_to_project` takes service tickets out of their table into project/tickets.
    `recent_share` of the changes hits the newest 50,000 rows, the rest any row.
    """

    edits: int = 0
    touches: int = 0
    inserts: int = 0
    deletes: int = 0
    silent: int = 0
    merges: int = 0
    moves_to_project: int = 0
    recent_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The ids that changed, by what happened to them."""

    edited: list[int] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)
    inserted: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    silent: list[int] = field(default_factory=list)
    merged: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)


def row_of(record: Record, record_id: int) -> Row:
    """Return the record as a table keeps it."""
    stamp, is_odd = stamp_of(record)
    # A list of ids alone must tell the id that the text has, also after an unreadable record was touched.
    return Row(record_id, stamp, encode(record), is_odd or record.get("id") != record_id)


def with_fields(record: Record, fields: Mapping[str, object]) -> Record:
    """Return the record with the fields set; `a/b` is field b of object a, and None takes a field away."""
    changed = dict(record)
    for path, value in fields.items():
        target, (*outer, name) = changed, path.split("/")
        for part in outer:
            inner = target.get(part)
            target[part] = dict(inner) if isinstance(inner, dict) else {}
            target = target[part]
        if value is None:
            target.pop(name, None)
        else:
            target[name] = value
    return changed


def updated(record: Record, at: datetime, by: str) -> Record:
    """Return the record with a new lastUpdated and updatedBy."""
    return with_fields(record, {"_info/lastUpdated": date_text(seconds_of(at)), "_info/updatedBy": by})


class Drawn:
    """Draws distinct records of one table and makes their changed rows; nothing is written here."""

    def __init__(self, table: Table, changes: Changes, rng: random.Random, number: int) -> None:
        self._model, self._rng, self._number = table.schema.model, rng, number
        self._snapshot = table.snapshot
        self._share = changes.recent_share
        self._taken: set[int] = set()

    def ids(self, count: int) -> list[int]:
        """Return up to `count` ids that were not drawn before."""
        total = len(self._snapshot)
        found: list[int] = []
        while len(found) < count and len(self._taken) < total:
            recent = self._rng.random() < self._share
            position = self._rng.randrange(max(0, total - RECENT_ROWS) if recent else 0, total)
            while position in self._taken:
                position = (position + 1) % total
            self._taken.add(position)
            found.append(self._snapshot.ids[position])
        return found

    def record(self, record_id: int) -> Record:
        position = self._snapshot.position(record_id)
        return {} if position is None else dict(decode(self._snapshot.bodies[position]))

    def edited(self, record_id: int) -> Record:
        """Return the record with another text and now and then another number; lastUpdated is as it was."""
        name = _TEXTS.get(self._model) or self._any_text(record_id)
        fields: dict[str, object] = {name: f"changed {self._number}-{self._rng.randrange(1_000_000)} é"}
        number = _NUMBERS.get(self._model)
        if number and self._rng.random() < 0.5:  # noqa: PLR2004 - a coin
            fields[number] = self._rng.randrange(1, 400) / 4
        return with_fields(self.record(record_id), fields)

    def _any_text(self, record_id: int) -> str:
        record = self.record(record_id)
        return next((name for name in ("name", "summary", "description", "notes") if name in record), "name")
