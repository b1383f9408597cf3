"""The right to send requests to one company, shared by workers that know of each other through one DynamoDB item only.

    not_before_us   nobody sends before it: Retry-After, told by whoever was told it
    allowance       how many may be under way at once in all workers together; halved when the site asks for less
    workers         when each worker was last seen; a worker's share is the allowance divided by those seen lately

With more workers than the allowance each of them rests between its requests, so that on average no more are under way.
A worker is seen at most once a second, and reads the item before every request: one read of the several that a page
costs anyway, so that nobody sends who could know of a wait.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from avesa.adapters.aws.records import number
from avesa.adapters.aws.tables import CHUNK_PROGRESS, TTL_ATTRIBUTE
from avesa.domain.pacing import Pace, check_wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from avesa.adapters.aws.records import Item, StateTables
    from avesa.ports.time import Clock

WAIT_GROWS: Final = "attribute_not_exists(not_before_us) OR not_before_us < :not_before"
"""Of several waits that workers were told of, the longest counts."""
ROUND_IS_OVER: Final = "attribute_not_exists(round_ends_us) OR round_ends_us <= :now"
"""Answers to one burst of requests slow everybody down once."""
_REFRESH_SECONDS: Final = 1.0
_SLICE_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 240.0
"""A function that waits longer is paid for doing nothing, and may be ended meanwhile; a state machine waits better."""
_SEEN_LATELY_SECONDS: Final = 30.0
_KEPT_SECONDS: Final = 24 * 3600
_MICRO: Final = 1_000_000
_MILLI: Final = 1000


class SharedBudget:
    """A RequestBudget for one worker of many. Threads of the worker share it too.

    The tenant leads the item's key, so that credentials narrowed to a tenant suffice; tenants that share a company do
    not see each other's waits.
    """

    def __init__(
        self, tables: StateTables, *, tenant_id: str, company: str, worker: str, max_concurrency: int, clock: Clock
    ) -> None:
        self._tables = tables
        self._key = (tenant_id, f"#budget#{company}")
        self._worker = worker
        self._ceiling = max_concurrency
        self._clock = clock
        self._pace = Pace(ceiling=max_concurrency)
        self._workers = 1
        self._not_before_seconds = 0.0
        self._seen_at = float("-inf")
        self._growth = 0.0
        self._rest_until = float("-inf")
        self._under_way = 0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many requests this worker may have under way at once now."""
        with self._changed:
            return max(self._pace.limit // self._workers, 1)

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        self._enter()
        began = self._clock.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                now = self._clock.monotonic()
                rest = (now - began) * max(self._workers / self._pace.limit - 1.0, 0.0)
                self._rest_until = max(self._rest_until, now + rest)
                self._changed.notify()

    def throttled(self, retry_after_seconds: float | None) -> None:
        wait = retry_after_seconds or 0.0
        now = self._clock.now().timestamp()
        self._write("SET not_before_us = :not_before", WAIT_GROWS, {":not_before": _micros(now + wait)})
        with self._changed:
            slower = self._pace.after_throttling(at=now, retry_after_seconds=wait)
            self._growth = 0.0
        if slower is not self._pace:
            self._write(
                "SET allowance = :allowance, round_ends_us = :round_ends",
                ROUND_IS_OVER,
                {
                    ":allowance": {"N": str(int(slower.allowance * _MILLI))},
                    ":round_ends": _micros(slower.round_ends_at),
                    ":now": _micros(now),
                },
            )
        self._refresh()

    def succeeded(self) -> None:
        with self._changed:
            if self._pace.allowance < self._ceiling:
                self._growth += 1.0 / self._pace.limit
            self._changed.notify()

    def _enter(self) -> None:
        while True:
            if self._clock.monotonic() - self._seen_at >= _REFRESH_SECONDS:
                self._refresh()
            else:
                self._look()
            with self._changed:
                told = self._not_before_seconds - self._clock.now().timestamp()
                pause = max(told, self._rest_until - self._clock.monotonic())
                if pause <= 0 and self._under_way < max(self._pace.limit // self._workers, 1):
                    self._under_way += 1
                    return
                if pause <= 0:
                    self._changed.wait(_SLICE_SECONDS)
                    continue
            check_wait(told, now=self._clock.now(), longest_seconds=_LONGEST_WAIT_SECONDS)
            # Outside the lock, so that the others can go on reporting how their requests went.
            self._clock.sleep(min(pause, _SLICE_SECONDS))

    def _refresh(self) -> None:
        """Be seen, hand in what successes have earned, and read what all workers together have come to."""
        with self._changed:
            self._seen_at = self._clock.monotonic()
            growth, self._growth = self._growth, 0.0
        now = self._clock.now().timestamp()
        change = f"SET #value = :own, seen_{self._worker} = :now, {TTL_ATTRIBUTE} = :kept"
        values: dict[str, AttributeValueTypeDef] = {
            ":own": {"S": "request budget"},
            ":now": _micros(now),
            ":kept": {"N": str(int(now) + _KEPT_SECONDS)},
        }
        if growth:
            change += " ADD allowance :growth"
            values[":growth"] = {"N": str(int(growth * _MILLI))}
        item = self._write(change, None, values)
        if item is not None:
            self._learn(item, now)

    def _look(self) -> None:
        """Learn of a wait that another worker was told of since this one was last seen."""
        item = self._tables.get(CHUNK_PROGRESS, *self._key)
        if item is not None:
            with self._changed:
                self._not_before_seconds = max(self._not_before_seconds, number(item, "not_before_us") / _MICRO)

    def _learn(self, item: Item, now: float) -> None:
        since = (now - _SEEN_LATELY_SECONDS) * _MICRO
        seen = sum(name.startswith("seen_") and number(item, name) >= since for name in item)
        allowance = number(item, "allowance") / _MILLI if "allowance" in item else float("inf")
        with self._changed:
            self._workers = max(seen, 1)
            self._not_before_seconds = number(item, "not_before_us") / _MICRO
            self._pace = Pace(
                ceiling=self._ceiling,
                allowance=max(allowance, 1.0),
                round_ends_at=number(item, "round_ends_us") / _MICRO,
            )
            self._changed.notify_all()

    def _write(self, change: str, condition: str | None, values: Item) -> Item | None:
        return self._tables.update(CHUNK_PROGRESS, *self._key, change=change, condition=condition, values=values)


class SharedBudgetBook:
    """One shared budget per site and company for one worker of one tenant."""

    def __init__(self, tables: StateTables, *, tenant_id: str, worker: str, clock: Clock) -> None:
        self._tables = tables
        self._tenant_id = tenant_id
        self._worker = "".join(letter for letter in worker if letter.isalnum())
        self._clock = clock
        self._budgets: dict[str, SharedBudget] = {}
        self._lock = threading.Lock()

    def get(self, site: str, company: str, max_concurrency: int) -> SharedBudget:
        """Return the budget; the first `max_concurrency` that was asked for counts."""
        name = f"{urlsplit(site).netloc or site}#{company}"
        with self._lock:
            if name not in self._budgets:
                self._budgets[name] = SharedBudget(
                    self._tables,
                    tenant_id=self._tenant_id,
                    company=name,
                    worker=self._worker,
                    max_concurrency=max_concurrency,
                    clock=self._clock,
                )
            return self._budgets[name]


def _micros(seconds: float) -> AttributeValueTypeDef:
    return {"N": str(int(seconds * _MICRO))}
