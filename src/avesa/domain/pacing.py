"""How many requests may be under way at once: additive increase, multiplicative decrease.

limit
8 |----.                       .-    a throttled answer halves it,
|    |                  .---'      one round of answered requests adds one
4 |    '----.        .---'
|         |   .---'
2 |         '--'
+--------------------------------> time
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import WaitTooLong

if TYPE_CHECKING:
    from datetime import datetime

LONGEST_WAIT_SECONDS: Final = 900.0
"""A run waits for a Retry-After this long at most: longer, and it would hang for hours with nobody the wiser."""
_SHORTEST_ROUND_SECONDS: Final = 1.0
_DECREASE: Final = 0.5
_FLOOR: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A limit between 1 and `ceiling` that follows what a site answers. It begins at the ceiling.

    Times are seconds of one stopwatch. Raises ValueError for a ceiling below 1.
    """

    ceiling: int
    allowance: float = float("inf")
    """The limit before it is cut to a whole number; above the ceiling means at the ceiling."""
    round_ends_at: float = float("-inf")
    """Until then throttled answers are to requests sent before the last decrease: they tell nothing new."""

    def __post_init__(self) -> None:
        if self.ceiling < 1:
            raise ValueError(f"max_concurrency is {self.ceiling}; at least 1 request must be allowed at once")

    @property
    def limit(self) -> int:
        """How many requests may be under way at once."""
        return int(min(self.allowance, self.ceiling))

    def after_success(self) -> Pace:
        """The pace after one answered request: as many of them as the limit is add one to it."""
        if self.allowance >= self.ceiling:
            return self
        return replace(self, allowance=min(self.allowance + 1.0 / self.limit, float(self.ceiling)))

    def after_throttling(self, *, at: float, retry_after_seconds: float = 0.0) -> Pace:
        """The pace after the site asked for less: half the limit, once per round of throttled answers."""
        if at < self.round_ends_at:
            return self
        lower = max(min(self.allowance, self.ceiling) * _DECREASE, _FLOOR)
        return replace(self, allowance=lower, round_ends_at=at + max(retry_after_seconds, _SHORTEST_ROUND_SECONDS))

    def capped(self, ceiling: int) -> Pace:
        """The pace with a ceiling no higher than `ceiling`."""
        return self if ceiling >= self.ceiling else replace(self, ceiling=ceiling)


def check_wait(seconds: float, *, now: datetime, longest_seconds: float = LONGEST_WAIT_SECONDS) -> None:
    """Raise WaitTooLong, which names the end of the pause, when a run should not wait for it."""
    if seconds <= longest_seconds:
        return
    try:
        until = f"{now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
    except OverflowError:
        until = "for ever"
    raise WaitTooLong(
        f"the site asks for no request before {until}, in {seconds:,.0f} s; a run waits {longest_seconds:,.0f} s at "
        "most. Nothing was asked since, and nothing durable is lost: run again after that time"
    )
