"""What one run does on AWS, counted beforehand: transitions, calls, requests to S3 and DynamoDB.

The numbers of requests are those that the steps make; a test holds them to real runs on the emulator, each kind within
a tenth (tests/emulator/test_operation_counts.py). How long functions take is assumed: it was never measured on AWS.
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
        transitions=3, s3_writes=1, s3_reads=6, dynamodb_write_units=3, dynamodb_read_units=4
    )


def tenant_operations() -> Operations:
    """Return what a tenant adds beside its tables."""
    return _called("small", 2, ASSUMED.small_seconds) + Operations(
        transitions=5, s3_writes=1, s3_reads=6, dynamodb_read_units=1, secret_reads=1
    )


def table_operations(
    demand: Demand, *, records: int, answer_seconds: float, is_new: bool = False, is_swept: bool = False
) -> Operations:
    """Return what a table's read and fold do; `is_new` says that there is no canonical table yet."""
    waiting = (demand.plan_requests * answer_seconds, demand.page_requests * answer_seconds)
    return (
        _called("small", 2, ASSUMED.small_seconds + waiting[0] / 2)
        + _called("chunk", demand.chunks, ASSUMED.chunk_seconds + waiting[1] / demand.chunks)
        + _called("transform", 2, ASSUMED.transform_seconds + demand.compare_requests * answer_seconds / 2)
        + Operations(gb_seconds=records * ASSUMED.record_seconds * MEMORY_GB["transform"])
        + _read(demand, has_manifest=demand.chunks > 1)
        + (_folded(demand.page_requests, is_new=is_new) if records else Operations())
        + (Operations(s3_writes=1, s3_reads=9) if is_swept else Operations())
    )


def _read(demand: Demand, *, has_manifest: bool) -> Operations:
    """Lease, plan, chunks, comparison, bookmark: each step lists and reads the mappings, six objects of them."""
    chunks, pages = demand.chunks, demand.page_requests
    return Operations(
        transitions=9 + 3 * chunks,
        s3_writes=6 + chunks + has_manifest,
        s3_reads=26 + 6 * chunks + has_manifest,
        # A checkpoint is a transaction of two items, which counts twice.
        dynamodb_write_units=10 + 4 * pages,
        dynamodb_read_units=8 + 2 * chunks,
        secret_reads=2 + chunks,
    )


def _folded(parts: int, *, is_new: bool) -> Operations:
    """Raw parts written and read back, data files, manifest, and the table's log, which is listed again and again."""
    fold = Operations(
        s3_writes=13 if is_new else 8,
        s3_reads=13 if is_new else 23,
        dynamodb_write_units=-1,
        dynamodb_read_units=-1,  # the step need not look whether somebody else folded
    )
    return fold + Operations(s3_writes=parts, s3_reads=3 * parts)


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
    return table_operations(demand, records=run.records, answer_seconds=answer_seconds, is_swept=run.is_swept)


def _called(size: str, calls: int, seconds: float) -> Operations:
    return Operations(
        invocations=calls, gb_seconds=calls * seconds * MEMORY_GB[size], log_gb=calls * _LOG_BYTES_PER_CALL / _GB
    )
