"""Ports of one simulated process: every call is a place where it may fail, die, stand still or let others go first."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from avesa.adapters.local.budget import AdaptiveBudget
from avesa.adapters.machine.clock import SystemClock
from avesa.domain.errors import LeaseLost, StorageError, TransientSourceError
from avesa.domain.model import Holder
from avesa.ports.source import HttpResponse
from avesa.simulator.api import respond
from avesa.simulator.wire import Request
from reliability.scheduler import Crashed, Process
from reliability.weather import Moment

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from avesa.domain.model import Lease
    from avesa.ports.source import HttpRequest
    from avesa.simulator.site import Site
    from reliability.scheduler import Scheduler, Task
    from reliability.weather import Weather

Item = TypeVar("Item")
Result = TypeVar("Result")

BEGIN: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_THROTTLED: Final = 429


class Victim(Process):
    """A simulated process with the gates at which it will die or stand still, counted from its start."""

    def __init__(self, name: str, **fate: float | None) -> None:
        super().__init__(name)
        self.gates = 0
        self.dies_at, self.stands_at, self.seconds = fate.get("dies_at"), fate.get("stands_at"), fate.get("seconds")
        self.fills_at, self.full_seconds = fate.get("fills_at"), fate.get("full_seconds")
        self.puts_back_at, self.back_seconds = fate.get("puts_back_at"), fate.get("back_seconds")


class Machine:
    """What all processes of a history share beside the ports: the time of day, and the pause that a site asked for."""

    def __init__(self, skew_seconds: float) -> None:
        self.skew_seconds = skew_seconds
        self.put_back_seconds = 0.0
        """By how much somebody has put the clock back, in all."""
        self.pauses: dict[str, float] = {}
        """Until when, in simulated seconds, nobody may ask a company: as the product's processes tell each other."""
        self.not_before: dict[str, float] = {}
        """Until when nobody may send to a site: as its answers said, read by nobody but the invariants."""

    def put_back(self, seconds: float) -> None:
        """Set the clock back."""
        self.skew_seconds -= seconds
        self.put_back_seconds += seconds


class Gate:
    """One process's way to the world."""

    def __init__(
        self, scheduler: Scheduler, weather: Weather, process: Victim, rng: random.Random, machine: Machine
    ) -> None:
        self.scheduler, self.weather, self.process, self.random = scheduler, weather, process, rng
        self.machine = machine

    def call(self, name: str, function: Callable[[], Result]) -> Result:
        """Return what the port gives, unless something goes wrong before or after."""
        if self.scheduler.in_timer:
            return function()
        self.step()
        fault = self.weather.draw(name, now=self.scheduler.now)
        if fault is not None and fault[0] is Moment.BEFORE:
            raise fault[1]
        result = function()
        if fault is not None:
            raise fault[1]
        self.step()
        return result

    def step(self) -> None:
        """Die or stand still if it is time, else let others go first, now and then."""
        process = self.process
        if process.is_dead:
            raise Crashed
        process.gates += 1
        if process.gates == process.dies_at:
            self.weather.struck["crash"] += 1
            self.scheduler.kill(process)
            raise Crashed
        if process.gates == process.stands_at:
            self.weather.struck["stands still"] += 1
            self.scheduler.stand_still(process, process.seconds or 0.0)
        if process.gates == process.fills_at:
            self.weather.full_until = self.scheduler.now + (process.full_seconds or 0.0)
        if process.gates == process.puts_back_at:
            self.weather.struck["clock put back"] += 1
            self.machine.put_back(process.back_seconds or 0.0)
        self.scheduler.now += 0.001
        self.scheduler.pause()


class Gated:
    """A port behind a gate."""

    def __init__(self, target: object, gate: Gate, name: str) -> None:
        self._target, self._gate, self._name = target, gate, name

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - whatever the port's method is
        found, gate, name = getattr(self._target, method), self._gate, f"{self._name}.{method}"
        return lambda *args, **kwargs: gate.call(name, lambda: found(*args, **kwargs))


class SimulatedClock:
    """The process's own clocks; the time of day may differ from the source's, and somebody may put it back."""

    def __init__(self, scheduler: Scheduler, machine: Machine) -> None:
        self._scheduler = scheduler
        self._time_of_day = SystemClock(lambda: BEGIN + timedelta(seconds=scheduler.now + machine.skew_seconds))

    def now(self) -> datetime:
        return self._time_of_day.now()

    def monotonic(self) -> float:
        return self._scheduler.now

    def sleep(self, seconds: float) -> None:
        self._scheduler.sleep(seconds)


class _TurnCondition(threading.Condition):
    """A condition whose waiting is simulated. Nobody is woken: nobody is asleep for long."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler

    def wait(self, timeout: float | None = None) -> bool:
        self._scheduler.sleep(0.05 if timeout is None else min(timeout, 0.05))
        return True

    def notify(self, n: int = 1) -> None:
        """Nothing to do."""


class TurnBudget(AdaptiveBudget):
    """The local budget, waiting in simulated time; a lock that is held would keep the others from their turn."""

    def __init__(
        self, max_concurrency: int, *, clock: SimulatedClock, scheduler: Scheduler, pause: SimulatedPause
    ) -> None:
        super().__init__(max_concurrency, clock=clock, pause=pause)
        self._lock = contextlib.nullcontext()  # type: ignore[assignment]
        self._scheduler = scheduler

    def _place(self) -> threading.Condition:
        return _TurnCondition(self._scheduler)


class SimulatedPause:
    """One company's pause, shared by all processes."""

    def __init__(self, scheduler: Scheduler, machine: Machine, company: str) -> None:
        self._scheduler, self._pauses, self._company = scheduler, machine.pauses, company

    def left_seconds(self) -> float:
        return self._pauses.get(self._company, 0.0) - self._scheduler.now

    def extend(self, seconds: float) -> None:
        until = self._scheduler.now + seconds
        self._pauses[self._company] = max(self._pauses.get(self._company, 0.0), until)


class TurnExecutor:
    """Runs items as tasks of the process, at most `limit` at a time, in the order in which turns are drawn."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def map(self, function: Callable[[Item], Result], items: Sequence[Item], *, limit: int) -> list[Result]:
        if min(limit, len(items)) <= 1:
            return [function(item) for item in items]
        results: dict[int, Result] = {}
        errors: dict[int, BaseException] = {}
        pending = list(reversed(list(enumerate(items))))

        def work() -> None:
            while pending and not errors:
                index, item = pending.pop()
                try:
                    results[index] = function(item)
                except BaseException as error:
                    errors[index] = error
                    if isinstance(error, Crashed):
                        raise

        scheduler = self._gate.scheduler
        tasks: list[Task] = [scheduler.spawn(self._gate.process, work) for _ in range(min(limit, len(items)))]
        scheduler.join(tasks)
        if errors:
            raise errors[min(errors)]
        return [results[index] for index in range(len(items))]

    @property
    def has_room(self) -> bool:
        """Always: nothing waits here."""
        return True

    def computing(self, waiting_bytes: int = 0) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002 - as many as come
        return contextlib.nullcontext()

    def wait_for_room(self) -> None:
        """Memory is not what is tried here."""

    def prepare(self, function: Callable[..., object]) -> None:
        """Nothing is to be got ready."""

    def parse(self, function: Callable[[bytes, Item], Result], body: bytes, item: Item) -> Result:
        return function(body, item)

    def map_parsing(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return map(function, items)


class SimulatedLiveness:
    """Knows which processes are dead, if they are of the same machine."""

    def __init__(self, gate: Gate, processes: dict[str, Victim], *, ttl_seconds: float, is_same_machine: bool) -> None:
        self._gate, self._processes, self._ttl = gate, processes, ttl_seconds
        self._is_same_machine = is_same_machine

    def holder(self, job_id: str) -> Holder:
        return Holder(job_id=job_id, host="simulated", process=self._gate.process.name)

    def is_gone(self, holder: Holder) -> bool:
        known = self._processes.get(holder.process)
        return self._is_same_machine and known is not None and known.is_dead

    @contextlib.contextmanager
    def keeping(self, lease: Lease, renew: Callable[[Lease], Lease]) -> Iterator[None]:
        held, is_kept = lease, True

        def beat() -> None:
            nonlocal held
            if not is_kept:
                return
            try:
                if not self._gate.weather.misses_renewal():
                    held = renew(held)
            except LeaseLost:
                return
            except StorageError:
                pass
            self._gate.scheduler.at(self._ttl / 4, beat, self._gate.process)

        self._gate.scheduler.at(self._ttl / 4, beat, self._gate.process)
        try:
            yield
        finally:
            is_kept = False


class SiteTransport:
    """The simulator behind a network that loses, delays and repeats."""

    def __init__(self, site: Site, gate: Gate, pages: dict[str, bytes]) -> None:
        self._site, self._gate, self._pages = site, gate, pages

    def send(self, request: HttpRequest) -> HttpResponse:
        gate, parts = self._gate, urlsplit(request.url)
        scheduler, where = gate.scheduler, f"{parts.netloc}{parts.path}"
        sent_at = scheduler.now
        if sent_at < gate.machine.not_before.get(parts.netloc, 0.0) - 1e-6:
            scheduler.findings.append(f"{gate.process.name} sent at {sent_at:.3f} s, before the Retry-After was up")
        gate.step()
        if gate.weather.draw_transport("connection refused"):
            raise TransientSourceError(f"{where}: nothing accepts the connection")
        scheduler.sleep(gate.random.random() * 0.2)
        response = self._answered(request)
        scheduler.sleep(gate.random.random() * 0.3)
        if gate.weather.draw_transport("connection reset", "no answer in time"):
            raise TransientSourceError(f"{where}: the answer broke off")
        if response is None:
            raise TransientSourceError(f"{where}: the answer broke off (IncompleteRead)")
        gate.step()
        if response.status == _THROTTLED:
            wish = scheduler.now + _wish_seconds(response)
            told = gate.machine.not_before
            told[parts.netloc] = max(told.get(parts.netloc, 0.0), wish)
        elapsed = scheduler.now - sent_at
        return HttpResponse(
            status=response.status, headers=response.headers, body=response.body, elapsed_seconds=elapsed
        )

    def _answered(self, request: HttpRequest) -> HttpResponse | None:
        parts = urlsplit(request.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {name.lower(): value for name, value in request.headers.items()} | {"host": parts.netloc}
        answered = respond(self._site, Request(method=request.method, target=target, headers=headers, scheme="https"))
        if answered.sent_bytes is not None:
            return None
        body = answered.body
        if answered.status == 200 and body.startswith(b"[{"):
            body = self._repeated(parts.path, parts.query, body)
        named = {name.lower(): value for name, value in answered.headers}
        named["date"] = self._site.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return HttpResponse(status=answered.status, headers=named, body=body)

    def _repeated(self, path: str, query: str, body: bytes) -> bytes:
        """Return the page before of the same walk, now and then."""
        pairs = parse_qsl(query)
        walk = path + str([pair for pair in pairs if pair[0] != "pageId"])
        before, self._pages[walk] = self._pages.get(walk, b""), body
        after = dict(pairs).get("pageId", "none").encode()
        # A walk may begin in the middle, where an earlier one was left; that one's later pages would be another lie: a
        # stale replica, which nobody can tell from the source.
        is_before = b'{"id":' + after + b"," in before or b'{"id":' + after + b"}" in before
        return before if is_before and self._gate.weather.draw_transport("page repeated") else body


def _wish_seconds(response: HttpResponse) -> float:
    """Return what Retry-After asks for: read here on purpose without the connector's own reading."""
    text = response.headers["retry-after"]
    if text.isdigit():
        return float(text)
    return (parsedate_to_datetime(text) - parsedate_to_datetime(response.headers["date"])).total_seconds()
