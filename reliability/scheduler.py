"""Runs the threads of several simulated processes one at a time, in an order and at a speed drawn from a seed.

A task gives up its turn only inside the scheduler (at a gate around a port, in a sleep, waiting for others), so that a
seed gives the same interleaving every time, whatever the machine does. Time is simulated: it moves on when everybody
waits, and a little at each gate.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_SWITCH: Final = 0.3
"""How often a task that could go on lets another one go first."""


_LONGEST_SECONDS: Final = 10 * 86_400.0
"""A history that takes longer goes round in circles."""


class Crashed(BaseException):
    """The process died: nothing below may catch it, and nothing of the process goes on."""


class HistoryStuck(Exception):  # noqa: N818 - a finding
    """Nobody can go on and nothing will happen that could change it."""


class Process:
    """One simulated operating-system process: it dies, or stands still, as a whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.stands_still_until = 0.0


class Task:
    """One thread of a process."""

    def __init__(self, process: Process, function: Callable[[], object]) -> None:
        self.process = process
        self.is_done = False
        self.error: BaseException | None = None
        self.waiters: list[Task] = []
        self._function = function
        self.turn = threading.Lock()
        self.turn.acquire()

    def run(self) -> None:
        """Do the work; what it raises is kept for whoever waits for it."""
        try:
            self._function()
        except BaseException as error:
            self.error = error


_Event = tuple[float, int, "Task | Callable[[], None]", Process]


class Scheduler:
    """Gives turns; `now` is in simulated seconds since the history began."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._ready: list[Task] = []
        self._events: list[_Event] = []
        self._numbers = itertools.count()
        self._controller = threading.Lock()
        self._controller.acquire()
        self._current: Task | None = None
        self._alive = 0
        self.now = 0.0
        self.switches = 0
        self.in_timer = False
        self.findings: list[str] = []
        """What must never happen and did."""

    @property
    def current(self) -> Task:
        """The task whose turn it is."""
        if self._current is None:
            raise HistoryStuck("no task is running")
        return self._current

    def spawn(self, process: Process, function: Callable[[], object]) -> Task:
        """Begin a task; it gets its first turn when the scheduler draws it."""
        task = Task(process, function)
        self._alive += 1
        threading.Thread(target=self._main, args=(task,), daemon=True).start()
        self._ready.append(task)
        return task

    def run(self) -> None:
        """Give turns until every task has ended. Raises HistoryStuck when tasks wait for what never happens."""
        following = self._draw()
        if following is not None:
            self._give(following)
            self._controller.acquire()
        if self._alive:
            raise HistoryStuck(f"tasks wait for what never happens, at {self.now:.0f} s")

    def pause(self) -> None:
        """Let somebody else go first, now and then."""
        if self.in_timer:
            return
        if self._ready and self._random.random() < _SWITCH:
            self._yield(self.current, is_ready=True)
        self._check()

    def sleep(self, seconds: float) -> None:
        """Return after simulated `seconds`."""
        if self.in_timer:
            return
        me, at = self.current, self.now + max(seconds, 0.0)
        if not self._ready and (not self._events or self._events[0][0] > at):
            self.now = at
        else:
            self._push(at, me, me.process)
            self._yield(me, is_ready=False)
        self._check()

    def at(self, seconds: float, action: Callable[[], None], process: Process) -> None:
        """Have `action` done after `seconds`, unless the process is dead by then; later if it stands still."""
        self._push(self.now + seconds, action, process)

    def join(self, tasks: Sequence[Task]) -> None:
        """Return when all the tasks have ended."""
        for task in tasks:
            while not task.is_done:
                task.waiters.append(self.current)
                self._yield(self.current, is_ready=False)
                self._check()

    def stand_still(self, process: Process, seconds: float) -> None:
        """Let nothing of the process go on for `seconds`, as when a machine is suspended."""
        process.stands_still_until = self.now + seconds
        held = [task for task in self._ready if task.process is process]
        self._ready = [task for task in self._ready if task.process is not process]
        for task in held:
            self._push(process.stands_still_until, task, process)
        if self.current.process is process:
            self.sleep(seconds)

    def kill(self, process: Process) -> None:
        """End the process; its tasks find out at their next turn, and unwind without touching anything."""
        process.is_dead = True

    def _check(self) -> None:
        if self.current.process.is_dead:
            raise Crashed

    def _main(self, task: Task) -> None:
        task.turn.acquire()
        if not task.process.is_dead:
            task.run()
        task.is_done = True
        self._alive -= 1
        for waiter in task.waiters:
            self._wake(waiter)
        following = self._draw()
        if following is None:
            self._controller.release()
        else:
            self._give(following)

    def _yield(self, me: Task, *, is_ready: bool) -> None:
        if is_ready:
            self._ready.append(me)
        following = self._draw()
        if following is None:
            self._controller.release()
            me.turn.acquire()  # for ever: the controller reports
        elif following is not me:
            self._give(following)
            me.turn.acquire()
        self._current = me

    def _give(self, task: Task) -> None:
        self.switches += 1
        self._current = task
        task.turn.release()

    def _draw(self) -> Task | None:
        while self._events and (not self._ready or self._events[0][0] <= self.now):
            if self.now > _LONGEST_SECONDS:
                return None
            self._advance()
        if not self._ready:
            return None
        index = int(self._random.random() * len(self._ready))
        self._ready[index], self._ready[-1] = self._ready[-1], self._ready[index]
        return self._ready.pop()

    def _advance(self) -> None:
        at, _, what, process = heapq.heappop(self._events)
        self.now = max(self.now, at)
        if isinstance(what, Task):
            self._wake(what)
        elif not process.is_dead:
            if process.stands_still_until > self.now:
                self._push(process.stands_still_until, what, process)
                return
            self.in_timer = True
            try:
                what()
            finally:
                self.in_timer = False

    def _wake(self, task: Task) -> None:
        if task.process.stands_still_until > self.now and not task.process.is_dead:
            self._push(task.process.stands_still_until, task, task.process)
            return
        self._ready.append(task)

    def _push(self, at: float, what: Task | Callable[[], None], process: Process) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), what, process))
