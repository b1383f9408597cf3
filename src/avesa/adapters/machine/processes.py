"""Spreads work over this machine: threads for what waits, processes for what computes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Final, TypeVar

from avesa.adapters.machine.allocator import give_large_blocks_back
from avesa.adapters.machine.blocks import SharedBlocks, call_with_shared
from avesa.adapters.machine.threads import ThreadExecutor, usable_cores
from avesa.domain.errors import AvesaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# More than this is refused by Windows, and no laptop has them.
_MOST_PROCESSES: Final = 61
_AHEAD_PER_PROCESS: Final = 2
_SHARED_BYTES: Final = 256 * 1024
"""Less than this is worked out here: handing it over would cost as much."""


_BROKEN: Final = (
    "a parsing process ended before its work was done, most likely for want of memory; "
    "run again with fewer parsing processes"
)


class ProcessExecutor(ThreadExecutor):
    """Threads as ThreadExecutor has them, and one pool of processes for parsing.

    `parsing_processes`: None is as many as this process may use cores; 0 or 1 parses in this process.
    Close it at the end; a closed executor starts again when it is used.
    """

    def __init__(self, parsing_processes: int | None = None) -> None:
        super().__init__()
        give_large_blocks_back()
        processes = usable_cores() if parsing_processes is None else parsing_processes
        self._processes = min(processes, _MOST_PROCESSES)
        if self._processes > 1:
            # One more than there are processes, so that each finds its next page waiting.
            self._places = threading.BoundedSemaphore(self._processes + 1)
        self._blocks = SharedBlocks()
        self._pool: ProcessPoolExecutor | None = None
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="avesa-starter", initializer=_block_interrupt)
        self._lock = threading.Lock()

    def prepare(self, function: Callable[..., object]) -> None:
        """Start the processes and let each import what the function needs: a second that reading pages hides."""
        with self._lock:
            is_started = self._pool is not None
        if self._processes > 1 and not is_started:
            for _ in range(self._processes):
                self._submit(_has_imported, function)

    def map_parsing(self, function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Give results in order while later items are being worked on; reads at most two items per process ahead."""
        if self._processes <= 1:
            return super().map_parsing(function, items)
        # Even one item goes to a process: several tables fold at a time, and this process keeps its memory.
        return self._map_in_processes(function, iter(items))

    def parse(self, function: Callable[[bytes, _Item], _Result], body: bytes, item: _Item) -> _Result:
        """Work it out in a process if they are there and the body is worth it."""
        with self._lock:
            is_started = self._pool is not None
        if not is_started or len(body) < _SHARED_BYTES:
            return function(body, item)
        with self._blocks.holding(body) as name:
            if name is None:
                return function(body, item)
            try:
                return self._submit(call_with_shared, (function, name, len(body), item)).result()
            except BrokenProcessPool as error:
                self.close()
                raise AvesaError(_BROKEN) from error

    def close(self) -> None:
        """End the parsing processes after what they are working on."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        self._blocks.close()

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
            raise AvesaError(_BROKEN) from error
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


def _has_imported(function: Callable[..., object]) -> bool:
    """Whoever gets this has unpickled the function, so has imported all that it needs."""
    return callable(function)


def _begin_worker() -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides what it means. Where signals can be blocked,
    # `_block_interrupt` has done so already.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="avesa-parent-watch", daemon=True).start()
    # Nothing that works here needs these, and pyarrow would import them wherever they are installed: 0.85 s a process.
    sys.meta_path.insert(0, _NotNeeded())


class _NotNeeded:
    """Says of pandas and numpy that they are not installed."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        """Raise ModuleNotFoundError for these two; leave everything else to others."""
        if name in {"pandas", "numpy"}:
            raise ModuleNotFoundError(name, name=name)


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
