"""Holding one table for work that is no run: nobody writes it meanwhile, and it is let go of whatever happens."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.application.context import StepContext
    from avesa.domain.model import Lease
    from avesa.ports.upkeep import Upkeep


@contextmanager
def leased(context: StepContext, tenant_id: str, table_name: str, *, job_id: str) -> Iterator[Lease]:
    """Give the table's lease, renewed for as long as the context lasts. Raises LeaseHeld when somebody else has it."""
    lease = context.tables.acquire(
        tenant_id,
        table_name,
        holder=context.liveness.holder(job_id),
        now=context.clock.now(),
        ttl_seconds=context.bounds.lease_ttl_seconds,
        is_gone=context.liveness.is_gone,
    )

    def renewed(held: Lease) -> Lease:
        return context.tables.renew(held, now=context.clock.now(), ttl_seconds=context.bounds.lease_ttl_seconds)

    try:
        with context.liveness.keeping(lease, renewed):
            yield lease
    finally:
        context.tables.release(lease)


def upkeep_of(context: StepContext) -> Upkeep:
    """Return what looking after the lake needs. Raises ConfigError in a package that has no table engines."""
    if context.upkeep is None:
        raise ConfigError(
            "this step reads whole tables and raw parts, and this package has no engine for that: on AWS, invoke "
            "avesa-canonical-transform for it"
        )
    return context.upkeep
