"""What a column takes from the elements of an array; both ways of reading a record share these rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from avesa.canonical.values import READERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avesa.canonical.mapping import Column
    from avesa.canonical.values import Reading

Pick: TypeAlias = "Callable[[object], tuple[object, bool]]"
"""Takes a JSON value (or a typed element) to what lies under one path in it, and whether the way there was clear: a
value that is neither object nor null where an object must be is an obstacle, not an absence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementRule:
    """A column's `where`, `value` and `join`, with the paths made into picks."""

    read_value: Callable[[object], Reading]
    conditions: tuple[tuple[Pick, object], ...]
    value: Pick
    join: str | None

    def read(self, array: object) -> Reading:
        """Return the column's value from the array's elements, in their order; null when none is picked.

        Anything but an array does not fit.
        """
        if not isinstance(array, list):
            return None, False
        elements: list[object] = array
        if self.join is None:
            return next((self._read_one(element) for element in self._picked(elements)), (None, True))
        readings = [self._read_one(element) for element in self._picked(elements)]
        texts = [value for value, _ in readings if isinstance(value, str)]
        fits = all(is_fit for _, is_fit in readings)
        return (self.join.join(texts) if texts else None), fits

    def _picked(self, elements: list[object]) -> Iterator[object]:
        return (element for element in elements if all(_holds(element, *condition) for condition in self.conditions))

    def _read_one(self, element: object) -> Reading:
        value, is_clear = self.value(element)
        return (None, is_clear) if value is None else self.read_value(value)


def element_rule(column: Column, *, pick: Callable[[str], Pick]) -> ElementRule:
    """Return the rule of a column that has `each`; `pick` makes a path into the way of following it."""
    return ElementRule(
        read_value=READERS[column.type],
        conditions=tuple((pick(path), wanted) for path, wanted in column.where.items()),
        value=pick(column.value or ""),
        join=column.join,
    )


def _holds(element: object, pick: Pick, wanted: object) -> bool:
    found, _ = pick(element)
    return type(found) is type(wanted) and found == wanted  # in JSON, 1 is not true
