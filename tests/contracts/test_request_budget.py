"""What a budget of requests does: how many at once, and when nobody sends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from avesa.adapters.local.budget import AdaptiveBudget, BudgetBook, SqlitePause
from avesa.adapters.local.database import SqliteDatabase
from avesa.adapters.memory.clock import FakeClock
from avesa.domain.errors import WaitTooLong

if TYPE_CHECKING:
    from pathlib import Path


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


def test_who_has_waited_longest_is_next(clock: FakeClock) -> None:
    budget = AdaptiveBudget(1, clock=clock)
    served: list[str] = []
    holding, waiting = threading.Event(), threading.Event()

    def hold_and_come_again() -> None:
        with budget.slot():
            holding.set()
            waiting.wait(timeout=30)
        with budget.slot():
            served.append("who came again")

    def wait_in_line() -> None:
        with budget.slot():
            served.append("who waited")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(hold_and_come_again)
        holding.wait(timeout=30)
        second = pool.submit(wait_in_line)
        while not budget.waiting:
            threading.Event().wait(0.001)
        waiting.set()
        first.result(timeout=30)
        second.result(timeout=30)

    assert served == ["who waited", "who came again"]


def test_only_whose_turn_it_is_asks_whether_another_process_was_told_to_pause(clock: FakeClock) -> None:
    class CountedPause:
        looks = 0

        def left_seconds(self) -> float:
            self.looks += 1
            return 0.0

        def extend(self, seconds: float) -> None:
            raise AssertionError(seconds)

    pause = CountedPause()
    budget = AdaptiveBudget(2, clock=clock, pause=pause)
    all_wait = threading.Event()

    def send(_: int) -> None:
        with budget.slot():
            while budget.waiting < 20 and not all_wait.is_set():
                threading.Event().wait(0.001)
            all_wait.set()
        budget.succeeded()

    with ThreadPoolExecutor(22) as pool:
        list(pool.map(send, range(22)))

    assert pause.looks < 22 * 5  # each is woken by a slot and by a success; were all woken, it would be hundreds


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


# ------------------------------------------------------------------------------------ pauses of other processes


def _process(tmp_path: Path, clock: FakeClock) -> AdaptiveBudget:
    """Return the budget of one company as another process of the home has it."""
    database = SqliteDatabase(tmp_path / "state.sqlite3")
    return BudgetBook(clock=clock, pause=lambda key: SqlitePause(database, key, clock=clock)).get("api-na", "acme", 4)


def test_another_process_waits_for_the_end_of_a_pause_that_one_was_told_of(tmp_path: Path, clock: FakeClock) -> None:
    first, second = _process(tmp_path, clock), _process(tmp_path, clock)
    with second.slot():
        pass

    first.throttled(30)

    with second.slot():
        assert clock.monotonic() == pytest.approx(30, abs=1e-3)


def test_a_shorter_pause_does_not_end_a_longer_one_of_another_process(tmp_path: Path, clock: FakeClock) -> None:
    _process(tmp_path, clock).throttled(30)
    _process(tmp_path, clock).throttled(2)

    with _process(tmp_path, clock).slot():
        assert clock.monotonic() == pytest.approx(30, abs=1e-3)


def test_a_clock_that_is_put_back_makes_no_pause_longer_than_was_told(tmp_path: Path, clock: FakeClock) -> None:
    _process(tmp_path, clock).throttled(30)
    clock.set(clock.now() - timedelta(days=40))
    pause = SqlitePause(SqliteDatabase(tmp_path / "state.sqlite3"), "api-na acme", clock=clock)

    assert pause.left_seconds() <= 30


def test_a_pause_longer_than_a_run_waits_is_refused_with_its_end_by_all_processes(
    tmp_path: Path, clock: FakeClock
) -> None:
    first, second = _process(tmp_path, clock), _process(tmp_path, clock)
    first.throttled(2 * 86_400)
    until = clock.now() + timedelta(days=2)

    for budget in (first, second):
        with pytest.raises(WaitTooLong, match=f"no request before {until:%Y-%m-%dT%H:%M}"), budget.slot():
            raise AssertionError
    assert clock.slept == []


def test_a_company_is_not_named_in_the_file_that_keeps_its_pause(tmp_path: Path, clock: FakeClock) -> None:
    _process(tmp_path, clock).throttled(30)

    assert not any(b"acme" in file.read_bytes() for file in tmp_path.iterdir())
