"""Which records of a table a request asks for, in which order; ids and times alone are answered without decoding.

A reader walks with `id > last` and asks for `lastUpdated > since`: both are answered from two arrays of numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avesa.simulator import predicates
from avesa.simulator.conditions import And, Compare, Expression, In, Or, parse, unparse
from avesa.simulator.wire import EPOCH, ApiError, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from avesa.simulator.schema import Schema
    from avesa.simulator.table import Snapshot

_LOWEST, _HIGHEST = -(1 << 62), 1 << 62
_UPDATED = ("_info", "lastUpdated")
# For each operator on ids, the bounds that it sets.
_BOUNDS: dict[str, Callable[[int], tuple[int, int]]] = {
    "=": lambda value: (value, value),
    "<": lambda value: (_LOWEST, value - 1),
    "<=": lambda value: (_LOWEST, value),
    ">": lambda value: (value + 1, _HIGHEST),
    ">=": lambda value: (value, _HIGHEST),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a request asks for: ids in [low, high] that pass the rest; `key` names the rest among filters of a table."""

    low: int = _LOWEST
    high: int = _HIGHEST
    key: str = ""
    matches: Callable[[Any], bool] | None = None  # of the decoded record; None: everything matches
    stamp_matches: Callable[[int], bool] | None = None  # of lastUpdated's seconds, when nothing else is asked

    def after(self, record_id: int) -> Filter:
        """Return the filter for ids greater than this one, which is what forward-only paging adds."""
        return Filter(
            low=max(self.low, record_id + 1),
            high=self.high,
            key=self.key,
            matches=self.matches,
            stamp_matches=self.stamp_matches,
        )


def filter_of(schema: Schema, conditions: str | None, child: str | None = None, custom: str | None = None) -> Filter:
    """Return the filter of the three kinds of conditions together; raise ApiError for what the API refuses."""
    low, high = _LOWEST, _HIGHEST
    rest: list[Expression] = []
    for part in _conjuncts(parse(conditions)) if conditions and conditions.strip() else []:
        bounds = _id_bounds(part, schema)
        if bounds is None:
            rest.append(part)
        else:
            low, high = max(low, bounds[0]), min(high, bounds[1])
    tests: list[Callable[[Any], bool]] = []
    keys = []
    if rest:
        tree = rest[0] if len(rest) == 1 else And(tuple(rest))
        tests.append(predicates.predicate(tree, schema))
        keys.append(unparse(tree))
    stamp_matches = _stamp_test(rest, schema) if rest else None
    for text, compiled in ((child, lambda tree: predicates.child_predicate(tree, schema)), (custom, _custom)):
        if text and text.strip():
            tests.append(compiled(parse(text)))
            keys.append(f"{len(keys)}:{text}")
            stamp_matches = None
    if not tests:
        return Filter(low=low, high=high)
    matches = tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)
    return Filter(low=low, high=high, key="\n".join(keys), matches=matches, stamp_matches=stamp_matches)


def _custom(tree: Expression) -> Callable[[Any], bool]:
    return predicates.custom_field_predicate(tree)


def _conjuncts(tree: Expression) -> list[Expression]:
    if isinstance(tree, And):
        return [inner for part in tree.parts for inner in _conjuncts(part)]
    return [tree]


def _id_bounds(part: Expression, schema: Schema) -> tuple[int, int] | None:
    """Return the bounds that a comparison of the id with a whole number sets, or None for anything else."""
    if not isinstance(part, Compare) or part.operator not in _BOUNDS:
        return None
    is_whole = isinstance(part.value, int) and not isinstance(part.value, bool)
    known = schema.resolve(part.path)
    if not is_whole or known is None or known.path != ("id",):
        return None
    return _BOUNDS[part.operator](part.value)  # type: ignore[arg-type] # is_whole has shown that it is an int


def _stamp_test(parts: list[Expression], schema: Schema) -> Callable[[int], bool] | None:
    """Return the same test on lastUpdated's seconds, or None when the parts ask for anything else."""
    tests = []
    for part in parts:
        test = _stamp_leaf(part, schema)
        if test is None:
            return None
        tests.append(test)
    return tests[0] if len(tests) == 1 else lambda stamp: all(test(stamp) for test in tests)


def _stamp_leaf(part: Expression, schema: Schema) -> Callable[[int], bool] | None:
    if isinstance(part, And | Or):
        inner = [_stamp_leaf(child, schema) for child in part.parts]
        tests = [test for test in inner if test is not None]
        if len(tests) < len(inner):
            return None
        combine = all if isinstance(part, And) else any
        return lambda stamp: combine(test(stamp) for test in tests)
    known = schema.resolve(part.path)
    is_plain = isinstance(part, Compare) and part.operator in predicates.ORDER and part.value is not None
    if isinstance(part, In) or not is_plain or known is None or known.path != _UPDATED:
        return None
    bound = _seconds(predicates.expected_value(part.value, known))
    compare = predicates.ORDER[part.operator]
    return lambda stamp: compare(stamp, bound)


def _seconds(moment: datetime) -> float:
    return (moment - EPOCH).total_seconds()


def positions(snapshot: Snapshot, wanted: Filter) -> Sequence[int]:
    """Return where the wanted records lie, in ascending order of id."""
    within = snapshot.between(wanted.low, wanted.high)
    if wanted.matches is None:
        return within
    found = snapshot.remembered(wanted.key)
    if found is None:
        found = snapshot.remember(wanted.key, _matching(snapshot, wanted))
    return found[bisect_left(found, within.start) : bisect_left(found, within.stop)]


def _matching(snapshot: Snapshot, wanted: Filter) -> list[int]:
    matches, stamp_matches = wanted.matches, wanted.stamp_matches
    if matches is None:
        return list(range(len(snapshot)))
    if stamp_matches is None:
        return [at for at, body in enumerate(snapshot.bodies) if matches(_decoded(body))]
    found = [at for at, stamp in enumerate(snapshot.stamps) if stamp_matches(stamp)]
    if not snapshot.odd:
        return found
    # A time that is written oddly may have fractions that the array does not hold: these few are decoded.
    plain = [at for at in found if snapshot.ids[at] not in snapshot.odd]
    odd = [
        at for at in map(snapshot.position, snapshot.odd) if at is not None and matches(_decoded(snapshot.bodies[at]))
    ]
    return sorted([*plain, *odd])


def _decoded(body: bytes) -> Any:  # noqa: ANN401 - JSON at the wire
    try:
        return decode(body)
    except ValueError:  # a text that is no record, put there by a test, matches nothing
        return None


def ordered(snapshot: Snapshot, found: Sequence[int], order_by: str | None, schema: Schema) -> Sequence[int]:
    """Return the positions in the order asked for; ties keep ascending ids, nulls come first as in the database."""
    terms = _order_terms(order_by, schema)
    if not terms or terms[0] == (("id",), False):
        return found
    if terms[0] == (("id",), True):
        return found[::-1]
    result = list(found)
    for path, is_descending in reversed(terms):
        if path == _UPDATED:
            result.sort(key=snapshot.stamps.__getitem__, reverse=is_descending)
        else:
            keys = {at: _sort_key(predicates.value_at(_decoded(snapshot.bodies[at]), path)) for at in result}
            result.sort(key=keys.__getitem__, reverse=is_descending)
    return result


def _order_terms(order_by: str | None, schema: Schema) -> list[tuple[tuple[str, ...], bool]]:
    terms = []
    for term in (order_by or "").split(","):
        words = term.split()
        if not words:
            continue
        direction = words[1].lower() if len(words) > 1 else "asc"
        if direction not in {"asc", "desc"} or len(words) > len(("field", "direction")):
            raise ApiError(400, "ApiFindCondition", f"'{term.strip()}' is not a valid order.")
        terms.append((predicates.resolved(tuple(words[0].split("/")), schema).path, direction == "desc"))
    return terms


def _sort_key(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON at the wire
    if value is None:
        return (0, 0)
    if isinstance(value, int | float):
        return (1, value)
    return (2, value.lower()) if isinstance(value, str) else (3, repr(value))
