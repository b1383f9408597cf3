"""What one run does on AWS, counted beforehand: transitions, calls, requests to S3 and DynamoDB.

The numbers are read off the steps and definitions, and no measurement holds them yet; how long functions take is
assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from avesa.application.demand import Demand
from avesa.domain.prices import Operations

if TYPE_CHECKING:
    from avesa.domain.model import TableRun

_LOG_BYTES_PER_CALL: Final = 2_500
_GB: Final = 1e9
MEMORY_GB: Final = {"small": 0.5, "chunk": 1769 / 1024, "transform": 3538 / 1024}
"""As infrastructure/components/functions.py sizes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """Seconds that functions are billed for; guesses until somebody measures a deployment."""

    small_seconds: float = 0.6
    """A call of orchestrator, tenant, table processor or aggregator, with its share of cold starts."""
    chunk_seconds: float = 1.0
    """A call of the chunk processor beside its requests."""
    transform_seconds: float = 1.5
    """A call of the transform beside its records."""
    record_seconds: float = 0.0002
    """Folding one record."""


ASSUMED: Final = Assumed()


def run_operations() -> Operations:
    """Return what a run does however many tenants it has: request, map, result."""
    return _called("small", 2, ASSUMED.small_seconds) + Operations(
        transitions=3, s3_writes=1, s3_reads=6, dynamodb_write_units=4, dynamodb_read_units=4
    )


def tenant_operations() -> Operations:
    """Return what a tenant adds beside its tables."""
    return _called("small", 2, ASSUMED.small_seconds) + Operations(
        transitions=5, s3_writes=1, s3_reads=6, dynamodb_read_units=1, secret_reads=1
    )


def table_operations(demand: Demand, *, records: int, answer_seconds: float) -> Operations:
    """Return what a table's read and fold do."""
    pages = demand.page_requests
    waiting = (demand.plan_requests * answer_seconds, demand.page_requests * answer_seconds)
    return (
        _called("small", 2, ASSUMED.small_seconds + waiting[0] / 2)
        + _called("chunk", demand.chunks, ASSUMED.chunk_seconds + waiting[1] / demand.chunks)
        + _called("transform", 2, ASSUMED.transform_seconds + demand.compare_requests * answer_seconds / 2)
        + Operations(gb_seconds=records * ASSUMED.record_seconds * MEMORY_GB["transform"])
        + Operations(
            transitions=9 + 3 * demand.chunks,
            s3_writes=6 + demand.chunks + pages,
            s3_reads=24 + 6 * demand.chunks,
            dynamodb_write_units=12 + 4 * pages,
            dynamodb_read_units=8 + 2 * demand.chunks,
            secret_reads=2 + demand.chunks,
        )
    )


def operations_of(run: TableRun) -> Operations:
    """Return what a run that ended did for its table, from what was counted of it."""
    requests = run.usage.requests
    demand = Demand(
        chunks=max(1, run.chunks),
        plan_requests=0,
        page_requests=max(1, requests - 1),
        compare_requests=min(1, requests),
        sweep_requests=0,
    )
    answer_seconds = run.usage.answered_seconds / requests if requests else 0.0
    return table_operations(demand, records=run.records, answer_seconds=answer_seconds)


def _called(size: str, calls: int, seconds: float) -> Operations:
    return Operations(
        invocations=calls, gb_seconds=calls * seconds * MEMORY_GB[size], log_gb=calls * _LOG_BYTES_PER_CALL / _GB
    )
