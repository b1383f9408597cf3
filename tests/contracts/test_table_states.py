"""What every store of table states does: bookmarks behind a lease, one writer at a time.

fence   1 ─ acquired ──── expired ┐
        2                         └─ taken over ── released ┐
        3                                                   └─ acquired     a lease below the fence never writes
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from avesa.domain.errors import LeaseHeld, LeaseLost
from avesa.domain.model import Holder, ReadMode, TablePlan, TableState, Window

if TYPE_CHECKING:
    from datetime import datetime

    from avesa.domain.model import Lease
    from tests.contracts.conftest import State

TENANT, TABLE = "acme", "service/tickets"
FIRST = Holder(job_id="job-1", host="here", process="1")
SECOND = Holder(job_id="job-2", host="here", process="2")
WRITERS = 8


def _alive(_: Holder) -> bool:
    return False


def _gone(_: Holder) -> bool:
    return True


def _acquire(state: State, now: datetime, holder: Holder = FIRST, *, table: str = TABLE) -> Lease:
    return state.tables.acquire(TENANT, table, holder=holder, now=now, ttl_seconds=60, is_gone=_alive)


def _filled(now: datetime) -> TableState:
    return TableState(
        tenant_id=TENANT,
        table_name=TABLE,
        bookmark_at=now,
        plan=TablePlan(job_id="job-1", mode=ReadMode.INCREMENT, window=Window(since=now), chunk_count=3),
        last_job_id="job-1",
        last_success_at=now,
        last_error="none",
    )


def test_a_table_never_seen_is_empty(state: State) -> None:
    assert state.tables.get(TENANT, TABLE) == TableState(tenant_id=TENANT, table_name=TABLE)
    assert state.tables.list() == []


def test_a_lease_tells_its_table_holder_and_times(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)

    assert (lease.tenant_id, lease.table_name, lease.holder) == (TENANT, TABLE, FIRST)
    assert (lease.acquired_at, lease.expires_at) == (noon, noon + timedelta(seconds=60))
    assert state.tables.get(TENANT, TABLE).lease == lease


def test_a_held_table_is_refused_with_holder_and_age(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)

    with pytest.raises(LeaseHeld, match=r"acme service/tickets.*job-1.*42 s") as refused:
        _acquire(state, noon + timedelta(seconds=42), SECOND)

    assert (refused.value.holder, refused.value.age_seconds) == ("job-1", 42.0)
    assert state.tables.get(TENANT, TABLE).lease == lease


def test_an_age_is_never_negative_when_the_clock_went_back(state: State, noon: datetime) -> None:
    _acquire(state, noon)

    with pytest.raises(LeaseHeld) as refused:
        _acquire(state, noon - timedelta(hours=1), SECOND)

    assert refused.value.age_seconds == 0.0


def test_other_tables_are_free(state: State, noon: datetime) -> None:
    _acquire(state, noon)

    assert _acquire(state, noon, SECOND, table="time/entries").fence == 1


def test_an_expired_lease_is_taken_over(state: State, noon: datetime) -> None:
    first = _acquire(state, noon)

    second = _acquire(state, first.expires_at, SECOND)

    assert second.fence > first.fence


def test_a_lease_is_held_until_the_moment_it_expires(state: State, noon: datetime) -> None:
    first = _acquire(state, noon)

    with pytest.raises(LeaseHeld):
        _acquire(state, first.expires_at - timedelta(microseconds=1), SECOND)


def test_the_lease_of_a_dead_holder_is_taken_over_at_once(state: State, noon: datetime) -> None:
    first = _acquire(state, noon)
    asked: list[Holder] = []

    def is_gone(holder: Holder) -> bool:
        asked.append(holder)
        return True

    second = state.tables.acquire(TENANT, TABLE, holder=SECOND, now=noon, ttl_seconds=60, is_gone=is_gone)

    assert second.fence > first.fence
    assert asked == [FIRST]


def test_a_job_takes_over_its_own_lease(state: State, noon: datetime) -> None:
    first = _acquire(state, noon)

    again = _acquire(state, noon, replace(FIRST, process="another"))

    assert again.fence > first.fence
    assert again.holder.process == "another"


def test_a_renewed_lease_is_held_longer(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)
    later = noon + timedelta(seconds=50)

    renewed = state.tables.renew(lease, now=later, ttl_seconds=60)

    assert renewed == replace(lease, expires_at=later + timedelta(seconds=60))
    assert state.tables.get(TENANT, TABLE).lease == renewed
    with pytest.raises(LeaseHeld):
        _acquire(state, noon + timedelta(seconds=100), SECOND)


def test_a_lease_that_expired_unnoticed_may_still_be_renewed(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)

    renewed = state.tables.renew(lease, now=noon + timedelta(hours=1), ttl_seconds=60)

    assert renewed.fence == lease.fence


def test_a_lease_from_before_its_renewal_still_writes(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)
    state.tables.renew(lease, now=noon, ttl_seconds=90)

    state.tables.save(lease, _filled(noon))

    assert state.tables.get(TENANT, TABLE).bookmark_at == noon


def test_a_released_table_is_free_and_remembers_its_fence(state: State, noon: datetime) -> None:
    first = _acquire(state, noon)

    state.tables.release(first)

    assert state.tables.get(TENANT, TABLE).lease is None
    assert _acquire(state, noon, SECOND).fence > first.fence


def test_release_leaves_a_lost_lease_to_its_new_holder(state: State, noon: datetime) -> None:
    first = _acquire(state, noon)
    second = _acquire(state, first.expires_at, SECOND)

    state.tables.release(first)

    assert state.tables.get(TENANT, TABLE).lease == second


def test_releasing_twice_or_without_a_table_is_quiet(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)

    state.tables.release(lease)
    state.tables.release(lease)
    state.tables.release(replace(lease, table_name="never/seen"))

    assert state.tables.get(TENANT, TABLE).lease is None


def test_a_saved_state_comes_back_with_the_lease_of_the_table(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)

    state.tables.save(lease, replace(_filled(noon), lease=replace(lease, fence=99)))

    assert state.tables.get(TENANT, TABLE) == replace(_filled(noon), lease=lease)


def test_a_saved_state_survives_release_and_the_next_lease(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)
    state.tables.save(lease, _filled(noon))
    state.tables.release(lease)

    second = _acquire(state, noon, SECOND)

    assert state.tables.get(TENANT, TABLE) == replace(_filled(noon), lease=second)


def test_a_lost_lease_changes_nothing(state: State, noon: datetime) -> None:
    first = _acquire(state, noon)
    second = _acquire(state, first.expires_at, SECOND)
    before = state.tables.get(TENANT, TABLE)

    with pytest.raises(LeaseLost, match=r"acme service/tickets.*job-1"):
        state.tables.save(first, _filled(noon))
    with pytest.raises(LeaseLost):
        state.tables.renew(first, now=noon, ttl_seconds=60)

    assert state.tables.get(TENANT, TABLE) == before
    assert before.lease == second


def test_a_released_lease_changes_nothing(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)
    state.tables.release(lease)

    with pytest.raises(LeaseLost):
        state.tables.save(lease, _filled(noon))
    with pytest.raises(LeaseLost):
        state.tables.renew(lease, now=noon, ttl_seconds=60)

    assert state.tables.get(TENANT, TABLE) == TableState(tenant_id=TENANT, table_name=TABLE)


def test_a_lease_that_the_store_never_gave_writes_nothing(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)

    with pytest.raises(LeaseLost):
        state.tables.save(replace(lease, fence=lease.fence + 1), _filled(noon))


def test_a_lease_is_no_right_to_another_table(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)
    _acquire(state, noon, table="time/entries")

    with pytest.raises(ValueError, match="no right"):
        state.tables.save(lease, replace(_filled(noon), table_name="time/entries"))

    assert state.tables.get(TENANT, "time/entries").bookmark_at is None


def test_states_are_listed_by_tenant_then_table(state: State, noon: datetime) -> None:
    for tenant, table in [("b", "x"), ("a", "y"), ("a", "x")]:
        state.tables.acquire(tenant, table, holder=FIRST, now=noon, ttl_seconds=60, is_gone=_alive)

    listed = state.tables.list()

    assert [(known.tenant_id, known.table_name) for known in listed] == [("a", "x"), ("a", "y"), ("b", "x")]
    assert all(known.lease is not None for known in listed)


@pytest.mark.parametrize("is_gone", [_alive, _gone], ids=["free table", "dead holder"])
def test_of_many_threads_exactly_one_gets_the_lease(state: State, noon: datetime, is_gone: object) -> None:
    holders = [Holder(job_id=f"racer-{number}") for number in range(WRITERS)]
    dead = Holder(job_id="dead")
    if is_gone is _gone:
        state.tables.acquire(TENANT, TABLE, holder=dead, now=noon, ttl_seconds=60, is_gone=_alive)
    start = threading.Barrier(WRITERS)

    def race(holder: Holder) -> Lease | None:
        start.wait()
        try:
            return state.tables.acquire(
                TENANT, TABLE, holder=holder, now=noon, ttl_seconds=60, is_gone=lambda other: other == dead
            )
        except LeaseHeld:
            return None

    with ThreadPoolExecutor(WRITERS) as pool:
        won = [lease for lease in pool.map(race, holders) if lease is not None]

    assert won == [state.tables.get(TENANT, TABLE).lease]


def test_a_holder_that_renews_while_it_is_judged_keeps_its_lease(state: State, noon: datetime) -> None:
    lease = _acquire(state, noon)
    judgements = [True, False]

    def renews_then_lives(_: Holder) -> bool:
        state.tables.renew(lease, now=noon, ttl_seconds=90)
        return judgements.pop(0)

    with pytest.raises(LeaseHeld):
        state.tables.acquire(TENANT, TABLE, holder=SECOND, now=noon, ttl_seconds=60, is_gone=renews_then_lives)

    assert judgements == []
    assert state.tables.get(TENANT, TABLE).lease == replace(lease, expires_at=noon + timedelta(seconds=90))
