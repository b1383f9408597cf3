"""What has come and waits for a core bounds what is asked for next."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from avesa.adapters.machine.backlog import MOST_BYTES, Backlog
from avesa.adapters.machine.threads import ThreadExecutor, usable_cores


def test_there_is_room_until_too_much_waits_and_again_when_less_does() -> None:
    backlog = Backlog(most_bytes=10)
    seen = [backlog.has_room]

    with backlog.waiting(6):
        seen.append(backlog.has_room)
        with backlog.waiting(6):
            seen.append(backlog.has_room)
        seen.append(backlog.has_room)

    assert seen == [True, True, False, True]


def test_who_would_ask_for_more_waits_until_what_is_here_has_found_a_core() -> None:
    executor = ThreadExecutor()
    cores = usable_cores()
    are_busy, may_end = threading.Barrier(cores + 1), threading.Event()

    def compute() -> None:
        with executor.computing(1):
            are_busy.wait(timeout=30)
            may_end.wait(timeout=30)

    def wait_with_too_much() -> None:
        with executor.computing(MOST_BYTES):
            pass

    with ThreadPoolExecutor(cores + 2) as pool:
        busy = [pool.submit(compute) for _ in range(cores)]
        are_busy.wait(timeout=30)
        late = pool.submit(wait_with_too_much)
        while executor.has_room:
            threading.Event().wait(0.001)
        asking = pool.submit(executor.wait_for_room)
        with pytest.raises(TimeoutError):
            asking.result(timeout=0.1)
        may_end.set()
        for future in (*busy, late, asking):
            future.result(timeout=30)

    assert executor.has_room
