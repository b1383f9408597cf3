"""Finds the events of one job that explain what happened to it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from avesa.domain.model import Job

MATTERING: Final = frozenset(
    {
        "request_retried",
        "records_repaired",
        "deletions_found",
        "erased_record_returned",
        "commit_repeated",
        "quarantine_kept",
        "lease_lost",
        "source_clock_missing",
        "unforeseen_error",
    }
)
"""What a person asks about who looks at a job; pages and plans are not."""


def events_of(file: Path, job: Job) -> list[dict[str, object]]:
    """Return the events of the job that matter, oldest first; none when the file is gone.

    An event without a job id belongs to the job during which it happened; with several jobs at once, to each of them.
    """
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", errors="replace") as lines:
        found = (_parsed(line) for line in lines if any(name in line for name in MATTERING))
        return [event for event in found if event is not None and _is_of(event, job)]


def _parsed(line: str) -> dict[str, object] | None:
    """Return the event, or None for a line that a full disk has cut."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _is_of(event: dict[str, object], job: Job) -> bool:
    if event.get("event") not in MATTERING:
        return False
    if "job_id" in event:
        return event["job_id"] == job.job_id
    try:
        at = datetime.fromisoformat(str(event["at"]))
    except (KeyError, ValueError):
        return False
    return at >= job.started_at and (job.finished_at is None or at <= job.finished_at)
