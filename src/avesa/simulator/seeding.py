"""Fills the tables of one company from its seed, each table from a stream of its own."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from avesa.simulator import hostile
from avesa.simulator.customers import Companies, Contacts
from avesa.simulator.generic import Generic
from avesa.simulator.pieces import Shared
from avesa.simulator.service import Tickets, TimeEntries
from avesa.simulator.table import Row, stamp_of
from avesa.simulator.wire import encode
from avesa.simulator.world import Named, mix

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from avesa.simulator.schema import Schema
    from avesa.simulator.table import Table
    from avesa.simulator.world import World

_BULK_UPDATES = 8  # moments at which many records were updated together, to the same second
_BULK_SHARE = 0.05
_MAX_CHILDREN = 6


class _Builder(Protocol):
    def build(self, draw: Callable[[], float], record_id: int, entered: int, updated: int) -> dict[str, Any]: ...


class Seeder:
    """Makes the rows of one company's tables: the first ones, a parent's children, and those inserted later."""

    def __init__(self, world: World, *, is_hostile: bool) -> None:
        self._world, self._is_hostile = world, is_hostile
        self._builders: dict[str, _Builder] = {}

    @cached_property
    def _shared(self) -> Shared:
        return Shared(self._world)

    def _builder(self, schema: Schema) -> _Builder:
        if schema.path not in self._builders:
            self._builders[schema.path] = self._make_builder(schema)
        return self._builders[schema.path]

    def _make_builder(self, schema: Schema) -> _Builder:
        match schema.path:
            case "service/tickets":
                return Tickets(self._world, self._shared)
            case "time/entries":
                return TimeEntries(self._world, self._shared)
            case "company/companies":
                return Companies(self._world, self._shared)
            case "company/contacts":
                return Contacts(self._world, self._shared)
            case path:
                things = {thing.id: thing for thing in self._world.pools.get(path, [])}
                return Generic(self._world, self._shared, schema, path, things)

    def rows(self, schema: Schema) -> Iterator[Row]:
        """Return the rows that a table has at the start."""
        known = self._world.pools.get(schema.path)
        ids = [thing.id for thing in known] if known is not None else self._world.ids(schema.path)
        rng = self._world.random(f"rows/{schema.path}")
        since, until = self._world.since, self._world.until
        span = (until - since) / max(1, len(ids))
        bulk = sorted(rng.randrange(since, until) for _ in range(_BULK_UPDATES))
        draw = rng.random
        for at, record_id in enumerate(ids):
            entered = int(since + span * (at + draw()))
            # Most records rest soon after they were entered; some are edited weeks later by billing.
            updated = min(until, entered + int(draw() ** 6 * 9_000_000))
            if draw() < _BULK_SHARE:
                updated = max(updated, bulk[int(draw() * _BULK_UPDATES)])
            yield self._row(schema, rng, record_id, entered, updated)

    def child_rows(self, schema: Schema, parent_id: int) -> Iterator[Row]:
        """Return the rows of one parent's collection; ids are unique over all parents."""
        rng = self._world.random(f"rows/{schema.path}/{parent_id}")
        things = self._things_of(schema, parent_id)
        if things:
            builder: _Builder = Generic(
                self._world, self._shared, schema, schema.path, {thing.id: thing for thing in things}
            )
            ids = [thing.id for thing in things]
        else:
            builder = self._builder(schema)
            ids = [parent_id * 10 + at for at in range(mix(parent_id, 9) % _MAX_CHILDREN)]
        for record_id in ids:
            updated = rng.randrange(self._world.since, self._world.until)
            record = builder.build(rng.random, record_id, updated, updated)
            yield Row(record_id, updated, encode(record))

    def _things_of(self, schema: Schema, parent_id: int) -> Sequence[Named]:
        """Return what a board names as its own; other parents name nothing."""
        board = next((found for found in self._world.boards if found.board.id == parent_id), None)
        if board is None or not schema.path.startswith("service/boards/"):
            return ()
        return {
            "statuses": board.statuses,
            "types": board.types,
            "subtypes": board.subtypes,
            "items": board.items,
            "teams": board.teams,
        }.get(schema.path.rpartition("/")[2], ())

    def new_rows(self, table: Table, count: int, rng: random.Random, at: int) -> Iterator[Row]:
        """Return rows entered just now, with ids above every id that the table ever had."""
        record_id = table.highest_id
        for _ in range(count):
            record_id += rng.choice((1, 1, 1, 4))
            yield self._row(table.schema, rng, record_id, at, at)

    def _row(self, schema: Schema, rng: random.Random, record_id: int, entered: int, updated: int) -> Row:
        record = self._builder(schema).build(rng.random, record_id, entered, updated)
        if not self._is_hostile:
            return Row(record_id, updated, encode(record))
        hostile.spoil(record, schema.model, rng)
        stamp, is_odd = stamp_of(record)
        return Row(record_id, stamp, encode(record), is_odd)
