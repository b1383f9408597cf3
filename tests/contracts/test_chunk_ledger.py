"""What every ledger of chunks does: progress that only the holder of the table's lease writes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from avesa.domain.errors import LeaseLost
from avesa.domain.model import Chunk, ChunkKind, Holder, Status, Window

if TYPE_CHECKING:
    from datetime import datetime

    from avesa.domain.model import Lease
    from tests.contracts.conftest import State

CHUNK = Chunk(tenant_id="acme", table_name="service/tickets", chunk_id="job-1-0001", job_id="job-1")


def _acquire(state: State, now: datetime, job_id: str = "job-1", *, table: str = CHUNK.table_name) -> Lease:
    return state.tables.acquire(
        "acme", table, holder=Holder(job_id=job_id), now=now, ttl_seconds=60, is_gone=lambda _: True
    )


@pytest.fixture
def read(noon: datetime) -> Chunk:
    return replace(
        CHUNK,
        kind=ChunkKind.REPAIR,
        window=Window(since=noon),
        after_id=10,
        upto_id=2**40,
        status=Status.PROCESSING,
        resume_after_id=500,
        read_started_at=noon,
        pages=2,
        records=490,
        quarantined=1,
        attempts=3,
        error="cut off",
    )


def test_an_unknown_chunk_is_none(state: State) -> None:
    assert state.chunks.get("acme", "job-1-0001") is None
    assert state.chunks.list("acme", "service/tickets", "job-1") == []


def test_added_chunks_come_back_by_chunk_id(state: State, noon: datetime, read: Chunk) -> None:
    later = replace(read, chunk_id="job-1-0002")

    state.chunks.add(_acquire(state, noon), [later, CHUNK])

    assert state.chunks.list("acme", "service/tickets", "job-1") == [CHUNK, later]
    assert state.chunks.get("acme", "job-1-0002") == later


def test_adding_nothing_is_allowed(state: State, noon: datetime) -> None:
    state.chunks.add(_acquire(state, noon), [])

    assert state.chunks.list("acme", "service/tickets", "job-1") == []


def test_adding_again_leaves_progress_as_it_is(state: State, noon: datetime, read: Chunk) -> None:
    lease = _acquire(state, noon)
    state.chunks.add(lease, [CHUNK])
    state.chunks.checkpoint(lease, read)

    state.chunks.add(lease, [CHUNK, replace(CHUNK, chunk_id="job-1-0002")])

    assert state.chunks.get("acme", CHUNK.chunk_id) == read
    assert state.chunks.get("acme", "job-1-0002") is not None


def test_a_checkpoint_replaces_the_progress(state: State, noon: datetime, read: Chunk) -> None:
    lease = _acquire(state, noon)
    state.chunks.add(lease, [CHUNK])

    state.chunks.checkpoint(lease, read)
    state.chunks.checkpoint(lease, replace(read, pages=3))

    assert state.chunks.list("acme", "service/tickets", "job-1") == [replace(read, pages=3)]


def test_a_list_holds_one_tenants_table_and_job_only(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)
    state.chunks.add(lease, [CHUNK, replace(CHUNK, chunk_id="job-2-0001", job_id="job-2")])
    entries = replace(CHUNK, table_name="time/entries", chunk_id="job-1-0009")
    state.chunks.add(_acquire(state, noon, table="time/entries"), [entries])

    assert state.chunks.list("acme", "service/tickets", "job-1") == [CHUNK]
    assert state.chunks.list("acme", "time/entries", "job-1") == [entries]
    assert state.chunks.list("other", "service/tickets", "job-1") == []
    assert state.chunks.get("other", CHUNK.chunk_id) is None


def test_a_takeover_goes_on_with_the_chunks_of_the_job_that_died(state: State, noon: datetime, read: Chunk) -> None:
    state.chunks.add(_acquire(state, noon), [CHUNK])

    second = _acquire(state, noon, "job-2")
    state.chunks.checkpoint(second, read)

    assert state.chunks.list("acme", "service/tickets", "job-1") == [read]


def test_a_lost_lease_stores_nothing(state: State, noon: datetime, read: Chunk) -> None:
    first = _acquire(state, noon)
    state.chunks.add(first, [CHUNK])
    _acquire(state, noon, "job-2")

    with pytest.raises(LeaseLost):
        state.chunks.checkpoint(first, read)
    with pytest.raises(LeaseLost):
        state.chunks.add(first, [replace(CHUNK, chunk_id="job-1-0002")])

    assert state.chunks.list("acme", "service/tickets", "job-1") == [CHUNK]


def test_a_released_lease_stores_nothing(state: State, noon: datetime, read: Chunk) -> None:
    lease = _acquire(state, noon)
    state.chunks.add(lease, [CHUNK])
    state.tables.release(lease)

    with pytest.raises(LeaseLost):
        state.chunks.checkpoint(lease, read)
    with pytest.raises(LeaseLost):
        state.chunks.add(lease, [replace(CHUNK, chunk_id="job-1-0002")])

    assert state.chunks.list("acme", "service/tickets", "job-1") == [CHUNK]


def test_a_lease_is_no_right_to_chunks_of_another_table(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)
    foreign = replace(CHUNK, table_name="time/entries")

    with pytest.raises(ValueError, match="no right"):
        state.chunks.add(lease, [CHUNK, foreign])
    with pytest.raises(ValueError, match="no right"):
        state.chunks.checkpoint(lease, replace(CHUNK, tenant_id="other"))

    assert state.chunks.get("acme", CHUNK.chunk_id) is None
