"""The step that reads one chunk: page after page, each durable before the next is asked for."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.connection import connect, find_tenant
from avesa.application.leasing import seen_at
from avesa.application.payloads import ChunkProgress, ChunkTask, from_json, to_json
from avesa.application.source import IdRange
from avesa.domain.errors import TablePermanentError, UsageError
from avesa.domain.model import Chunk, Status
from avesa.domain.names import quarantine_prefix
from avesa.ports.lake import ObjectExists
from avesa.ports.tables import PageOrigin, PartName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from avesa.application.catalog import Catalog
    from avesa.application.context import StepContext
    from avesa.application.payloads import Json, TableWork
    from avesa.application.source import Answer, Source
    from avesa.connectors.pages import Rejected
    from avesa.domain.model import RawRecord
    from avesa.ports.tables import RawPart, SplitPage


def process_chunk(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Read the chunk from where its durable pages end; done, or to be called again when its time is up."""
    task = from_json(ChunkTask, payload)
    table = task.work.task
    chunk = context.chunks.get(table.tenant_id, task.chunk_id)
    if chunk is None:
        raise UsageError(f"there is no chunk {task.chunk_id!r}; a new run plans again")
    if chunk.status is not Status.COMPLETED:
        catalog = load_catalog(context.lake)
        source = connect(context, find_tenant(context, table.tenant_id, table.service), catalog)
        chunk = _read(context, task.work, replace(chunk, attempts=chunk.attempts + 1), catalog, source)
    is_done = chunk.status is Status.COMPLETED
    return to_json(ChunkProgress(chunk_id=chunk.chunk_id, is_done=is_done, records=chunk.records, pages=chunk.pages))


def _read(context: StepContext, work: TableWork, chunk: Chunk, catalog: Catalog, source: Source) -> Chunk:
    table = work.task
    endpoint, limits = catalog.endpoint(table.table_name), catalog.limits(table.table_name)
    deadline = context.clock.monotonic() + context.bounds.step_budget_seconds
    while True:
        ids = IdRange(after=_resume_point(chunk), upto=chunk.upto_id)
        # Seen when it was asked for, not when it was written: a worker that stood still in between must not make an old
        # answer look newer than what others have seen, or found missing, since.
        asked_at = seen_at(context, work.lease)
        split = _splitter(context, work, chunk, catalog, at=asked_at)
        answer = source.page(endpoint, limits, window=chunk.window, ids=ids, split=split)
        chunk = _landed(context, work, replace(chunk, usage=chunk.usage + source.tally.take()), answer, at=asked_at)
        if chunk.status is Status.COMPLETED or context.is_stopping() or context.clock.monotonic() >= deadline:
            return chunk


def _splitter(
    context: StepContext, work: TableWork, chunk: Chunk, catalog: Catalog, *, at: datetime
) -> Callable[[bytes], SplitPage]:
    """Return what makes a page to be stored of an answer's body."""
    origin = PageOrigin(
        job_id=part_name(work, chunk.chunk_id, 1).job_id,
        chunk_id=chunk.chunk_id,
        ingested_at=at,
        drop_fields=catalog.endpoint(chunk.table_name).drop_fields,
        mapping=catalog.mapping(chunk.table_name),
    )
    return lambda body: context.executor.parse(context.raw.pack, body, origin)


def _resume_point(chunk: Chunk) -> int | None:
    return chunk.resume_after_id if chunk.resume_after_id is not None else chunk.after_id


def _landed(context: StepContext, work: TableWork, chunk: Chunk, answer: Answer[SplitPage], *, at: datetime) -> Chunk:
    """Make a page durable, then say so: raw part, then checkpoint; a crash in between reads the page again."""
    page = answer.page
    number = chunk.pages + 1
    if page.rejected:
        quarantine(context, work, chunk.chunk_id, number, page.rejected, at=at)
    if page.ids:
        number = _put(context, work, chunk.chunk_id, number, page)
    elif answer.has_more and answer.resume_after == _resume_point(chunk):
        message = (
            f"{chunk.table_name}: no record of a page can be read, so the read cannot go on past it; see the quarantine"
        )
        raise TablePermanentError(message)
    chunk = replace(
        chunk,
        status=Status.PROCESSING if answer.has_more else Status.COMPLETED,
        # From the page that is durable by now, in raw and in quarantine; a re-read that finds other records writes its
        # own part.
        resume_after_id=answer.resume_after if page.ids or page.rejected else chunk.resume_after_id,
        read_started_at=chunk.read_started_at or answer.source_now,
        pages=number,
        records=chunk.records + len(page.ids),
        quarantined=chunk.quarantined + len(page.rejected),
    )
    context.chunks.checkpoint(work.lease, chunk)
    _tell(context, chunk, page)
    return chunk


def _tell(context: StepContext, chunk: Chunk, page: SplitPage) -> None:
    context.events.emit(
        "page_landed",
        tenant_id=chunk.tenant_id,
        table=chunk.table_name,
        chunk=chunk.chunk_id,
        page=chunk.pages,
        records=len(page.ids),
        quarantined=len(page.rejected),
        is_last=chunk.status is Status.COMPLETED,
    )


def _put(context: StepContext, work: TableWork, chunk_id: str, number: int, page: SplitPage) -> int:
    """Make a page durable under the first free number from `number` on; return that. As with write_part."""
    while True:
        try:
            context.raw.put_page(part_name(work, chunk_id, number), page)
        except ObjectExists:
            number += 1
        else:
            return number


def write_part(
    context: StepContext, work: TableWork, chunk_id: str, page: int, records: Sequence[RawRecord], *, at: datetime
) -> tuple[int, RawPart]:
    """Make records durable under the first free page number from `page` on; return that number and the part.

    A number is taken when this step was called again under the same fence: what it wrote then stays, and is not trusted
    to hold what was read now.
    """
    while True:
        try:
            with context.executor.computing():
                return page, context.raw.write(part_name(work, chunk_id, page), records, ingested_at=at)
        except ObjectExists:
            page += 1


def part_name(work: TableWork, chunk_id: str, page: int) -> PartName:
    """Return where a part of this attempt goes; it belongs to the job that made the plan."""
    task = work.task
    return PartName(
        tenant_id=task.tenant_id,
        service=task.service,
        endpoint=task.table_name,
        job_id=work.plan.job_id if work.plan is not None else task.job_id,
        chunk_id=chunk_id,
        fence=work.lease.fence,
        page=page,
    )


def quarantine(
    context: StepContext, work: TableWork, chunk_id: str, page: int, rejected: Sequence[Rejected], *, at: datetime
) -> None:
    """Keep unreadable records with their bytes and the reason, one JSON object a line."""
    task = work.task
    prefix = quarantine_prefix(task.tenant_id, task.service, task.table_name)
    lines = [
        json.dumps(
            {
                "reason": item.reason,
                "content_base64": base64.b64encode(item.content).decode(),
                "quarantined_at": at.isoformat(),
                "job_id": task.job_id,
                "chunk_id": chunk_id,
            }
        )
        for item in rejected
    ]
    name = f"{chunk_id.replace('/', '-')}-f{work.lease.fence}-p{page:05d}.jsonl"
    try:
        context.lake.put(f"{prefix}{name}", ("\n".join(lines) + "\n").encode())
    except ObjectExists:
        context.events.emit("quarantine_kept", key=name)
