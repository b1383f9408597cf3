"""One simulated company: its credentials, its tables, and every way to change them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from avesa.simulator.changes import Applied, Changes, Drawn, row_of, updated, with_fields
from avesa.simulator.schema import schemas
from avesa.simulator.seeding import Seeder
from avesa.simulator.table import Row, Table, stamp_of
from avesa.simulator.wire import decode, seconds_of
from avesa.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Record = dict[str, Any]

ALIASES = {
    "tickets": "service/tickets",
    "time_entries": "time/entries",
    "companies": "company/companies",
    "contacts": "company/contacts",
}
DEFAULT_SIZES = {"service/tickets": 400, "time/entries": 600, "company/companies": 40, "company/contacts": 160}
# Seeded records lie in these three years whatever day it is, so that a seed always gives the same bytes.
HISTORY_SINCE = datetime(2022, 7, 1, tzinfo=UTC)
HISTORY_UNTIL = datetime(2025, 6, 30, tzinfo=UTC)
_OTHER_SIZE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanySpec:
    """A company to simulate: its login, the sizes of its tables (by path, or `tickets` and its like), its profile."""

    login: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client of this company signs in with."""

    company_id: str
    public_key: str
    private_key: str = field(repr=False)
    client_id: str


class Company:
    """A company of the site; its tables are made from the seed when first asked for, and any thread may use them."""

    def __init__(self, spec: CompanySpec, *, seed: int, profile: str, clock: Callable[[], datetime]) -> None:
        self.login = spec.login
        self.profile = spec.profile or profile
        self._clock = clock
        self._seed = f"{seed}/{spec.login}"
        known = schemas()
        sizes = dict.fromkeys(known, _OTHER_SIZE) | DEFAULT_SIZES
        for name, size in spec.sizes.items():
            path = ALIASES.get(name, name)
            if path not in known or "{" in path:
                message = (
                    f"sizes[{name!r}] of company {spec.login!r}: no such table; known are {', '.join(sorted(known))}"
                )
                raise ValueError(message)
            sizes[path] = size
        self._world = World(
            seed=self._seed, sizes=sizes, since=seconds_of(HISTORY_SINCE), until=seconds_of(HISTORY_UNTIL)
        )
        self._seeder = Seeder(self._world, is_hostile=self.profile == "hostile")
        self._tables: dict[str, Table] = {}
        self._lock = threading.RLock()
        self._applied = 0
        self.credentials = self._make_credentials()

    def _make_credentials(self) -> Credentials:
        rng = self._world.random("credentials")
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        public, private = ("".join(rng.choice(letters) for _ in range(16)) for _ in range(2))
        bits = f"{rng.getrandbits(128):032x}"
        client_id = f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-8{bits[17:20]}-{bits[20:]}"
        return Credentials(company_id=self.login, public_key=public, private_key=private, client_id=client_id)

    def find(self, path: str) -> Table | None:
        """Return the table under the path (any case; a child's holds its parent's id), or None when there is none."""
        with self._lock:
            key = path.lower()
            if key not in self._tables:
                made = self._make(path)
                if made is None:
                    return None
                self._tables[key] = made
            return self._tables[key]

    def _make(self, path: str) -> Table | None:
        parts = path.lower().split("/")
        numbers = [at for at, part in enumerate(parts) if part.isdigit()]
        template = "/".join("{parent}" if at in numbers else part for at, part in enumerate(parts))
        schema = next((schema for known, schema in schemas().items() if known.lower() == template), None)
        if schema is None:
            return None
        if not numbers:
            return Table(schema, self._seeder.rows(schema))
        parent = self.find("/".join(parts[: numbers[0]]))
        parent_id = int(parts[numbers[0]])
        if parent is None or parent.snapshot.position(parent_id) is None:
            return None
        return Table(schema, self._seeder.child_rows(schema, parent_id))

    def table(self, path: str) -> Table:
        """Return the table under the path or its short name; raise KeyError when there is none."""
        found = self.find(ALIASES.get(path, path))
        if found is None:
            raise KeyError(path)
        return found

    def records(self, path: str) -> dict[int, Record]:
        """Return every record that the table has now, decoded, by id: the truth for tests."""
        return self.table(path).records()

    def put(self, path: str, record: Record) -> None:
        """Insert or replace a record as it is, under its own id."""
        self.table(path).change({record["id"]: row_of(record, record["id"])})

    def put_body(self, path: str, record_id: int, body: bytes) -> None:
        """Insert or replace a record by its text, which need not be a record; lists show it in the id's place."""
        try:
            record = decode(body)
        except ValueError:
            record = None
        stamp, is_odd = stamp_of(record)
        # A list of ids alone must tell the id that the text has, not the place that it was put in.
        is_odd = is_odd or not isinstance(record, dict) or record.get("id") != record_id
        self.table(path).change({record_id: Row(record_id, stamp, body, is_odd)})

    def edit(
        self,
        path: str,
        record_id: int,
        fields: Mapping[str, object],
        at: datetime | None = None,
        *,
        silent: bool = False,
    ) -> None:
        """Change fields of a record (`a/b` is field b of object a, None removes) and its lastUpdated to `at` or now.

        A silent edit leaves lastUpdated as it was. Raises KeyError when there is no such record.
        """
        table = self.table(path)
        with table.lock:
            body = table.body(record_id)
            if body is None:
                raise KeyError(record_id)
            record = with_fields(decode(body), fields)
            if not silent:
                record = updated(record, at or self._clock(), "editor")
            table.change({record_id: row_of(record, record_id)})

    def delete(self, path: str, record_id: int) -> None:
        """Take the record away without a trace; raise KeyError when there is no such record."""
        table = self.table(path)
        if table.body(record_id) is None:
            raise KeyError(record_id)
        table.change({record_id: None})

    def restore(self, path: str, record_id: int) -> None:
        """Bring a deleted record back as it was; raise KeyError when it was never deleted."""
        table = self.table(path)
        row = table.deleted(record_id)
        if row is None:
            raise KeyError(record_id)
        table.change({record_id: row})

    def apply(self, path: str, changes: Changes, at: datetime | None = None) -> Applied:
        """Draw and apply changes to one table at a source time (now by default), and return which ids changed how.

        The same sequence of calls on the same seed changes the same records in the same way.
        """
        moment = at or self._clock()
        table = self.table(path)
        with self._lock, table.lock:
            self._applied += 1
            rng = self._world.random(f"changes/{self._applied}/{path}")
            drawn = Drawn(table, changes, rng, self._applied)
            applied = Applied(
                edited=drawn.ids(changes.edits),
                touched=drawn.ids(changes.touches),
                deleted=drawn.ids(changes.deletes),
                silent=drawn.ids(changes.silent),
                merged=drawn.ids(changes.merges),
                moved=drawn.ids(changes.moves_to_project),
                inserted=[],
            )
            by = rng.choice(self._world.members).identifier
            rows: dict[int, Row | None] = dict.fromkeys([*applied.deleted, *applied.moved])
            records = {record_id: updated(drawn.edited(record_id), moment, by) for record_id in applied.edited}
            records |= {record_id: updated(drawn.record(record_id), moment, by) for record_id in applied.touched}
            records |= {record_id: drawn.edited(record_id) for record_id in applied.silent}
            records |= {record_id: drawn.record(record_id) | {"deletedFlag": True} for record_id in applied.merged}
            rows |= {record_id: row_of(record, record_id) for record_id, record in records.items()}
            for row in self._seeder.new_rows(table, changes.inserts, rng, seconds_of(moment)):
                rows[row.id] = row
                applied.inserted.append(row.id)
            self._move(drawn, applied.moved, moment, by)
            table.change(rows)
        return applied

    def _move(self, drawn: Drawn, moved: list[int], at: datetime, by: str) -> None:
        """Put the tickets into project/tickets before they leave their own table: for a moment they are in both."""
        records = {record_id: updated(drawn.record(record_id), at, by) for record_id in moved}
        for record in records.values():
            record.pop("recordType", None)
        if records:
            self.table("project/tickets").change({key: row_of(record, key) for key, record in records.items()})
