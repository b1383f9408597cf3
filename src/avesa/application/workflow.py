"""The local counterpart of the state machines: maps tenants, tables and chunks over the steps, and keeps one failure
from touching its neighbours. It decides nothing else.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from avesa.application.payloads import (
    ChunkTask,
    RunEnd,
    StepFailure,
    TableEnd,
    TableTask,
    TableWork,
    TenantEnd,
    TenantTask,
    from_json,
    to_json,
)
from avesa.domain.errors import AvesaError
from avesa.domain.model import Status, TableResult, TenantResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.application.payloads import Json
    from avesa.application.pipeline import Application
    from avesa.domain.model import Lease


def run_pipeline(application: Application, request: Mapping[str, object]) -> Json:
    """Run a whole request; return the object that `avesa run --output json` prints. Raises UsageError before any
    work.
    """
    started = application.run_step("orchestrate_pipeline", request)
    tasks = from_json(list[TenantTask], started["tenants"])
    run = _Run(application)
    tenants = application.context.executor.map(run.tenant, tasks, limit=application.context.bounds.tenants)
    return application.run_step(
        "aggregate_results", to_json(RunEnd(job_id=str(started["job_id"]), tenants=tuple(tenants)))
    )


class _Run:
    """One run's mapping of steps. A failed step fails its own table or tenant, and nothing else."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._context = application.context

    def tenant(self, task: TenantTask) -> TenantResult:
        """Return what one tenant came to."""
        try:
            given = self._application.run_step("process_tenant", to_json(task))
        except Exception as error:  # noqa: BLE001 - the local runner: one tenant's failure must not end the others
            end = TenantEnd(task=task, error=self._failure(error))
        else:
            tasks = from_json(list[TableTask], given["tables"])
            tables = self._context.executor.map(self._table, tasks, limit=self._context.bounds.tables)
            end = TenantEnd(task=task, tables=tuple(tables))
        return from_json(TenantResult, self._application.run_step("finish_tenant", to_json(end)))

    def _table(self, task: TableTask) -> TableResult:
        try:
            self._go_on()
            work = from_json(TableWork, self._application.run_step("process_table", to_json(task)))
        except Exception as error:  # noqa: BLE001 - the local runner: one table's failure must not end the others
            return self._finished(TableEnd(task=task, error=self._failure(error)))
        with self._context.liveness.keeping(work.lease, self._renewed):
            try:
                end = self._worked(work)
            except Exception as error:  # noqa: BLE001 - as above
                end = TableEnd(task=task, work=work, error=self._failure(error))
        return self._finished(end)

    def _worked(self, work: TableWork) -> TableEnd:
        self._context.executor.map(
            lambda chunk_id: self._chunk(work, chunk_id),
            work.chunk_ids,
            limit=min(work.concurrency, self._context.bounds.chunks),
        )
        reconciled = self._application.run_step("reconcile_table", to_json(work))
        result = from_json(TableResult, self._application.run_step("transform_canonical", reconciled))
        while result.status is Status.PROCESSING:
            self._go_on()
            result = from_json(TableResult, self._application.run_step("transform_canonical", reconciled))
        return TableEnd(task=work.task, work=from_json(TableWork, reconciled), result=result)

    def _chunk(self, work: TableWork, chunk_id: str) -> None:
        payload = to_json(ChunkTask(work=work, chunk_id=chunk_id))
        while True:
            self._go_on()
            if self._application.run_step("process_chunk", payload)["is_done"]:
                return

    def _go_on(self) -> None:
        """Return unless the operator asked the run to end."""
        if self._context.is_stopping():
            raise AvesaError("the run was asked to stop; what is durable stays, and the next run goes on from there")

    def _finished(self, end: TableEnd) -> TableResult:
        return from_json(TableResult, self._application.run_step("finish_table", to_json(end)))

    def _renewed(self, lease: Lease) -> Lease:
        context = self._context
        return context.tables.renew(lease, now=context.clock.now(), ttl_seconds=context.bounds.lease_ttl_seconds)

    def _failure(self, error: Exception) -> StepFailure:
        """Return a failure in its own words; an unforeseen one also leaves its place in the events."""
        if isinstance(error, AvesaError):
            return StepFailure(Error=type(error).__name__, Cause=str(error))
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        self._context.events.emit("unforeseen_error", kind=type(error).__name__, where=frames[-6:])
        told = f"unforeseen {type(error).__name__}: {error}"
        cause = f"{told}. This is a fault in AVESA: `avesa job` shows its place, please report it"
        return StepFailure(Error=type(error).__name__, Cause=cause)
