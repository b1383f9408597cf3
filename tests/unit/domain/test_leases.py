"""Who may take a table over, whatever store holds the lease."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

import pytest

from avesa.domain.errors import LeaseHeld
from avesa.domain.leases import check_covers, claim, held, lost, renewed
from avesa.domain.model import Holder, Lease

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TABLE = ("acme", "service/tickets")
FIRST = Holder(job_id="job-1", host="here", process="1")
SECOND = Holder(job_id="job-2", host="there", process="2")


def _claim(
    seen: Lease | None,
    *,
    holder: Holder = FIRST,
    now: datetime = NOON,
    is_gone: Callable[[Holder], bool] = lambda _: False,
) -> Lease:
    fence = 0 if seen is None else seen.fence
    return claim(*TABLE, seen=seen, seen_fence=fence, holder=holder, now=now, ttl_seconds=60, is_gone=is_gone)


def _must_not_be_asked(holder: Holder) -> NoReturn:
    raise AssertionError(holder)


def test_a_free_table_goes_to_whoever_asks() -> None:
    lease = _claim(None, is_gone=_must_not_be_asked)

    assert (lease.tenant_id, lease.table_name, lease.holder, lease.fence) == (*TABLE, FIRST, 1)
    assert (lease.acquired_at, lease.expires_at) == (NOON, NOON + timedelta(seconds=60))


def test_the_next_fence_follows_the_highest_even_when_nobody_holds_the_table() -> None:
    lease = claim(*TABLE, seen=None, seen_fence=7, holder=FIRST, now=NOON, ttl_seconds=60, is_gone=_must_not_be_asked)

    assert lease.fence == 8


def test_a_table_that_somebody_holds_is_refused_with_holder_and_age() -> None:
    with pytest.raises(
        LeaseHeld, match=r"acme service/tickets: job job-1 has held the table for 59 s; wait"
    ) as refusal:
        _claim(_claim(None), holder=SECOND, now=NOON + timedelta(seconds=59))

    assert (refusal.value.holder, refusal.value.age_seconds) == ("job-1", 59.0)


def test_an_expired_lease_goes_to_whoever_asks_without_asking_for_its_holder() -> None:
    lease = _claim(_claim(None), holder=SECOND, now=NOON + timedelta(seconds=60), is_gone=_must_not_be_asked)

    assert (lease.holder, lease.fence) == (SECOND, 2)


def test_a_job_takes_its_own_table_over_with_a_new_fence() -> None:
    again = _claim(_claim(None), holder=replace(FIRST, process="9"), is_gone=_must_not_be_asked)

    assert (again.holder.process, again.fence) == ("9", 2)


def test_the_table_of_a_holder_that_is_gone_is_taken_over_at_once() -> None:
    lease = _claim(_claim(None), holder=SECOND, is_gone=lambda holder: holder == FIRST)

    assert lease.fence == 2


def test_a_holder_whose_clock_is_ahead_has_held_the_table_for_no_time() -> None:
    assert held(_claim(None, now=NOON + timedelta(hours=1)), NOON).age_seconds == 0.0


def test_renewing_moves_the_end_and_nothing_else() -> None:
    lease = _claim(None)
    longer = renewed(lease, now=NOON + timedelta(seconds=30), ttl_seconds=60)

    assert longer == replace(lease, expires_at=NOON + timedelta(seconds=90))


def test_a_lease_is_no_right_to_another_table() -> None:
    lease = _claim(None)
    check_covers(lease, *TABLE)

    for other in [("acme", "company/contacts"), ("acme-it", "service/tickets")]:
        with pytest.raises(ValueError, match="is no right to write"):
            check_covers(lease, *other)


def test_a_lost_lease_is_told_with_its_job_and_fence() -> None:
    assert "the lease of job job-1 (fence 1) has ended" in str(lost(_claim(None)))
