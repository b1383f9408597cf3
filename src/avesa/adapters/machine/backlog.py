"""What has come and waits for a core: while it is too much, nobody asks for more."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES: Final = 64 * 1024 * 1024
"""Besides these only what was asked for already can be in memory: a page for each request that a source allows."""


class Backlog:
    """The bytes that wait, counted by those who wait with them."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._waiting = 0
        self._changed = threading.Condition()

    @property
    def has_room(self) -> bool:
        """Whether more may be asked for now."""
        with self._changed:
            return self._waiting < self._most

    def wait_for_room(self) -> None:
        """Return when more may be asked for. What waits needs nobody but a core, so that this ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < self._most)

    @contextlib.contextmanager
    def waiting(self, size: int) -> Iterator[None]:
        """Count so many bytes as waiting for as long as the context lasts."""
        with self._changed:
            self._waiting += size
        try:
            yield
        finally:
            with self._changed:
                self._waiting -= size
                self._changed.notify_all()
