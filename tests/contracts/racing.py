"""What other processes run in these tests: imported by name there, so it stands apart from the tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from avesa.adapters.local.database import SqliteDatabase
from avesa.adapters.local.state import SqliteTableStates
from avesa.domain.errors import LeaseHeld
from avesa.domain.model import Holder

if TYPE_CHECKING:
    from multiprocessing import Queue
    from multiprocessing.synchronize import Barrier

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def race(path: str, name: str, rounds: int, start: Barrier, won: Queue[tuple[str, list[int]]]) -> None:
    """Try to get `rounds` tables, beginning together with the other process; report which were got."""
    database = SqliteDatabase(path)
    tables = SqliteTableStates(database)
    start.wait(timeout=60)
    mine = [number for number in range(rounds) if _got(tables, name, number)]
    won.put((name, mine))
    database.close()


def _got(tables: SqliteTableStates, name: str, number: int) -> bool:
    try:
        tables.acquire(
            "acme", f"table-{number}", holder=Holder(job_id=name), now=NOON, ttl_seconds=60, is_gone=lambda _: False
        )
    except LeaseHeld:
        return False
    return True
