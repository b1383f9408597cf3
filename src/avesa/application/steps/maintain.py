"""The step that maintains one table under its lease: an operator's call, where a run does the same after its commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.connection import find_tenant
from avesa.application.leasing import leased
from avesa.application.maintain import MaintainTask, TableMaintenance, maintain
from avesa.application.payloads import from_json, to_json
from avesa.application.steps.run import new_job_id
from avesa.domain.errors import LeaseHeld, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json


def maintain_table(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Return a TableMaintenance for a MaintainTask; a table that a run holds is skipped, and says so.

    Raises UsageError for a table without a mapping, StorageError when it cannot be read; nothing is deleted then.
    """
    task = from_json(MaintainTask, payload)
    find_tenant(context, task.tenant_id, task.service)
    mapping = load_catalog(context.lake).mapping(task.table_name)
    if mapping is None:
        raise UsageError(f"{task.table_name} has no canonical table, so there is nothing to maintain")
    try:
        with leased(context, task.tenant_id, task.table_name, job_id=new_job_id(context)) as lease:
            snapshot = context.canonical.open(task.tenant_id, task.service, mapping)
            return to_json(maintain(context, task, snapshot, lease))
    except LeaseHeld as error:
        skipped = TableMaintenance(
            tenant_id=task.tenant_id,
            table_name=task.table_name,
            canonical_table=mapping.table,
            skipped=f"{error}; maintain it when that has ended",
        )
        return to_json(skipped)
