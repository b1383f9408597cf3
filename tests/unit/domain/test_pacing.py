"""Additive increase and multiplicative decrease keep a limit between one and its ceiling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avesa.domain.pacing import Pace


def _succeed(pace: Pace, times: int) -> Pace:
    for _ in range(times):
        pace = pace.after_success()
    return pace


def test_a_pace_begins_at_its_ceiling() -> None:
    assert Pace(ceiling=8).limit == 8


@pytest.mark.parametrize("ceiling", [0, -3])
def test_a_ceiling_below_one_is_refused(ceiling: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Pace(ceiling=ceiling)


def test_each_round_of_throttled_answers_halves_the_limit_down_to_one() -> None:
    pace = Pace(ceiling=8)
    limits = []
    for at in range(5):
        pace = pace.after_throttling(at=float(at))
        limits.append(pace.limit)

    assert limits == [4, 2, 1, 1, 1]


def test_more_throttled_answers_within_a_second_change_nothing() -> None:
    once = Pace(ceiling=8).after_throttling(at=10.0)

    assert once.after_throttling(at=10.999) == once
    assert once.after_throttling(at=11.0).limit == 2


def test_a_round_lasts_as_long_as_the_site_asks_to_wait() -> None:
    once = Pace(ceiling=8).after_throttling(at=10.0, retry_after_seconds=30.0)

    assert once.after_throttling(at=39.9) == once
    assert once.after_throttling(at=40.0).limit == 2


def test_as_many_answers_as_the_limit_add_one() -> None:
    slow = Pace(ceiling=8).after_throttling(at=0.0)

    assert _succeed(slow, 3).limit == 4
    assert _succeed(slow, 4).limit == 5
    assert _succeed(slow, 8).limit == 5
    assert _succeed(slow, 9).limit == 6


def test_from_one_a_single_answer_adds_one() -> None:
    slowest = Pace(ceiling=2).after_throttling(at=0.0)

    assert (slowest.limit, slowest.after_success().limit) == (1, 2)


def test_a_pace_at_its_ceiling_stays_there() -> None:
    pace = Pace(ceiling=3)

    assert pace.after_success() is pace


def test_a_lower_cap_holds_and_a_higher_one_changes_nothing() -> None:
    pace = Pace(ceiling=8)

    assert pace.capped(3).limit == 3
    assert pace.capped(3).capped(8).limit == 3
    assert pace.capped(8) is pace
    assert pace.after_throttling(at=0.0).capped(2).after_throttling(at=9.0).limit == 1


@given(ceiling=st.integers(1, 64), answers=st.lists(st.one_of(st.none(), st.floats(0, 5)), max_size=60))
def test_the_limit_stays_between_one_and_the_ceiling(ceiling: int, answers: list[float | None]) -> None:
    pace, at = Pace(ceiling=ceiling), 0.0
    for answer in answers:
        before = pace.limit
        at += answer or 0.0
        pace = pace.after_success() if answer is None else pace.after_throttling(at=at)

        assert 1 <= pace.limit <= ceiling
        assert pace.limit <= before + 1
