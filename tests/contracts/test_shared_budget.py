"""What workers that share a company's budget through DynamoDB do: wait together, slow down together, share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from avesa.adapters.aws.budget import SharedBudget, SharedBudgetBook
from avesa.adapters.aws.records import StateTables
from avesa.adapters.memory.clock import FakeClock
from avesa.domain.names import Environment
from tests.contracts.conftest import SERVERS
from tests.emulator.servers import fresh_access, make_tables

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.emulator


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=SERVERS)
def worker(request: pytest.FixtureRequest, clock: FakeClock) -> Callable[[str], SharedBudget]:
    """Make a worker's budget of one company, at most eight requests at once."""
    server = request.getfixturevalue(SERVERS[request.param])
    access = fresh_access(server if isinstance(server, str) else server.url)
    make_tables(access)
    tables = StateTables(access.dynamodb(), Environment.DEV, sleep=clock.sleep)

    def make(name: str, tenant_id: str = "acme") -> SharedBudget:
        book = SharedBudgetBook(tables, tenant_id=tenant_id, worker=name, clock=clock)
        return book.get("https://api-na.example.com", "acme", 8)

    return make


def _seen(*budgets: SharedBudget, clock: FakeClock) -> None:
    """Let every worker send once, so that each has seen what the others have told."""
    for _ in range(2):
        clock.advance(2)
        for budget in budgets:
            with budget.slot():
                pass


def test_a_worker_alone_has_the_whole_allowance(worker: Callable[[str], SharedBudget], clock: FakeClock) -> None:
    budget = worker("one")

    _seen(budget, clock=clock)

    assert budget.limit == 8
    assert clock.slept == []


def test_every_worker_waits_until_the_time_that_one_of_them_was_told(
    worker: Callable[[str], SharedBudget], clock: FakeClock
) -> None:
    first, second = worker("one"), worker("two")
    _seen(first, second, clock=clock)
    clock.advance(2)
    told_at = clock.monotonic()

    first.throttled(30)

    with second.slot():
        assert clock.monotonic() - told_at == pytest.approx(30, abs=0.01)


def test_the_longest_wait_that_a_worker_was_told_counts(
    worker: Callable[[str], SharedBudget], clock: FakeClock
) -> None:
    first, second = worker("one"), worker("two")
    first.throttled(30)
    second.throttled(5)

    with first.slot():
        assert clock.monotonic() == pytest.approx(30, abs=0.01)


def test_workers_share_the_allowance(worker: Callable[[str], SharedBudget], clock: FakeClock) -> None:
    budgets = [worker(f"w{number}") for number in range(4)]

    _seen(*budgets, clock=clock)

    assert [budget.limit for budget in budgets] == [2, 2, 2, 2]


def test_a_worker_that_is_gone_leaves_its_share(worker: Callable[[str], SharedBudget], clock: FakeClock) -> None:
    first, second = worker("one"), worker("two")
    _seen(first, second, clock=clock)
    assert first.limit == 4

    clock.advance(60)
    _seen(first, clock=clock)

    assert first.limit == 8


def test_a_throttled_answer_halves_the_allowance_of_all_once_a_burst(
    worker: Callable[[str], SharedBudget], clock: FakeClock
) -> None:
    first, second = worker("one"), worker("two")
    _seen(first, second, clock=clock)

    first.throttled(None)
    second.throttled(None)
    clock.advance(2)
    _seen(first, second, clock=clock)

    assert (first.limit, second.limit) == (2, 2)


def test_answered_requests_bring_the_allowance_back(worker: Callable[[str], SharedBudget], clock: FakeClock) -> None:
    budget = worker("one")
    budget.throttled(None)
    clock.advance(2)
    _seen(budget, clock=clock)
    assert budget.limit == 4

    for _ in range(100):
        budget.succeeded()
    _seen(budget, clock=clock)

    assert budget.limit == 8


def test_more_workers_than_the_allowance_rest_between_their_requests(
    worker: Callable[[str], SharedBudget], clock: FakeClock
) -> None:
    budgets = [worker(f"w{number}") for number in range(16)]
    _seen(*budgets, clock=clock)
    with budgets[0].slot():
        clock.advance(0.5)
    before = clock.monotonic()

    with budgets[0].slot():
        assert clock.monotonic() - before == pytest.approx(0.5, abs=0.01)
