"""The right to send requests to one company on one site, shared by all threads of a run; and the pause that the site
has asked for, shared by all processes of a home.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from avesa.domain.pacing import Pace, check_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avesa.adapters.local.database import SqliteDatabase
    from avesa.ports.time import Clock

# A waiting thread hears of Ctrl-C, and of a longer wait that another one was told of, within this time.
_SLICE_SECONDS: Final = 1.0
_MICRO: Final = 1_000_000


class SharedPause(Protocol):
    """How long nobody may ask a company for anything, as any process of the home was told."""

    def left_seconds(self) -> float:
        """Return how much of the longest pause that was told is left; 0 or less when it is over."""

    def extend(self, seconds: float) -> None:
        """Note a pause from now on; a shorter one than is known already changes nothing."""


class SqlitePause:
    """The pause of one company, in the table RequestPauses; it outlives the process that was told of it."""

    def __init__(self, database: SqliteDatabase, key: str, *, clock: Clock) -> None:
        self._database = database
        # Who is asked is nobody's business but the registry's, which an erasure empties.
        self._key = hashlib.sha256(key.encode()).hexdigest()
        self._clock = clock

    def left_seconds(self) -> float:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT told_us, until_us FROM RequestPauses WHERE company = ?", (self._key,)
            ).fetchone()
        if row is None:
            return 0.0
        told, until = row
        # No longer than was told, should the clock have been put back since.
        return float(min(until - self._now(), until - told)) / _MICRO

    def extend(self, seconds: float) -> None:
        now = self._now()
        with self._database.writing() as connection:
            connection.execute("DELETE FROM RequestPauses WHERE until_us <= ?", (now,))
            connection.execute(
                "INSERT INTO RequestPauses (company, told_us, until_us) VALUES (?, ?, ?) ON CONFLICT (company) DO "
                "UPDATE SET told_us = excluded.told_us, until_us = excluded.until_us "
                "WHERE excluded.until_us > until_us",
                (self._key, now, now + int(seconds * _MICRO)),
            )

    def _now(self) -> int:
        return int((self._clock.now() - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * _MICRO)


class AdaptiveBudget:
    """At most `max_concurrency` requests at once; fewer after the site asked for less, then slowly more again."""

    def __init__(self, max_concurrency: int, *, clock: Clock, pause: SharedPause | None = None) -> None:
        self._clock = clock
        self._pause = pause
        self._pace = Pace(ceiling=max_concurrency)
        self._under_way = 0
        self._lock = threading.Lock()
        self._queue: deque[threading.Condition] = deque()
        """Who waits, in the order in which they came: chunks that go on side by side end side by side."""
        self._not_before = clock.monotonic()

    @property
    def limit(self) -> int:
        """How many requests may be under way at once now."""
        with self._lock:
            return self._pace.limit

    @property
    def waiting(self) -> int:
        """How many wait for a slot now."""
        with self._lock:
            return len(self._queue)

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        self._enter()
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._wake_next()

    def throttled(self, retry_after_seconds: float | None) -> None:
        wait = retry_after_seconds or 0.0
        with self._lock:
            now = self._clock.monotonic()
            self._not_before = max(self._not_before, now + wait)
            self._pace = self._pace.after_throttling(at=now, retry_after_seconds=wait)
        if self._pause is not None and wait > 0:
            self._pause.extend(wait)

    def succeeded(self) -> None:
        with self._lock:
            self._pace = self._pace.after_success()
            self._wake_next()

    def cap(self, max_concurrency: int) -> None:
        """Never send more than this at once from now on; a higher cap than before changes nothing."""
        with self._lock:
            self._pace = self._pace.capped(max_concurrency)

    def _enter(self) -> None:
        place = self._place()
        with self._lock:
            self._queue.append(place)
        try:
            while not self._has_entered(place):
                pass
        finally:
            with self._lock:
                self._queue.remove(place)
                self._wake_next()

    def _place(self) -> threading.Condition:
        """Return a place in the queue: what waits without the lock, and has it again when it goes on."""
        return threading.Condition(self._lock)

    def _wake_next(self) -> None:
        """Wake whose turn it is, and nobody else: dozens may wait. Called with the lock held."""
        if self._queue:
            self._queue[0].notify()

    def _has_entered(self, place: threading.Condition) -> bool:
        """Take the slot if this place's turn has come; otherwise wait a while for it."""
        with self._lock:
            if self._queue[0] is not place:
                place.wait(_SLICE_SECONDS)
                return False
        told = 0.0 if self._pause is None else self._pause.left_seconds()
        with self._lock:
            pause_seconds = max(self._not_before - self._clock.monotonic(), told)
            if pause_seconds <= 0 and self._under_way < self._pace.limit:
                self._under_way += 1
                return True
            if pause_seconds <= 0:
                place.wait(_SLICE_SECONDS)
                return False
        check_wait(pause_seconds, now=self._clock.now())
        # Outside the lock, so that the others can go on reporting how their requests went.
        self._clock.sleep(min(pause_seconds, _SLICE_SECONDS))
        return False


class BudgetBook:
    """One budget per site and company, whoever asks: tenants that share a company share its budget.

    `pause` gives the pause that a company's other processes share, by the name of site and company.
    """

    def __init__(self, *, clock: Clock, pause: Callable[[str], SharedPause] | None = None) -> None:
        self._clock = clock
        self._pause = pause
        self._budgets: dict[tuple[str, str], AdaptiveBudget] = {}
        self._lock = threading.Lock()

    def get(self, site: str, company: str, max_concurrency: int) -> AdaptiveBudget:
        """Return the budget; of several `max_concurrency` that were asked for, the lowest counts."""
        with self._lock:
            budget = self._budgets.get((site, company))
            if budget is None:
                pause = None if self._pause is None else self._pause(f"{site} {company}")
                budget = AdaptiveBudget(max_concurrency, clock=self._clock, pause=pause)
                self._budgets[site, company] = budget
        budget.cap(max_concurrency)
        return budget
