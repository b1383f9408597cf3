"""What every executor does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from avesa.adapters.memory.executor import InlineExecutor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.ports.work import Executor


class Crash(BaseException):
    """What a test of crashes throws; nothing may swallow it."""


def _double(number: int) -> int:
    return 2 * number


def _refuse_odd(number: int) -> int:
    if number % 2:
        raise LookupError(f"item {number}")
    return number


def test_results_are_in_the_order_of_items(executor: Executor) -> None:
    assert executor.map(_double, range(50), limit=4) == [2 * number for number in range(50)]
    assert list(executor.map_parsing(_double, range(50))) == [2 * number for number in range(50)]


def test_nothing_to_do_gives_nothing(executor: Executor) -> None:
    assert executor.map(_double, [], limit=4) == []
    assert list(executor.map_parsing(_double, [])) == []


def test_one_item_is_done_in_this_thread(executor: Executor) -> None:
    assert executor.map(lambda _: threading.get_ident(), [0], limit=4) == [threading.get_ident()]


def test_a_map_within_a_map_ends(executor: Executor) -> None:
    def inner(number: int) -> list[int]:
        return executor.map(_double, range(number, number + 4), limit=2)

    assert executor.map(inner, range(4), limit=2) == [[2 * n for n in range(m, m + 4)] for m in range(4)]


def test_the_first_exception_by_order_is_raised(executor: Executor) -> None:
    with pytest.raises(LookupError, match="item 1"):
        executor.map(_refuse_odd, [0, 1, 2, 3], limit=2)
    with pytest.raises(LookupError, match="item 1"):
        list(executor.map_parsing(_refuse_odd, [0, 1, 2, 3]))


def test_an_executor_works_on_after_an_exception(executor: Executor) -> None:
    with pytest.raises(LookupError):
        list(executor.map_parsing(_refuse_odd, range(9)))

    assert list(executor.map_parsing(_double, [1, 2, 3])) == [2, 4, 6]


def test_a_crash_is_not_swallowed(executor: Executor) -> None:
    def crash(number: int) -> int:
        if number == 1:
            raise Crash
        return number

    with pytest.raises(Crash):
        executor.map(crash, range(3), limit=2)


def test_the_exception_comes_after_all_that_had_begun_has_ended(executor: Executor) -> None:
    begun: list[int] = []
    ended: list[int] = []
    together = threading.Barrier(1 if isinstance(executor, InlineExecutor) else 2)

    def work(number: int) -> None:
        begun.append(number)
        if number < together.parties:
            together.wait(timeout=30)
        if number > 0:
            threading.Event().wait(0.02)  # work that takes a while, so that not all of it has begun when item 0 fails
        ended.append(number)
        if number == 0:
            raise LookupError("item 0")

    with pytest.raises(LookupError):
        executor.map(work, range(100), limit=2)

    assert sorted(begun) == sorted(ended)
    assert len(begun) < 100


def test_parsing_reads_items_only_a_little_ahead(executor: Executor) -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    results = executor.map_parsing(_double, items())
    first = [next(results) for _ in range(3)]

    assert first == [0, 2, 4]
    assert len(read) <= 3 + 2 * 2
