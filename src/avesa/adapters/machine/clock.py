"""This machine's clocks."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TICK: Final = timedelta(microseconds=1)


def _machine_time() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """The time of day and the stopwatch of this machine.

    Within a process the time of day never goes back: while somebody sets the machine's clock back, it creeps on from
    where it was, since what was seen later must also look later.
    """

    def __init__(self, wall: Callable[[], datetime] = _machine_time) -> None:
        self._wall = wall
        self._last = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[SystemClock], tuple[Callable[[], datetime]]]:
        return SystemClock, (self._wall,)  # a process of the executor has a clock of its own

    def now(self) -> datetime:
        with self._lock:
            self._last = max(self._wall(), self._last + _TICK)
            return self._last

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(seconds, 0.0))
