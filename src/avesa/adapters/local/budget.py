"""The right to send requests to one company on one site, shared by all threads of a run."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from avesa.domain.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.ports.time import Clock

# A waiting thread hears of Ctrl-C, and of a longer wait that another one was told of, within this time.
_SLICE_SECONDS: Final = 1.0


class AdaptiveBudget:
    """At most `max_concurrency` requests at once; fewer after the site asked for less, then slowly more again."""

    def __init__(self, max_concurrency: int, *, clock: Clock) -> None:
        self._clock = clock
        self._pace = Pace(ceiling=max_concurrency)
        self._under_way = 0
        self._not_before = clock.monotonic()
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many requests may be under way at once now."""
        with self._changed:
            return self._pace.limit

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        self._enter()
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify()

    def throttled(self, retry_after_seconds: float | None) -> None:
        with self._changed:
            now = self._clock.monotonic()
            self._not_before = max(self._not_before, now + (retry_after_seconds or 0.0))
            self._pace = self._pace.after_throttling(at=now, retry_after_seconds=retry_after_seconds or 0.0)

    def succeeded(self) -> None:
        with self._changed:
            self._pace = self._pace.after_success()
            self._changed.notify()

    def cap(self, max_concurrency: int) -> None:
        """Never send more than this at once from now on; a higher cap than before changes nothing."""
        with self._changed:
            self._pace = self._pace.capped(max_concurrency)

    def _enter(self) -> None:
        while True:
            with self._changed:
                pause_seconds = self._not_before - self._clock.monotonic()
                if pause_seconds <= 0 and self._under_way < self._pace.limit:
                    self._under_way += 1
                    return
                if pause_seconds <= 0:
                    self._changed.wait(_SLICE_SECONDS)
                    continue
            # Outside the lock, so that the others can go on reporting how their requests went.
            self._clock.sleep(min(pause_seconds, _SLICE_SECONDS))


class BudgetBook:
    """One budget per site and company, whoever asks: tenants that share a company share its budget."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._budgets: dict[tuple[str, str], AdaptiveBudget] = {}
        self._lock = threading.Lock()

    def get(self, site: str, company: str, max_concurrency: int) -> AdaptiveBudget:
        """Return the budget; of several `max_concurrency` that were asked for, the lowest counts."""
        with self._lock:
            budget = self._budgets.get((site, company))
            if budget is None:
                budget = self._budgets[site, company] = AdaptiveBudget(max_concurrency, clock=self._clock)
        budget.cap(max_concurrency)
        return budget
