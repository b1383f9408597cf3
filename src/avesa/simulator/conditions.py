"""The language of `conditions`: text to a tree and back.

    expression := term { OR term }        term := factor { AND factor }
    factor     := "(" expression ")" | name operator value | name [NOT] IN "(" value {"," value} ")"
    operator   := = != < <= > >= | [NOT] CONTAINS | [NOT] LIKE
    value      := "text" | 'text' | 12 | -1.5 | true | false | null | [2026-01-31T10:00:00Z]

Words are read in any case; names may have parts, `board/name`. A quote inside text of the same quote is doubled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from avesa.simulator.wire import ApiError, parse_moment

Value = str | int | float | bool | datetime | None

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"]|"")*"|'(?:[^']|'')*')
  | \[(?P<moment>[^\]]*)\]
  | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w/])
  | (?P<word>[A-Za-z_][\w.]*(?:/[A-Za-z_0-9][\w.]*)*)
  | (?P<sign>!=|<>|<=|>=|[=<>(),])
  )""",
    re.VERBOSE,
)
_WORD_OPERATORS = {"contains", "like", "in"}
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "null": None}
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Compare:
    """`name operator value`; operator is one of = != < <= > >= contains like, or the last two negated."""

    path: tuple[str, ...]
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """`name in (…)`, or `not in`."""

    path: tuple[str, ...]
    values: tuple[Value, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class And:
    """All of two parts or more."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two parts or more."""

    parts: tuple[Expression, ...]


Expression = Compare | In | And | Or


def refused(message: str) -> ApiError:
    """Return the API's answer to conditions that it does not understand."""
    return ApiError(400, "ApiFindCondition", message)


def parse(text: str) -> Expression:
    """Return the tree of a conditions text; raise ApiError (400 ApiFindCondition) for what the grammar refuses."""
    parser = _Parser(_tokens(text))
    tree = parser.expression(0)
    if parser.peek() is not None:
        raise refused(f"Unexpected '{parser.peek_text()}' in conditions.")
    return tree


def unparse(tree: Expression, *, is_inner: bool = False) -> str:
    """Return a text that parses to the same tree."""
    match tree:
        case Compare(path, operator, value):
            return f"{'/'.join(path)} {operator} {_literal(value)}"
        case In(path, values, is_negated):
            word = "not in" if is_negated else "in"
            return f"{'/'.join(path)} {word} ({', '.join(_literal(value) for value in values)})"
        case And(parts) | Or(parts):
            joined = (" AND " if isinstance(tree, And) else " OR ").join(unparse(part, is_inner=True) for part in parts)
            return f"({joined})" if is_inner else joined


def _literal(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, datetime):
        return f"[{value.isoformat()}]"
    if isinstance(value, str):
        doubled = value.replace('"', '""')
        return f'"{doubled}"'
    return repr(value)


Token = tuple[str, str]  # kind, text


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise refused(f"Unexpected '{text[position : position + 20].strip()}' in conditions.")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    if not found:
        raise refused("Conditions are empty.")
    return found


class _Parser:
    """Recursive descent over the tokens; one method per rule of the grammar."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def peek_text(self) -> str:
        token = self.peek()
        return token[1] if token else "the end"

    def _take(self) -> Token:
        token = self.peek()
        if token is None:
            raise refused("Conditions end too early.")
        self._next += 1
        return token

    def _at_word(self, *words: str) -> bool:
        token = self.peek()
        return token is not None and token[0] == "word" and token[1].lower() in words

    def _expect(self, sign: str) -> None:
        token = self._take()
        if token != ("sign", sign):
            raise refused(f"Expected '{sign}' but found '{token[1]}' in conditions.")

    def expression(self, depth: int) -> Expression:
        parts = [self._term(depth)]
        while self._at_word("or"):
            self._take()
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _term(self, depth: int) -> Expression:
        parts = [self._factor(depth)]
        while self._at_word("and"):
            self._take()
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _factor(self, depth: int) -> Expression:
        if depth > _MAX_DEPTH:
            raise refused("Conditions are nested too deeply.")
        kind, text = self._take()
        if (kind, text) == ("sign", "("):
            inner = self.expression(depth + 1)
            self._expect(")")
            return inner
        if kind != "word":
            raise refused(f"Expected a field name but found '{text}' in conditions.")
        return self._comparison(tuple(text.split("/")))

    def _comparison(self, path: tuple[str, ...]) -> Expression:
        kind, text = self._take()
        operator = text.lower()
        is_negated = kind == "word" and operator == "not"
        if is_negated:
            kind, text = self._take()
            operator = text.lower()
        if kind == "word" and operator == "in":
            return In(path, self._values(), is_negated)
        if kind == "word" and operator in _WORD_OPERATORS:
            return Compare(path, f"not {operator}" if is_negated else operator, self._value())
        if is_negated or kind != "sign" or operator in "(),":
            raise refused(f"'{text}' is not a recognized operator.")
        return Compare(path, "!=" if operator == "<>" else operator, self._value())

    def _values(self) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value()]
        while self.peek() == ("sign", ","):
            self._take()
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> Value:
        kind, text = self._take()
        if kind == "text":
            return text[1:-1].replace(text[0] * 2, text[0])
        if kind == "number":
            return int(text) if text.lstrip("+-").isdigit() else float(text)
        if kind == "moment":
            moment = parse_moment(text)
            if moment is None:
                raise refused(f"'[{text}]' is not a valid date.")
            return moment
        if kind == "word" and text.lower() in _CONSTANTS:
            return _CONSTANTS[text.lower()]
        raise refused(f"'{text}' is not a valid value; text needs quotes.")
