"""What a step has done of its work, kept between its calls.

A step that may take longer than a call of it may last does its work in units. When its time is up it leaves what the
units came to in the lake, and the next call under the same lease goes on from there. A step that ends within its time
writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from avesa.domain.names import staged_prefix
from avesa.ports.decoding import converted, decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from avesa.application.context import StepContext
    from avesa.application.payloads import TableWork

_Unit = TypeVar("_Unit")
_Done = TypeVar("_Done")


class TimeIsUp(Exception):  # noqa: N818 - no error: the step is to be called again
    """The call has used its time; what was done is kept, and the next call goes on."""


class _Content(msgspec.Struct):
    """What lies in the lake: what the work was cut from, and by name what its units came to, in order."""

    basis: str
    done: dict[str, list[object]]


class Staged:
    """One step's work on one table, under one lease. Not for two calls at once: the later one's writing stays."""

    def __init__(self, context: StepContext, work: TableWork | None, step: str) -> None:
        """`work` is None for a call that may last as long as it takes: it stages nothing."""
        self._context, self._basis = context, ""
        self._done: dict[str, list[object]] = {}
        self._key: str | None = None
        self._is_there = False
        self._deadline = context.clock.monotonic() + context.bounds.step_budget_seconds
        if work is not None:
            task = work.task
            prefix = staged_prefix(task.tenant_id, task.service, task.table_name)
            self._key = f"{prefix}{task.job_id}-f{work.lease.fence}-{step}.json"

    def resume(self, basis: Iterable[object]) -> None:
        """Take up what an earlier call did, if its work was cut from the very same things."""
        self._basis = hashlib.sha256("\n".join(map(str, basis)).encode()).hexdigest()
        self._done, self._is_there = {}, False
        try:
            content = None if self._key is None else self._context.lake.get(self._key)
        except KeyError:
            return
        if content is None:
            return
        self._is_there = True
        try:
            found = decoder(_Content).decode(content)
        except msgspec.DecodeError:
            return  # it is all done again, and written over
        if found.basis == self._basis:
            self._done = found.done

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier call left something."""
        return bool(self._done)

    def each(
        self,
        name: str,
        function: Callable[[_Unit], _Done],
        units: Sequence[_Unit],
        kind: type[_Done],
        spread: Callable[[Callable[[_Unit], _Done], Iterable[_Unit]], Iterator[_Done]] = map,
    ) -> Iterator[_Done]:
        """Yield what each unit comes to, in order; `kind` is its type. Raises TimeIsUp when the time is used before
        the last one, after one unit at least.
        """
        done = self._done.setdefault(name, [])
        yield from [converted(item, kind, str_keys=True) for item in done]
        rest = units[len(done) :]
        results = spread(function, rest)
        try:
            for left, result in zip(range(len(rest) - 1, -1, -1), results, strict=True):
                done.append(msgspec.to_builtins(result))
                yield result
                if left and self._key is not None and self._context.clock.monotonic() >= self._deadline:
                    self._keep()
                    raise TimeIsUp
        finally:
            if isinstance(results, Generator):
                results.close()

    def end(self) -> None:
        """Forget what was kept: the step is done."""
        if self._is_there and self._key is not None:
            self._context.lake.delete([self._key])
            self._is_there = False

    def _keep(self) -> None:
        content = msgspec.json.encode(_Content(self._basis, self._done))
        self._context.lake.put(cast("str", self._key), content, overwrite=True)
        self._is_there = True


def forget_staged(context: StepContext, tenant_id: str, service: str, table_name: str) -> None:
    """Delete what steps of runs that failed left behind; for the holder of the table's lease."""
    left = [info.key for info in context.lake.list(staged_prefix(tenant_id, service, table_name))]
    if left:
        context.lake.delete(left)
