"""The step that reads a table's quarantine again: what today's code can read becomes raw, and then rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.connection import find_tenant
from avesa.application.leasing import leased, upkeep_of
from avesa.application.payloads import TableTask, TableWork, from_json, to_json
from avesa.application.quarantine import quarantined, read_again, resolve
from avesa.application.steps.chunk import write_part
from avesa.application.steps.transform import transform_canonical
from avesa.canonical.projection import Projection
from avesa.domain.errors import DataError
from avesa.domain.model import RawRecord, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from avesa.application.quarantine import QuarantinedLine
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.domain.model import Lease

_CHUNK = "quarantine"
_PART_RECORDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryResult:
    """What reading one table's quarantine again came to."""

    tenant_id: str
    table_name: str
    job_id: str
    readable: int = 0
    """Lines that are in raw by now, and marked as resolved."""
    unreadable: int = 0
    """Lines that stay as they are."""
    versions_opened: int = 0
    versions_corrected: int = 0


def retry_quarantine(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Bring back what can be read by now, fold it, and say so beside the quarantine, which itself is kept.

    Takes a TableTask, gives a RetryResult. Raises LeaseHeld when a run has the table.
    """
    task = from_json(TableTask, payload)
    find_tenant(context, task.tenant_id, task.service)
    with leased(context, task.tenant_id, task.table_name, job_id=task.job_id) as lease:
        return to_json(_retried(context, TableWork(task=task, lease=lease)))


def _retried(context: StepContext, work: TableWork) -> RetryResult:
    task = work.task
    found = [
        line
        for line in quarantined(context.lake, task.tenant_id, task.service, task.table_name)
        if not line.is_resolved
    ]
    readable = _readable(context, work, found)
    result = RetryResult(
        tenant_id=task.tenant_id,
        table_name=task.table_name,
        job_id=task.job_id,
        readable=len(readable),
        unreadable=len(found) - len(readable),
    )
    if readable:
        _made_durable(context, work, readable)
        # Marked when raw has them: a crash before brings them back a second time, which changes no row.
        _marked(context, work.lease, readable, task.job_id)
        folded = transform_canonical(context, to_json(work))
        while folded["status"] == Status.PROCESSING:
            folded = transform_canonical(context, to_json(work))
        opened, corrected = int(str(folded["versions_opened"])), int(str(folded["versions_corrected"]))
        result = replace(result, versions_opened=opened, versions_corrected=corrected)
    context.events.emit(
        "quarantine_retried",
        tenant_id=task.tenant_id,
        table=task.table_name,
        readable=result.readable,
        unreadable=result.unreadable,
    )
    return result


_Readable = list[tuple["QuarantinedLine", list[tuple["datetime", RawRecord]]]]


def _readable(context: StepContext, work: TableWork, lines: list[QuarantinedLine]) -> _Readable:
    """Return the lines that can be read, each with its records and the time at which the source gave them."""
    catalog = load_catalog(context.lake)
    drop_fields, mapping = catalog.endpoint(work.task.table_name).drop_fields, catalog.mapping(work.task.table_name)
    found: _Readable = []
    for line in lines:
        if line.is_in_raw:
            records = [] if mapping is None else _from_raw(context, work, line.record_id, mapping)
        else:
            record = read_again(line.content, tuple(drop_fields))
            records = [] if record is None else [(line.quarantined_at, record)]
        if records:
            found.append((line, records))
    return found


def _from_raw(
    context: StepContext, work: TableWork, record_id: int | None, mapping: CanonicalMapping
) -> list[tuple[datetime, RawRecord]]:
    """Return what raw has of the record, if every state of it fits the mapping by now."""
    task = work.task
    projection, reader = Projection(mapping), upkeep_of(context).raw
    found = []
    for part in context.raw.list(task.tenant_id, task.service, task.table_name):
        if record_id is None or part.is_deletions or not part.min_id <= record_id <= part.max_id:
            continue
        for row in reader.read(part).records:
            if row.id == record_id:
                try:
                    projection.project(row.payload)
                except DataError:
                    return []
                found.append((row.ingested_at, RawRecord(row.id, row.last_updated, row.payload)))
    return found


def _made_durable(context: StepContext, work: TableWork, readable: _Readable) -> None:
    """Write the records as raw parts with the time at which the source gave them, so that history stays in order."""
    by_time: dict[datetime, list[RawRecord]] = {}
    for _, found in readable:
        for at, record in found:
            by_time.setdefault(at, []).append(record)
    page = 1
    for at, records in sorted(by_time.items()):
        for start in range(0, len(records), _PART_RECORDS):
            page, _ = write_part(context, work, _CHUNK, page, records[start : start + _PART_RECORDS], at=at)
            page += 1


def _marked(context: StepContext, lease: Lease, readable: _Readable, job_id: str) -> None:
    context.tables.renew(lease, now=context.clock.now(), ttl_seconds=context.bounds.lease_ttl_seconds)
    by_key: dict[str, list[int]] = {}
    for line, _ in readable:
        by_key.setdefault(line.key, []).append(line.number)
    for key, numbers in by_key.items():
        resolve(context.lake, key, numbers, job_id=job_id, at=context.clock.now())
