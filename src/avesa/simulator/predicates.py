"""What conditions mean: a tree and a table become a function that tells whether a record matches.

Text is compared without case, as the database behind the API is commonly set up. A comparison with an absent value is
never true, `not` included; only `= null` and `!= null` see absence. `like` knows `%` and `*` and SQL's `[x]`.
"""

from __future__ import annotations

import operator
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from avesa.simulator.conditions import And, Compare, Expression, In, Or, refused
from avesa.simulator.schema import Kind, Known, Schema
from avesa.simulator.wire import ApiError, parse_moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.simulator.conditions import Value

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTUAL = {Kind.TEXT, Kind.CHOICE, Kind.GUID}


def predicate(tree: Expression, schema: Schema) -> Callable[[Any], bool]:
    """Return the test of a record for `conditions`; raise ApiError for an unknown name or a value of a wrong kind."""
    return _compile(tree, lambda leaf: _field_test(leaf, schema))


def child_predicate(tree: Expression, schema: Schema) -> Callable[[Any], bool]:
    """Return the test of a record for `childConditions`: one element of the named list must meet all of it."""
    lists = {leaf.path[0].lower() for leaf in leaves(tree)}
    for name in lists:
        if name not in schema.fields or schema.fields[name].kind is not Kind.LIST:
            raise refused(f"{name} is not a recognized name.")
    if len(lists) == 1:
        wire_name = schema.fields[lists.pop()].name
        matches = _compile(tree, lambda leaf: _free_test(leaf, leaf.path[1:]))
        return lambda record: any(matches(element) for element in _elements(record, wire_name))
    # Parts over several lists cannot speak of one element: each part looks for its own.
    return _compile(tree, lambda leaf: _any_element(leaf, schema.fields[leaf.path[0].lower()].name))


def custom_field_predicate(tree: Expression) -> Callable[[Any], bool]:
    """Return the test of a record for `customFieldConditions`: one custom field must meet all of it."""
    matches = _compile(tree, lambda leaf: _free_test(leaf, leaf.path))
    return lambda record: any(matches(element) for element in _elements(record, "customFields"))


def leaves(tree: Expression) -> list[Compare | In]:
    """Return the comparisons of a tree, from left to right."""
    if isinstance(tree, And | Or):
        return [leaf for part in tree.parts for leaf in leaves(part)]
    return [tree]


def _compile(tree: Expression, test: Callable[[Compare | In], Callable[[Any], bool]]) -> Callable[[Any], bool]:
    match tree:
        case And(parts):
            tests = [_compile(part, test) for part in parts]
            return lambda record: all(matches(record) for matches in tests)
        case Or(parts):
            tests = [_compile(part, test) for part in parts]
            return lambda record: any(matches(record) for matches in tests)
        case _:
            return test(tree)


def value_at(record: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON at the wire
    """Return the value under the path, or None when any part is absent."""
    for part in path:
        if not isinstance(record, dict):
            return None
        record = record.get(part)
    return record


def resolved(path: tuple[str, ...], schema: Schema) -> Known:
    """Return the field that the name means, or raise the API's refusal of an unknown name."""
    known = schema.resolve(path)
    if known is None:
        raise refused(f"{'/'.join(path)} is not a recognized name.")
    return known


def _field_test(leaf: Compare | In, schema: Schema) -> Callable[[Any], bool]:
    known = resolved(leaf.path, schema)
    test = value_test(leaf, known)
    path = known.path
    return lambda record: test(value_at(record, path))


def value_test(leaf: Compare | In, known: Known) -> Callable[[Any], bool]:
    """Return the test of the field's own value."""
    if known.kind in {Kind.REFERENCE, Kind.LIST, Kind.MAP} and not _asks_for_absence(leaf):
        raise refused(f"{'/'.join(leaf.path)} is not a recognized name.")
    if isinstance(leaf, In):
        return _in_test(leaf, known)
    if leaf.value is None:
        return _absence_test(leaf)
    expected = expected_value(leaf.value, known)
    if leaf.operator in ORDER:
        compare = ORDER[leaf.operator]
        return _guarded(lambda actual: compare(_actual(actual, known.kind), expected))
    return _pattern_test(leaf.operator, str(leaf.value))


def _asks_for_absence(leaf: Compare | In) -> bool:
    return isinstance(leaf, Compare) and leaf.value is None


def _absence_test(leaf: Compare) -> Callable[[Any], bool]:
    match leaf.operator:
        case "=":
            return lambda actual: actual is None
        case "!=":
            return lambda actual: actual is not None
        case _:
            return lambda _: False


def _in_test(leaf: In, known: Known) -> Callable[[Any], bool]:
    wanted = {expected_value(value, known) for value in leaf.values if value is not None}
    is_negated = leaf.is_negated
    return _guarded(lambda actual: (_actual(actual, known.kind) in wanted) is not is_negated)


def _pattern_test(name: str, text: str) -> Callable[[Any], bool]:
    is_negated = name.startswith("not ")
    if name.endswith("contains"):
        needle = text.lower()
        return _guarded(lambda actual: (needle in _as_text(actual)) is not is_negated)
    pattern = like_pattern(text)
    return _guarded(lambda actual: (pattern.fullmatch(_as_text(actual)) is not None) is not is_negated)


def like_pattern(text: str) -> re.Pattern[str]:
    """Return the expression for a LIKE text: `%` and `*` stand for any text, `[x]` for one of its characters."""
    pieces = re.findall(r"\[\^?.[^\]]*\]|[%*]|.", text.lower(), re.DOTALL)
    return re.compile("".join(_like_piece(piece) for piece in pieces), re.DOTALL)


def _like_piece(piece: str) -> str:
    if piece in {"%", "*"}:
        return ".*"
    if len(piece) > 1:
        inner, mark = (piece[2:-1], "^") if piece[1] == "^" and len(piece) > len("[^]") else (piece[1:-1], "")
        return f"[{mark}{re.escape(inner)}]"
    return re.escape(piece)


def _guarded(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return the test, false for absent values and for those of a type that cannot be compared."""

    def guarded(actual: Any) -> bool:  # noqa: ANN401 - JSON at the wire
        if actual is None:
            return False
        try:
            return test(actual)
        except (TypeError, ValueError):
            return False

    return guarded


def _as_text(actual: Any) -> str:  # noqa: ANN401 - JSON at the wire
    if isinstance(actual, dict | list):
        raise TypeError
    return str(actual).lower()


def _actual(actual: Any, kind: Kind) -> Any:  # noqa: ANN401 - JSON at the wire
    """Return a record's value as its kind is compared; raise TypeError or ValueError when it is of another."""
    if kind is Kind.MOMENT:
        moment = parse_moment(actual) if isinstance(actual, str) else None
        if moment is None:
            raise ValueError
        return moment
    if kind in _TEXTUAL:
        return _as_text(actual)
    is_flag = isinstance(actual, bool)
    if not isinstance(actual, int | float) or is_flag is not (kind is Kind.FLAG):
        raise TypeError
    return actual


def expected_value(value: Value, known: Known) -> Any:  # noqa: ANN401 - compared with JSON
    """Return a condition's value as its field is compared; raise the API's refusal of a value of a wrong kind."""
    match known.kind:
        case Kind.MOMENT:
            moment = parse_moment(value) if isinstance(value, str) else value
            if not isinstance(moment, datetime):
                raise refused(f"'{value}' is not a valid date.")
            return moment
        case Kind.FLAG:
            return _flag(value)
        case Kind.INTEGER | Kind.NUMBER:
            return _number(value)
        case Kind.CHOICE if str(value).lower() not in {choice.lower() for choice in known.choices}:
            raise refused("Enum value supplied was invalid")
        case _:
            return str(value).lower()


def _flag(value: Value) -> bool:
    text = str(value).lower()
    if text not in {"true", "false"}:
        raise ApiError(500, "ConnectWiseApi", "String was not recognized as a valid Boolean.")
    return text == "true"


def _number(value: Value) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return float(str(value))
    except ValueError as error:
        raise refused(f"'{value}' is not a valid number.") from error


def _elements(record: Any, name: str) -> list[Any]:  # noqa: ANN401 - JSON at the wire
    found = value_at(record, (name,))
    return found if isinstance(found, list) else []


def _any_element(leaf: Compare | In, name: str) -> Callable[[Any], bool]:
    matches = _free_test(leaf, leaf.path[1:])
    return lambda record: any(matches(element) for element in _elements(record, name))


def _free_test(leaf: Compare | In, path: tuple[str, ...]) -> Callable[[Any], bool]:
    """Return the test of a list's element, whose fields no schema lists: the literal tells the kind."""
    values = leaf.values if isinstance(leaf, In) else (leaf.value,)
    kind = _kind_of(next((value for value in values if value is not None), None))
    test = value_test(leaf, Known(path, kind))
    lowered = tuple(part.lower() for part in path)
    return lambda element: test(_value_without_case(element, lowered))


def _kind_of(value: Value) -> Kind:
    if isinstance(value, bool):
        return Kind.FLAG
    if isinstance(value, int | float):
        return Kind.NUMBER
    return Kind.MOMENT if isinstance(value, datetime) else Kind.TEXT


def _value_without_case(element: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON at the wire
    for part in path:
        if not isinstance(element, dict):
            return None
        element = next((value for key, value in element.items() if key.lower() == part), None)
    return element
