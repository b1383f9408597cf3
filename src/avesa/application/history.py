"""What a table's latest runs took, kept with its state: forecasts learn from it, and are measured against it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from avesa.domain.model import TableRun

if TYPE_CHECKING:
    from avesa.application.context import StepContext
    from avesa.application.payloads import TableWork
    from avesa.domain.model import Status, TableState

RUNS_KEPT: Final = 8


def run_of(context: StepContext, work: TableWork, status: Status) -> TableRun:
    """Return what the run took for the table until now."""
    plan = work.plan
    return TableRun(
        job_id=work.task.job_id,
        mode=None if plan is None else plan.mode,
        is_swept=work.task.request.detect_deletes,
        is_resumed=plan is not None and plan.job_id != work.task.job_id,
        status=status,
        started_at=work.lease.acquired_at,
        seconds=max(0.0, (context.clock.now() - work.lease.acquired_at).total_seconds()),
        records=work.records_extracted,
        chunks=0 if plan is None else plan.chunk_count,
        usage=work.usage,
    )


def with_run(context: StepContext, work: TableWork, state: TableState, status: Status) -> TableState:
    """Return the state with this run as its latest, in place of what the same job left there before."""
    run = run_of(context, work, status)
    others = [other for other in state.runs if other.job_id != run.job_id]
    return replace(state, runs=(run, *others)[:RUNS_KEPT])
