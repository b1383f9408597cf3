"""Turns Ctrl-C and SIGTERM into a wish that a run can follow: the first asks it to stop, the second ends it at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ENDED_AT_ONCE: Final = 130
_SHOW_CURSOR: Final = b"\x1b[?25h\n"


class StopWish:
    """Whether somebody asked for the end."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def is_stopping(self) -> bool:
        """Whether the run should end after the pages in flight."""
        return self._asked.is_set()

    def ask(self, notice: Callable[[], None]) -> None:
        """Take one signal. The second ends the process at once, which loses nothing that was durable."""
        if self._asked.is_set():
            if sys.stderr.isatty():
                os.write(2, _SHOW_CURSOR)
            os._exit(ENDED_AT_ONCE)
        self._asked.set()
        notice()


@contextmanager
def stopping_on_signals(notice: Callable[[], None]) -> Iterator[StopWish]:
    """Give the wish while the context lasts; `notice` is called in the signal's handler, so it must take no lock."""
    wish = StopWish()

    def handle(_number: int, _frame: FrameType | None) -> None:
        wish.ask(notice)

    former = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
