"""How work is spread and how it is watched: executors, holders' liveness, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from avesa.domain.model import Holder, Lease

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Runs functions over items, some at a time. Order of results is order of items; the first exception is raised
    after everything that had begun has ended.
    """

    def map(self, function: Callable[[Item], Result], items: Sequence[Item], *, limit: int) -> list[Result]:
        """Run work that waits (network), at most `limit` at a time."""

    def computing(self, waiting_bytes: int = 0) -> AbstractContextManager[None]:
        """Wait, holding so many bytes, for one of as many places as the machine has cores."""

    @property
    def has_room(self) -> bool:
        """Whether what waits for a place is little enough that more may be asked for: what is held is bounded."""

    def wait_for_room(self) -> None:
        """Return when there is room."""

    def prepare(self, function: Callable[..., object]) -> None:
        """Get ready for `map_parsing` of the function, which is to come; returns at once."""

    def parse(self, function: Callable[[bytes, Item], Result], body: bytes, item: Item) -> Result:
        """Return function(body, item), worked out where there is a core for it; all three can be pickled.

        Called within `computing`.
        """

    def map_parsing(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Run work that computes, as many at a time as the machine has cores; function and items can be pickled."""


class Liveness(Protocol):
    """Tells whether the holder of a lease still runs."""

    def holder(self, job_id: str) -> Holder:
        """Return this process as a holder of leases for `job_id`, and keep it known as alive until the process ends."""

    def is_gone(self, holder: Holder) -> bool:
        """True only when it is certain that the holder has ended."""

    def keeping(self, lease: Lease, renew: Callable[[Lease], Lease]) -> AbstractContextManager[None]:
        """Renew the lease in time for as long as the context lasts; stops quietly when the lease is lost."""


class EventSink(Protocol):
    """Receives what happens, as an event name and fields; never a secret, never a sentence."""

    def emit(self, event: str, **fields: object) -> None:
        """Take one event; must not raise and must not block for long."""
