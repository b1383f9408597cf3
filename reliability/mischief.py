"""What people at the company do to its records while they are being read, and a diary of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from avesa.simulator.changes import Changes, with_fields
from avesa.simulator.wire import date_text, decode, seconds_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from datetime import datetime

    from avesa.simulator.site import Company
    from avesa.simulator.wire import Request

TICKETS: Final = "service/tickets"
COMPANIES: Final = "company/companies"
TABLES: Final = {TICKETS: "tickets", COMPANIES: "companies"}
_LATEST_SECONDS: Final = 240
"""How late a change may become visible: well within the overlap."""
_DEEDS: Final = (
    "edit",
    "edit",
    "edit",
    "late",
    "touch",
    "insert",
    "twice",
    "delete",
    "restore",
    "stale",
    "move",
    "merge",
)


class Diary:
    """When each record was at the source, and which records can no longer be compared with it."""

    def __init__(self, company: Company) -> None:
        self.spans: dict[str, dict[int, list[list[float]]]] = {
            path: {record_id: [[0.0, float("inf")]] for record_id in company.table(path).snapshot.ids}
            for path in TABLES
        }
        self.unsure: dict[str, set[int]] = {path: set() for path in TABLES}
        """Records whose newest state is older than one shown before: the table rightly keeps the newer one."""
        self.restored: dict[str, set[int]] = {path: set() for path in TABLES}
        """Records that came back as they were: only a sweep can see that."""

    def gone(self, path: str, record_id: int, at: float) -> None:
        """Note that the record left."""
        self.spans[path][record_id][-1][1] = at

    def there(self, path: str, record_id: int, at: float) -> None:
        """Note that the record is there, if it was not."""
        spans = self.spans[path].setdefault(record_id, [])
        if not spans or spans[-1][1] != float("inf"):
            spans.append([at, float("inf")])

    def throughout(self, path: str, since: float, until: float) -> set[int]:
        """Return the records that were there all the time."""
        return {
            record_id
            for record_id, spans in self.spans[path].items()
            if any(begin <= since and end >= until for begin, end in spans)
        }

    def ever(self, path: str, since: float, until: float) -> set[int]:
        """Return the records that were there at some time."""
        return {
            record_id
            for record_id, spans in self.spans[path].items()
            if any(begin <= until and end >= since for begin, end in spans)
        }


class Mischief:
    """Changes records at random, between any two requests."""

    def __init__(
        self, company: Company, rng: random.Random, now: Callable[[], float], clock: Callable[[], datetime]
    ) -> None:
        self._company, self._random, self._now, self._clock = company, rng, now, clock
        self.diary = Diary(company)
        self.rate = 0.0
        self.done = 0
        self.poisoned: set[int] = set()
        """Tickets that nobody can read; nobody works on them either."""
        self._deleted: list[tuple[str, int]] = []
        self._again: list[tuple[str, int, datetime]] = []

    def poison(self, path: str, record_id: int) -> None:
        """Make a record one that no program can read, from the beginning on."""
        body = b'{"id":"not a number","_info":{"lastUpdated":"2024-05-01T00:00:00Z"}}'
        self._company.put_body(path, record_id, body)
        self.poisoned.add(record_id)
        del self.diary.spans[path][record_id]

    def on_request(self, _: Request) -> None:
        """Do something before a request is answered, now and then."""
        if self._again and self._random.random() < 0.5:
            self._finish_twice()
        if self.rate and self._random.random() < self.rate:
            self.stir(self._random.choice((1, 1, 1, 2, 4)))

    def stir(self, deeds: int) -> None:
        """Do some deeds."""
        for _ in range(deeds):
            path = TICKETS if self._random.random() < 0.85 else COMPANIES
            deed = self._random.choice(_DEEDS)
            self.done += 1
            getattr(self, f"_{deed}")(path)

    def _some(self, path: str) -> int | None:
        ids = self._company.table(path).snapshot.ids
        if not ids:
            return None
        # The newest few as often as all others: what is edited while it is read matters most.
        low = max(0, len(ids) - 12) if self._random.random() < 0.5 else 0
        found = ids[self._random.randrange(low, len(ids))]
        return None if found in self.poisoned else found

    def _edit(self, path: str) -> None:
        record_id = self._some(path)
        if record_id is not None:
            self._company.edit(path, record_id, self._fields(path))
            # Newer than anything shown before.
            self.diary.unsure[path].discard(record_id)

    def _twice(self, path: str) -> None:
        """Edit, and after somebody may have read it edit again under the same update time."""
        record_id = self._some(path)
        if record_id is not None:
            at = self._clock()
            self._company.edit(path, record_id, self._fields(path), at=at)
            self.diary.unsure[path].discard(record_id)
            self._again.append((path, record_id, at))

    def _finish_twice(self) -> None:
        for path, record_id, at in self._again:
            is_same = self._stamp(path, record_id) == seconds_of(at)
            if is_same and self._clock() - at < timedelta(seconds=_LATEST_SECONDS):
                self._company.edit(path, record_id, self._fields(path), at=at)
        self._again.clear()

    def _late(self, path: str) -> None:
        """Edit at a time that has passed: a transaction that committed late."""
        record_id = self._some(path)
        if record_id is None:
            return
        at = self._clock() - timedelta(seconds=self._random.randrange(1, _LATEST_SECONDS))
        if seconds_of(at) > self._stamp(path, record_id):
            self._company.edit(path, record_id, self._fields(path), at=at)

    def _stale(self, path: str) -> None:
        """Put the record back to an older state, as a restored backup does."""
        record_id = self._some(path)
        if record_id is None or path != TICKETS:
            return
        record = decode(self._company.table(path).body(record_id) or b"{}")
        older = date_text(max(0, self._stamp(path, record_id) - self._random.randrange(1, 100)))
        self._company.put(path, with_fields(record, {"_info/lastUpdated": older} | self._fields(path)))
        self.diary.unsure[path].add(record_id)

    def _touch(self, path: str) -> None:
        self._company.apply(path, Changes(touches=1))

    def _insert(self, path: str) -> None:
        for record_id in self._company.apply(path, Changes(inserts=1)).inserted:
            self.diary.there(path, record_id, self._now())

    def _delete(self, path: str) -> None:
        record_id = self._some(path)
        if record_id is not None and len(self._company.table(path).snapshot.ids) > 8:
            self._company.delete(path, record_id)
            self.diary.gone(path, record_id, self._now())
            self._deleted.append((path, record_id))

    def _restore(self, path: str) -> None:
        del path
        if self._deleted:
            where, record_id = self._deleted.pop(self._random.randrange(len(self._deleted)))
            self._company.restore(where, record_id)
            self.diary.there(where, record_id, self._now())
            self.diary.restored[where].add(record_id)
            # It may carry an update that nobody read before it was deleted, under a time that has long passed.
            self.diary.unsure[where].add(record_id)

    def _move(self, path: str) -> None:
        """Make a project's ticket of a service ticket: it leaves the table."""
        if path == TICKETS:
            moved = set(self._company.apply(path, Changes(moves_to_project=1)).moved)
            for record_id in moved - self.poisoned:
                self.diary.gone(path, record_id, self._now())

    def _merge(self, path: str) -> None:
        """Mark a company as merged, without a new update time; only a whole read can see it."""
        del path
        self._company.apply(COMPANIES, Changes(merges=1))

    def _stamp(self, path: str, record_id: int) -> int:
        snapshot = self._company.table(path).snapshot
        position = snapshot.position(record_id)
        return snapshot.stamps[position] if position is not None else 0

    def _fields(self, path: str) -> dict[str, object]:
        value = f"changed {self.done} {self._random.randrange(1_000_000)}"
        return {"summary" if path == TICKETS else "phoneNumber": value}
