"""The machine under a Lambda function: its clock, and threads for what waits.

What computes stays in the function's own process: Lambda has no shared memory for a pool of processes to speak through.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class MachineClock:
    """The time of day and the stopwatch of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(seconds, 0.0))


class ThreadExecutor:
    """Threads for each call of `map`; parsing in the process that asked."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(os.cpu_count() or 1)

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Hold one of as many places as the function has processors."""
        with self._places:
            yield

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item], *, limit: int) -> list[_Result]:
        if min(limit, len(items)) <= 1:
            return [function(item) for item in items]
        stopping: list[bool] = []

        def begin(item: _Item) -> list[_Result]:
            if stopping:
                return []
            try:
                return [function(item)]
            except BaseException:
                stopping.append(True)
                raise

        with ThreadPoolExecutor(min(limit, len(items)), thread_name_prefix="avesa") as pool:
            futures = [pool.submit(begin, item) for item in items]
            wait(futures)
        # The first failure by order is raised here, after all that had begun has ended.
        return [result for future in futures for result in future.result()]

    def map_parsing(self, function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        return map(function, items)
