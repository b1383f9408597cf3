"""The scheduler gives the same turns for the same seed, and ends or stops a process as a whole."""

from __future__ import annotations

import random

import pytest

from reliability.scheduler import Crashed, HistoryStuck, Process, Scheduler, Task


def turns(seed: int) -> list[str]:
    scheduler, told = Scheduler(random.Random(seed)), []

    def work(name: str) -> None:
        for number in range(5):
            told.append(f"{name}{number}")
            scheduler.pause()
            scheduler.sleep(0.5)

    process = Process("one")
    for name in "abc":
        scheduler.spawn(process, lambda name=name: work(name))  # type: ignore[misc]
    scheduler.run()
    return told


def test_a_seed_gives_the_same_turns_and_another_gives_others() -> None:
    assert turns(1) == turns(1)
    assert turns(1) != turns(2)
    assert sorted(turns(1)) == sorted(turns(2))


def test_sleeping_moves_the_simulated_time_and_nothing_else() -> None:
    scheduler = Scheduler(random.Random(1))
    woke: list[tuple[str, float]] = []

    def sleeper(name: str, seconds: float) -> None:
        scheduler.sleep(seconds)
        woke.append((name, scheduler.now))

    for name, seconds in (("late", 900.0), ("soon", 3.0)):
        scheduler.spawn(Process(name), lambda n=name, s=seconds: sleeper(n, s))  # type: ignore[misc]
    scheduler.run()

    assert woke == [("soon", 3.0), ("late", 900.0)]


def test_what_a_dead_process_was_doing_ends_without_another_step() -> None:
    scheduler, told = Scheduler(random.Random(1)), []
    doomed, other = Process("doomed"), Process("other")

    def work() -> None:
        told.append("begun")
        scheduler.sleep(10)
        told.append("never")

    def killer() -> None:
        scheduler.sleep(1)
        scheduler.kill(doomed)

    task = scheduler.spawn(doomed, work)
    scheduler.spawn(other, killer)
    scheduler.run()

    assert told == ["begun"]
    assert isinstance(task.error, Crashed)


def test_a_process_that_stands_still_goes_on_later_while_others_work() -> None:
    scheduler, told = Scheduler(random.Random(1)), []
    still, other = Process("still"), Process("other")

    def stand() -> None:
        scheduler.stand_still(still, 100)
        told.append(("still", scheduler.now))

    def work() -> None:
        scheduler.sleep(5)
        told.append(("other", scheduler.now))

    scheduler.spawn(still, stand)
    scheduler.spawn(other, work)
    scheduler.run()

    assert told == [("other", 5.0), ("still", 100.0)]


def test_tasks_that_wait_for_each_other_are_a_finding() -> None:
    scheduler = Scheduler(random.Random(1))
    tasks: list[Task] = []
    process = Process("one")
    tasks.append(scheduler.spawn(process, lambda: scheduler.join([tasks[1]])))
    tasks.append(scheduler.spawn(process, lambda: scheduler.join([tasks[0]])))

    with pytest.raises(HistoryStuck):
        scheduler.run()
