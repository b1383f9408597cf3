"""Large bytes handed to another process without a pipe: blocks of shared memory, used again and again.

Fresh memory costs more to touch than to fill, so blocks are kept by both sides; there are never more of them than
callers at a time.
"""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_STEP_BYTES: Final = 1024 * 1024
_MOST_ATTACHED: Final = 16


class SharedBlocks:
    """The blocks of one process, lent to others. Safe to share between threads; close it at the end."""

    def __init__(self) -> None:
        self._free: list[SharedMemory] = []
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, body: bytes) -> Iterator[str | None]:
        """Give the name of a block that begins with the bytes, for as long as the context lasts; None where the machine
        has no shared memory to give: a full or missing /dev/shm, a limit on the size of files.
        """
        try:
            block: SharedMemory | None = self._taken(len(body))
        except OSError:
            block = None
        if block is None:
            yield None
            return
        try:
            _memory(block)[: len(body)] = body
            yield block.name
        finally:
            with self._lock:
                self._free.append(block)

    def close(self) -> None:
        """Give the memory back; blocks that are lent go when they are returned and this is called again."""
        with self._lock:
            blocks, self._free = self._free, []
        for block in blocks:
            _end(block)

    def _taken(self, size: int) -> SharedMemory:
        with self._lock:
            fitting = next((block for block in self._free if block.size >= size), None)
            spent = fitting or (self._free[0] if self._free else None)
            if spent is not None:
                self._free.remove(spent)
        if fitting is not None:
            return fitting
        if spent is not None:
            _end(spent)  # too small: what comes now is larger than what came before
        return _new((size + size // 4) // _STEP_BYTES * _STEP_BYTES + _STEP_BYTES)


def _new(size_bytes: int) -> SharedMemory:
    name = f"avesa-{os.getpid()}-{secrets.token_hex(4)}"
    if os.name == "posix":
        # A creation that fails takes back a name that Python has not given to its tracker yet, and the tracker prints a
        # traceback: so it knows the name beforehand. A second time changes nothing.
        resource_tracker.register(f"/{name}", "shared_memory")
    return SharedMemory(name=name, create=True, size=size_bytes)


def _memory(block: SharedMemory) -> memoryview:
    if block.buf is None:
        raise ValueError("this block of shared memory is closed")
    return block.buf


def _end(block: SharedMemory) -> None:
    block.close()
    block.unlink()


_attached: dict[str, SharedMemory] = {}


def call_with_shared(
    task: tuple[Callable[[bytes, _Item], _Result], str, int, _Item],
) -> _Result:
    """Return function(bytes, item), the bytes being the first `size` of the named block. Runs in the other process."""
    function, name, size, item = task
    block = _attached.get(name)
    if block is None:
        while len(_attached) >= _MOST_ATTACHED:
            _attached.pop(next(iter(_attached))).close()
        block = _attached[name] = SharedMemory(name=name)
    return function(bytes(_memory(block)[:size]), item)
