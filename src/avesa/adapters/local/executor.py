"""Spreads work over this machine: threads for what waits, processes for what computes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Final, TypeVar

from avesa.domain.errors import AvesaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# More than this is refused by Windows, and no laptop has them.
_MOST_PROCESSES: Final = 61
_AHEAD_PER_PROCESS: Final = 2
# A signal that another thread caught is heard by the waiting main thread when it wakes; on Windows every Ctrl-C is.
_WAKE_SECONDS: Final = 0.25


class _NotBegun(Exception):  # noqa: N818 - a fact: another item failed before this one's turn
    """This item was not begun, because another one had failed."""


class LocalExecutor:
    """Threads per call of `map`, so that a map within a map cannot starve it; one pool of processes for parsing.

    `parsing_processes`: None is as many as this process may use cores; 0 or 1 parses in this process.
    Close it at the end; a closed executor starts again when it is used.
    """

    def __init__(self, parsing_processes: int | None = None) -> None:
        processes = _usable_cores() if parsing_processes is None else parsing_processes
        self._processes = min(processes, _MOST_PROCESSES)
        self._pool: ProcessPoolExecutor | None = None
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="avesa-starter", initializer=_block_interrupt)
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_usable_cores())

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Hold one of as many places as this process may use cores."""
        with self._places:
            yield

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item], *, limit: int) -> list[_Result]:
        workers = min(limit, len(items))
        if workers <= 1:
            return [function(item) for item in items]
        return _map_in_threads(function, items, workers)

    def map_parsing(self, function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Give results in order while later items are being worked on; reads at most two items per process ahead."""
        if self._processes <= 1:
            return map(function, items)
        # Even one item goes to a process: several tables fold at a time, and this process keeps its memory.
        return self._map_in_processes(function, iter(items))

    def close(self) -> None:
        """End the parsing processes after what they are working on."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _map_in_processes(self, function: Callable[[_Item], _Result], items: Iterator[_Item]) -> Iterator[_Result]:
        outstanding: deque[Future[_Result]] = deque()
        try:
            for item in islice(items, self._processes * _AHEAD_PER_PROCESS):
                outstanding.append(self._submit(function, item))
            while outstanding:
                result = outstanding.popleft().result()
                for item in islice(items, 1):
                    outstanding.append(self._submit(function, item))
                yield result
        except BrokenProcessPool as error:
            self.close()
            raise AvesaError(
                "a parsing process ended before its work was done, most likely for want of memory; "
                "run again with fewer parsing processes"
            ) from error
        finally:
            for future in outstanding:
                future.cancel()
            wait(outstanding)

    def _submit(self, function: Callable[[_Item], _Result], item: _Item) -> Future[_Result]:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self._processes, mp_context=get_context("spawn"), initializer=_begin_worker
                )
            # Submitting starts a process when none is idle. KeyboardInterrupt is raised in the main thread only, so it
            # cannot leave a process half started, which would keep the program from ending.
            return self._starter.submit(self._pool.submit, function, item).result()


def _map_in_threads(function: Callable[[_Item], _Result], items: Sequence[_Item], workers: int) -> list[_Result]:
    stopping = threading.Event()

    def begin(item: _Item) -> _Result:
        if stopping.is_set():
            raise _NotBegun
        try:
            return function(item)
        except BaseException:
            stopping.set()
            raise

    pool = ThreadPoolExecutor(workers, thread_name_prefix="avesa")
    try:
        futures = [pool.submit(begin, item) for item in items]
        while wait(futures, timeout=_WAKE_SECONDS).not_done:
            pass
    finally:
        # After Ctrl-C: nothing new begins, and what has begun ends.
        stopping.set()
        pool.shutdown(wait=True, cancel_futures=True)
    failures = (future.exception() for future in futures)
    for failure in failures:
        if failure is not None and not isinstance(failure, _NotBegun):
            raise failure
    return [future.result() for future in futures]


def _begin_worker() -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides what it means. Where signals can be blocked,
    # `_block_interrupt` has done so already.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="avesa-parent-watch", daemon=True).start()


def _end_with_parent() -> None:
    # A parent that is killed cannot say goodbye; without this its workers would wait for work for ever.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _block_interrupt() -> None:
    # Inherited by what this thread starts: a worker prints no traceback when Ctrl-C comes in its first moments.
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _usable_cores() -> int:
    # Fewer than the machine has where a container or `taskset` says so.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
