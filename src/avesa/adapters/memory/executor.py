"""Work in the caller's own thread, one item after another: the same order every time."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class InlineExecutor:
    """Begins an item when the one before has ended; the first exception ends the rest before they begin."""

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item], *, limit: int) -> list[_Result]:  # noqa: ARG002 - one at a time is within every limit
        return [function(item) for item in items]

    @property
    def has_room(self) -> bool:
        """Always: nothing waits here."""
        return True

    def computing(self, waiting_bytes: int = 0) -> AbstractContextManager[None]:  # noqa: ARG002 - nothing waits here
        """Wait for nobody: nothing happens side by side here."""
        return nullcontext()

    def wait_for_room(self) -> None:
        """Nothing waits here."""

    def prepare(self, function: Callable[..., object]) -> None:
        """Nothing is to be got ready."""

    def parse(self, function: Callable[[bytes, _Item], _Result], body: bytes, item: _Item) -> _Result:
        """Work it out here."""
        return function(body, item)

    def map_parsing(self, function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Give each result when it is asked for; no item is read ahead."""
        return map(function, items)
