"""Time, as the core may know it: asked for and waited for, never read from the machine directly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """The time of day in UTC, a stopwatch, and a way to wait."""

    def now(self) -> datetime:
        """Return the aware UTC time. It does not go back within a process; the next process may find an earlier one."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`, or after having recorded that it would have waited."""
