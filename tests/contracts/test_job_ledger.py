"""What every ledger of runs does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from avesa.domain.model import Job, Reconciled, Status, TableResult, TenantResult
from avesa.domain.names import ALL_TENANTS

if TYPE_CHECKING:
    from datetime import datetime

    from tests.contracts.conftest import State


@pytest.fixture
def job(noon: datetime) -> Job:
    table = TableResult(
        table_name="service/tickets",
        canonical_table="tickets",
        status=Status.COMPLETED,
        records_extracted=3,
        reconciled=Reconciled(source=3, lake=3),
    )
    return Job(
        tenant_id="acme",
        job_id="job-1",
        status=Status.COMPLETED,
        request={"full_sync": True, "since": None, "tables": ["a", "b"], "nested": {"n": 1, "x": 1.5}},
        started_at=noon,
        finished_at=noon + timedelta(seconds=9),
        tenants=(TenantResult(tenant_id="acme", status=Status.COMPLETED, tables=(table,)),),
    )


def test_an_unknown_job_is_none(state: State) -> None:
    assert state.jobs.get("job-1") is None
    assert state.jobs.list(limit=10) == []


def test_a_job_comes_back_as_it_was_whichever_tenant_it_is_of(state: State, job: Job) -> None:
    of_all = replace(job, tenant_id=ALL_TENANTS, job_id="job-2")
    state.jobs.put(job)
    state.jobs.put(of_all)

    assert state.jobs.get("job-1") == job
    assert state.jobs.get("job-2") == of_all


def test_a_later_record_replaces_the_earlier_one(state: State, job: Job) -> None:
    state.jobs.put(replace(job, status=Status.PROCESSING, finished_at=None, tenants=()))
    state.jobs.put(job)

    assert state.jobs.list(limit=10) == [job]


def test_what_happens_to_the_request_later_does_not_change_the_record(state: State, job: Job) -> None:
    state.jobs.put(job)
    job.request["full_sync"] = False

    stored = state.jobs.get("job-1")

    assert stored is not None
    assert stored.request["full_sync"] is True


def test_the_newest_jobs_come_first(state: State, job: Job, noon: datetime) -> None:
    # A whole second between two fractions: as text, it would sort after both.
    second = noon.replace(microsecond=0)
    starts = [second + timedelta(microseconds=500_000), second, second - timedelta(microseconds=1)]
    for number, started_at in enumerate(starts):
        state.jobs.put(replace(job, job_id=f"job-{number}", started_at=started_at))

    assert [known.job_id for known in state.jobs.list(limit=10)] == ["job-0", "job-1", "job-2"]


def test_a_limit_keeps_the_newest(state: State, job: Job, noon: datetime) -> None:
    for number in range(5):
        state.jobs.put(replace(job, job_id=f"job-{number}", started_at=noon + timedelta(seconds=number)))

    assert [known.job_id for known in state.jobs.list(limit=2)] == ["job-4", "job-3"]


def test_jobs_of_one_moment_are_listed_by_id(state: State, job: Job) -> None:
    for number in (1, 3, 2):
        state.jobs.put(replace(job, job_id=f"job-{number}"))

    assert [known.job_id for known in state.jobs.list(limit=10)] == ["job-3", "job-2", "job-1"]


def test_a_tenant_sees_its_own_jobs_and_those_over_all(state: State, job: Job, noon: datetime) -> None:
    for number, tenant_id in enumerate(["acme", ALL_TENANTS, "other"]):
        started_at = noon + timedelta(seconds=number)
        state.jobs.put(replace(job, job_id=f"job-{number}", tenant_id=tenant_id, started_at=started_at))

    assert [known.tenant_id for known in state.jobs.list(limit=10, tenant_id="acme")] == [ALL_TENANTS, "acme"]
