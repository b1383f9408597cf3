"""Threads for work that waits, and places for work that computes in the process that asked for it."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final, TypeVar

from avesa.adapters.machine.backlog import Backlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# A signal that another thread caught is heard by the waiting main thread when it wakes; on Windows every Ctrl-C is.
_WAKE_SECONDS: Final = 0.25


class _NotBegun(Exception):  # noqa: N818 - a fact: another item failed before this one's turn
    """This item was not begun, because another one had failed."""


class ThreadExecutor:
    """Threads per call of `map`, so that a map within a map cannot starve it; parsing stays in this process.

    For Lambda, which has no shared memory for a pool of processes to speak through.
    """

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(usable_cores())
        self._backlog = Backlog()

    @contextlib.contextmanager
    def computing(self, waiting_bytes: int = 0) -> Iterator[None]:
        """Hold one of as many places as this process may use cores."""
        with self._backlog.waiting(waiting_bytes):
            self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    @property
    def has_room(self) -> bool:
        """Whether what waits for a place is little enough; see the port."""
        return self._backlog.has_room

    def wait_for_room(self) -> None:
        """Return when there is room; see the port."""
        self._backlog.wait_for_room()

    def prepare(self, function: Callable[..., object]) -> None:
        """Nothing is to be got ready: parsing stays here."""

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item], *, limit: int) -> list[_Result]:
        workers = min(limit, len(items))
        if workers <= 1:
            return [function(item) for item in items]
        return _map_in_threads(function, items, workers)

    def parse(self, function: Callable[[bytes, _Item], _Result], body: bytes, item: _Item) -> _Result:
        """Work it out here."""
        return function(body, item)

    def map_parsing(self, function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Give each result when it is asked for; no item is read ahead."""
        return map(function, items)


def usable_cores() -> int:
    """Return how many cores this process may use: fewer than the machine has where a container or `taskset` says so."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _InFlight:
    """The items that have begun and not ended. After `stop` none begins.

    Counted here because a pool forgets the thread that it was starting when Ctrl-C came: its `shutdown` does not wait
    for that one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._is_stopping = False

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        with self._changed:
            if self._is_stopping:
                raise _NotBegun
            self._count += 1
        try:
            yield
        except BaseException:
            self.stop()
            raise
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._is_stopping = True

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._count)


def _map_in_threads(function: Callable[[_Item], _Result], items: Sequence[_Item], workers: int) -> list[_Result]:
    in_flight = _InFlight()

    def begin(item: _Item) -> _Result:
        with in_flight.one():
            return function(item)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="avesa")
    try:
        futures = [pool.submit(begin, item) for item in items]
        while wait(futures, timeout=_WAKE_SECONDS).not_done:
            pass
    finally:
        # After Ctrl-C: nothing new begins, and what has begun ends.
        in_flight.stop()
        pool.shutdown(wait=True, cancel_futures=True)
        in_flight.wait()
    failures = (future.exception() for future in futures)
    for failure in failures:
        if failure is not None and not isinstance(failure, _NotBegun):
            raise failure
    return [future.result() for future in futures]
