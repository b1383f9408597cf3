"""The events of a job: those that matter, those of its own, whatever else is in the file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from avesa.domain.model import Job, Status
from avesa.entrypoints.job_events import events_of

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
JOB = Job(
    tenant_id="ALL", job_id="j1", status=Status.COMPLETED, started_at=NOON, finished_at=NOON + timedelta(minutes=5)
)


def _written(folder: Path, *lines: object) -> Path:
    file = folder / "events.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return file


def _event(minutes: float, name: str = "request_retried", **fields: object) -> dict[str, object]:
    return {"at": (NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z"), "event": name, **fields}


def test_events_during_the_job_are_its_own_and_others_are_not(tmp_path: Path) -> None:
    file = _written(tmp_path, _event(-1), _event(1), _event(5), _event(6))

    assert events_of(file, JOB) == [_event(1), _event(5)]


def test_an_event_with_a_job_id_belongs_to_that_job_alone(tmp_path: Path) -> None:
    file = _written(tmp_path, _event(1, job_id="j2"), _event(99, job_id="j1"))

    assert events_of(file, JOB) == [_event(99, job_id="j1")]


def test_pages_and_plans_do_not_matter(tmp_path: Path) -> None:
    file = _written(tmp_path, _event(1, "page_landed", note="request_retried"), _event(1, "unforeseen_error"))

    assert events_of(file, JOB) == [_event(1, "unforeseen_error")]


def test_a_line_that_a_full_disk_has_cut_is_passed_over(tmp_path: Path) -> None:
    file = _written(tmp_path, '{"at":"2026-11-23T12:01:00Z","event":"request_re', '"request_retried"', _event(2))

    assert events_of(file, JOB) == [_event(2)]


def test_a_job_that_still_runs_has_all_events_since_its_start(tmp_path: Path) -> None:
    running = Job(tenant_id="ALL", job_id="j1", status=Status.PROCESSING, started_at=NOON)

    assert events_of(_written(tmp_path, _event(500)), running) == [_event(500)]


def test_without_a_file_there_are_no_events(tmp_path: Path) -> None:
    assert events_of(tmp_path / "nothing.jsonl", JOB) == []
