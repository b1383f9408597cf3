"""What a budget of requests does: how many at once, and when nobody sends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from avesa.adapters.local.budget import AdaptiveBudget, BudgetBook
from avesa.adapters.memory.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def _slowed(clock: FakeClock) -> AdaptiveBudget:
    """A budget of 8 that the site has halved to 4, its round over."""
    budget = AdaptiveBudget(8, clock=clock)
    budget.throttled(None)
    clock.advance(1)
    return budget


def test_no_more_than_the_limit_send_at_once_and_that_many_do(clock: FakeClock) -> None:
    budget = AdaptiveBudget(3, clock=clock)
    together = threading.Barrier(3)
    lock = threading.Lock()
    at_once = most = 0

    def send(_: int) -> None:
        nonlocal at_once, most
        with budget.slot():
            with lock:
                at_once += 1
                most = max(most, at_once)
            together.wait(timeout=30)  # returns only when three are here together
            with lock:
                at_once -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(send, range(12)))

    assert most == 3


def test_a_slot_is_given_back_after_an_exception(clock: FakeClock) -> None:
    budget = AdaptiveBudget(1, clock=clock)

    for _ in range(3):
        with pytest.raises(LookupError), budget.slot():
            raise LookupError

    with budget.slot():
        assert budget.limit == 1


def test_nobody_waits_without_a_reason(clock: FakeClock) -> None:
    budget = AdaptiveBudget(4, clock=clock)

    for _ in range(10):
        with budget.slot():
            budget.succeeded()

    assert clock.slept == []


def test_everybody_waits_until_the_time_that_the_site_named(clock: FakeClock) -> None:
    budget = AdaptiveBudget(4, clock=clock)
    budget.throttled(2.5)

    with budget.slot():
        assert clock.monotonic() == pytest.approx(2.5)
    assert clock.slept == pytest.approx([1.0, 1.0, 0.5])


def test_the_longest_wait_that_was_named_counts(clock: FakeClock) -> None:
    budget = AdaptiveBudget(4, clock=clock)
    budget.throttled(5)
    budget.throttled(2)
    budget.throttled(None)

    with budget.slot():
        assert clock.monotonic() == pytest.approx(5)


def test_a_wait_that_grows_while_somebody_waits_is_honoured() -> None:
    class Growing(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.slept) == 1:
                budget.throttled(10)

    growing = Growing()
    budget = AdaptiveBudget(4, clock=growing)
    budget.throttled(1)

    with budget.slot():
        assert growing.monotonic() == pytest.approx(11)


def test_a_throttled_answer_halves_how_many_send_at_once(clock: FakeClock) -> None:
    assert _slowed(clock).limit == 4


def test_answers_to_one_burst_slow_down_once(clock: FakeClock) -> None:
    budget = AdaptiveBudget(8, clock=clock)
    for _ in range(8):
        budget.throttled(None)

    assert budget.limit == 4


def test_answered_requests_bring_the_limit_back_up_to_the_ceiling(clock: FakeClock) -> None:
    budget = _slowed(clock)

    for _ in range(100):
        budget.succeeded()

    assert budget.limit == 8


def test_a_waiting_worker_goes_on_when_a_slot_comes_free(clock: FakeClock) -> None:
    budget = AdaptiveBudget(1, clock=clock)
    sent = threading.Event()

    def send() -> None:
        with budget.slot():
            sent.set()

    with budget.slot():
        waiting = threading.Thread(target=send)
        waiting.start()
        assert not sent.is_set()
    waiting.join(timeout=30)

    assert sent.is_set()


def test_a_site_and_company_have_one_budget_whoever_asks(clock: FakeClock) -> None:
    book = BudgetBook(clock=clock)
    budget = book.get("api-na", "acme", 4)

    assert book.get("api-na", "acme", 4) is budget
    assert book.get("api-na", "other", 4) is not budget
    assert book.get("api-eu", "acme", 4) is not budget


def test_of_several_limits_for_one_company_the_lowest_counts(clock: FakeClock) -> None:
    book = BudgetBook(clock=clock)

    book.get("api-na", "acme", 4)
    book.get("api-na", "acme", 2)
    budget = book.get("api-na", "acme", 9)

    assert budget.limit == 2
