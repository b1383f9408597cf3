"""What clocks do: the machine's own, and the one that tests move."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

from avesa.adapters.machine.clock import SystemClock
from avesa.adapters.memory.clock import FakeClock


def test_the_system_clock_tells_aware_utc() -> None:
    before = datetime.now(UTC)

    assert before <= SystemClock().now() <= datetime.now(UTC)
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_the_system_clock_never_goes_back_while_the_machine_s_does() -> None:
    wall = [datetime(2026, 1, 1, 12, tzinfo=UTC)]
    clock = SystemClock(lambda: wall[0])
    told = [clock.now()]

    for hour in (11, 11, 12, 13):
        wall[0] = wall[0].replace(hour=hour)
        told.append(clock.now())

    assert told == sorted(set(told))
    assert told[3] - told[0] < timedelta(milliseconds=1)
    assert told[4] == wall[0]


def test_the_system_clock_goes_to_other_processes() -> None:
    there = pickle.loads(pickle.dumps(SystemClock()))  # noqa: S301 - our own bytes

    assert there.now() >= datetime(2026, 1, 1, tzinfo=UTC)


def test_sleeping_takes_at_least_as_long_as_asked() -> None:
    clock = SystemClock()
    before = clock.monotonic()

    clock.sleep(0.01)
    clock.sleep(-5)

    assert clock.monotonic() - before >= 0.01


def test_a_fake_clock_stands_still() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))

    assert (clock.now(), clock.monotonic()) == (datetime(2026, 1, 1, tzinfo=UTC), 0.0)
    assert clock.now() == clock.now()


def test_sleeping_on_a_fake_clock_is_recorded_and_moves_both_clocks() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))

    clock.sleep(1.5)
    clock.advance(10)

    assert clock.slept == [1.5]
    assert (clock.now(), clock.monotonic()) == (datetime(2026, 1, 1, 0, 0, 11, 500_000, tzinfo=UTC), 11.5)


def test_a_fake_clock_set_back_keeps_its_stopwatch() -> None:
    clock = FakeClock()
    clock.advance(60)

    clock.set(datetime(2020, 1, 1, tzinfo=UTC))

    assert (clock.now(), clock.monotonic()) == (datetime(2020, 1, 1, tzinfo=UTC), 60.0)
