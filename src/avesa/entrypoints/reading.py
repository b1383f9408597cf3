"""What a home or a deployed environment remembers, for the commands that only look."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avesa.adapters.delta.views import SqlSession
    from avesa.domain.model import Job
    from avesa.entrypoints.options import Place
    from avesa.ports.lake import Lake
    from avesa.ports.state import JobLedger, TableStates, TenantRegistry
    from avesa.ports.time import Clock
    from avesa.ports.work import Liveness


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The state of one place, wherever it lies."""

    where: str
    """The home's folder, or the lake's address."""
    registry: TenantRegistry
    tables: TableStates
    jobs: JobLedger
    lake: Lake
    clock: Clock
    liveness: Liveness
    events: Callable[[Job], list[dict[str, object]]]
    """What explains a job; on AWS that is in the functions' logs, and nothing is given here."""


@contextmanager
def reading(place: Place) -> Iterator[Reading]:
    """Give what the place remembers. Raises UsageError when there is nothing, StorageError when it cannot be read."""
    if place.is_local:
        from avesa.bootstrap.local_reading import local_reading
        from avesa.entrypoints.job_events import events_of

        with local_reading(place.home) as found:
            yield Reading(
                where=str(place.home),
                registry=found.registry,
                tables=found.tables,
                jobs=found.jobs,
                lake=found.lake,
                clock=found.clock,
                liveness=found.liveness,
                events=lambda job: events_of(found.events_file, job),
            )
        return
    from avesa.bootstrap.deployed import deployed_reading, deployed_settings

    with deployed_reading(deployed_settings(place.environment)) as there:
        yield Reading(
            where=f"s3://{there.bucket}",
            registry=there.registry,
            tables=there.tables,
            jobs=there.jobs,
            lake=there.lake,
            clock=there.clock,
            liveness=there.liveness,
            events=lambda _: [],
        )


@contextmanager
def sql(place: Place, *, tenant_id: str | None) -> Iterator[SqlSession]:
    """Give SQL over the canonical tables of all tenants, or of one. Raises UsageError for an unknown tenant."""
    if place.is_local:
        from avesa.bootstrap.local_reading import local_sql

        with local_sql(place.home, tenant_id=tenant_id) as session:
            yield session
        return
    from avesa.bootstrap.deployed import deployed_settings, deployed_sql

    with deployed_sql(deployed_settings(place.environment), tenant_id=tenant_id) as session:
        yield session
