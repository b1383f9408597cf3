"""What every liveness does."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from avesa.domain.errors import LeaseLost
from avesa.domain.model import Holder, Lease

if TYPE_CHECKING:
    from avesa.ports.work import Liveness

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LEASE = Lease(
    tenant_id="acme",
    table_name="service/tickets",
    holder=Holder(job_id="job-1"),
    fence=1,
    acquired_at=NOON,
    expires_at=NOON + timedelta(seconds=60),
)


def test_a_holder_is_of_its_job_and_alive(liveness: Liveness) -> None:
    holder = liveness.holder("job-1")

    assert holder.job_id == "job-1"
    assert not liveness.is_gone(holder)


def test_the_same_job_is_the_same_holder(liveness: Liveness) -> None:
    assert liveness.holder("job-1") == liveness.holder("job-1")


def test_a_holder_elsewhere_is_never_certainly_gone(liveness: Liveness) -> None:
    assert not liveness.is_gone(Holder(job_id="job-9", host="another machine", process="1"))


def test_a_kept_lease_is_renewed(liveness: Liveness) -> None:
    renewed = threading.Event()

    def renew(lease: Lease) -> Lease:
        renewed.set()
        return replace(lease, expires_at=lease.expires_at + timedelta(seconds=60))

    with liveness.keeping(LEASE, renew):
        assert renewed.wait(timeout=30)


def test_losing_the_lease_is_quiet(liveness: Liveness) -> None:
    asked = threading.Event()

    def renew(_: Lease) -> Lease:
        asked.set()
        raise LeaseLost("taken over")

    with liveness.keeping(LEASE, renew):
        assert asked.wait(timeout=30)


def test_an_exception_of_the_work_passes_through(liveness: Liveness) -> None:
    with pytest.raises(LookupError), liveness.keeping(LEASE, lambda lease: lease):
        raise LookupError
