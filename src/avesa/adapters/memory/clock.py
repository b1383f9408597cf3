"""Time that stands still until somebody moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

_START: Final = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


class FakeClock:
    """Sleeping records how long (`slept`) and moves both clocks on at once. Threads may share it."""

    def __init__(self, now: datetime = _START) -> None:
        self._now = now
        self._monotonic = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        with self._lock:
            return self._monotonic

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
        self.advance(max(seconds, 0.0))

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass without anybody sleeping."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds

    def set(self, now: datetime) -> None:
        """Set the time of day, forward or back, as an operator could; the stopwatch goes on."""
        with self._lock:
            self._now = now
