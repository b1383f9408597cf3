"""The local home for commands that only look: nothing is created, no mapping published, no engine loaded unasked."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avesa.adapters.local.database import SqliteDatabase
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.local.liveness import ProcessLiveness
from avesa.adapters.local.state import SqliteJobLedger, SqliteTableStates, SqliteTenantRegistry
from avesa.adapters.machine.clock import SystemClock
from avesa.application.context import Bounds
from avesa.domain.errors import UsageError
from avesa.domain.names import Environment, check_tenant_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from avesa.adapters.delta.views import SqlSession
    from avesa.ports.lake import Lake
    from avesa.ports.state import JobLedger, TableStates, TenantRegistry
    from avesa.ports.time import Clock
    from avesa.ports.work import Liveness


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalReading:
    """What a home remembers."""

    home: Path
    registry: TenantRegistry
    tables: TableStates
    jobs: JobLedger
    lake: Lake
    clock: Clock
    liveness: Liveness

    @property
    def events_file(self) -> Path:
        """Where every event of this home is kept, one JSON object a line."""
        return self.home / "logs" / "events.jsonl"


@contextmanager
def local_reading(home: Path) -> Iterator[LocalReading]:
    """Give what the home remembers. Raises UsageError when there is no home, StorageError when it cannot be read."""
    state = home / "state.sqlite3"
    if not state.is_file():
        message = (
            f"there is no AVESA data in {home}: name its folder with --home or AVESA_HOME, "
            "or begin with `avesa demo` or `avesa setup-service`"
        )
        raise UsageError(message)
    database = SqliteDatabase(state)
    try:
        yield LocalReading(
            home=home,
            registry=SqliteTenantRegistry(database),
            tables=SqliteTableStates(database),
            jobs=SqliteJobLedger(database),
            lake=LocalLake(home / Environment.LOCAL.lake_name),
            clock=SystemClock(),
            liveness=ProcessLiveness(home / "runs", ttl_seconds=Bounds().lease_ttl_seconds),
        )
    finally:
        database.close()


@contextmanager
def local_sql(home: Path, *, tenant_id: str | None = None) -> Iterator[SqlSession]:
    """Give SQL over the canonical tables of all tenants, or of one. Raises UsageError for an unknown tenant."""
    from avesa.adapters.delta.views import sql_session

    with local_reading(home) as reading, tempfile.TemporaryDirectory(prefix="avesa-query-") as spill:
        known = sorted({item.tenant_id for item in reading.registry.list()})
        if tenant_id is not None and check_tenant_id(tenant_id) not in known:
            raise UsageError(f"unknown tenant {tenant_id!r}; registered tenants: {', '.join(known) or 'none yet'}")
        tenants = known if tenant_id is None else [tenant_id]
        with sql_session(reading.lake, tenants, spill_folder=spill) as session:
            yield session
