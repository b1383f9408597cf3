"""How one JSON value becomes the value of a column: the rules of coercion, exact and in one place.

Both ways of reading a record (avesa.canonical.projection) use these, and a value that does not fit never costs more
than itself: the column is null and flagged, the record loads.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from avesa.canonical.mapping import ColumnType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value: TypeAlias = str | int | float | bool | datetime | None
"""What a column can hold; datetimes are aware and UTC."""

Reading: TypeAlias = tuple[Value, bool]
"""A column's value, and whether the JSON value fitted: False counts the record as coerced."""

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

_UNFIT: Reading = (None, False)

# ASCII only: \d, float() and int() would otherwise take digits of every script, and int() and float() underscores.
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MOST_DIGITS = 400
"""Longer than any number a column can hold, shorter than any limit Python sets on int(text)."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

WIRE_CHARACTERS: Final = len("2026-11-23T14:50:00Z")
"""Length of the form in which the service writes times."""

_ISO_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:Z|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?)?",
    re.ASCII | re.IGNORECASE,
)


def read_string(value: object) -> Reading:
    """Return text without NUL characters; numbers and booleans as JSON writes them.

    Text that UTF-8 cannot carry (a lone surrogate) keeps the rest and is flagged. Objects and arrays do not fit.
    """
    if isinstance(value, str):
        text = value.replace("\0", "")
        carried = _LONE_SURROGATE.sub("\ufffd", text)
        return carried, carried == text
    if isinstance(value, bool):
        return ("true" if value else "false"), True
    if isinstance(value, int):
        return str(value), True
    if isinstance(value, float) and math.isfinite(value):
        return repr(value), True
    return _UNFIT


def read_int64(value: object) -> Reading:
    """Return a whole number of 64 bits, given as number or as text; 12.0 is one, 12.5 and true are not."""
    number = _number(value) if isinstance(value, str) else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, int) and not isinstance(number, bool) and INT64_MIN <= number <= INT64_MAX:
        return number, True
    return _UNFIT


def read_float64(value: object) -> Reading:
    """Return a finite number, given as number or as text; -0.0 becomes 0.0, so that equal numbers are one content."""
    number = _number(value) if isinstance(value, str) else value
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        try:
            nearest = float(number)
        except OverflowError:
            return _UNFIT
        if math.isfinite(nearest):
            return nearest + 0.0, True
    return _UNFIT


def read_bool(value: object) -> Reading:
    """Return true or false, given as such or as text in any case; 0 and 1 do not fit."""
    if isinstance(value, bool):
        return value, True
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true", True
    return _UNFIT


def read_timestamp(value: object) -> Reading:
    """Return ISO 8601 text as UTC: with Z, an offset or neither (UTC is meant); a date alone is its midnight.

    Digits beyond microseconds are cut off, not rounded: a time never moves past another one.
    """
    if not isinstance(value, str):
        return _UNFIT
    if len(value) == WIRE_CHARACTERS:
        # The form that real payloads have, read four times faster. Within this length msgspec can meet no fraction
        # (it would round it) and no offset; datetime.fromisoformat would do, but takes more forms in newer Pythons.
        try:
            return msgspec.convert(value, datetime), True
        except msgspec.ValidationError:
            return _UNFIT
    match = _ISO_TIMESTAMP.fullmatch(value)
    if match is None:
        return _UNFIT
    try:
        return _utc(*match.groups(default="0")), True
    except (ValueError, OverflowError):  # no such day or second; an offset that leaves the calendar
        return _UNFIT


def _utc(*parts: str) -> datetime:
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = parts
    microsecond = int(fraction[:6].ljust(6, "0"))
    local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), microsecond, tzinfo=UTC)
    offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
    return local + offset if sign == "-" else local - offset


def _number(text: str) -> int | float | None:
    """Return the number that the text would be in JSON; blanks around it do not matter."""
    bare = text.strip()
    if len(bare) <= _MOST_DIGITS and _INTEGER.fullmatch(bare):
        return int(bare)
    return float(bare) if _NUMBER.fullmatch(bare) else None


READERS: Final[Mapping[ColumnType, Callable[[object], Reading]]] = {
    ColumnType.STRING: read_string,
    ColumnType.INT64: read_int64,
    ColumnType.FLOAT64: read_float64,
    ColumnType.BOOL: read_bool,
    ColumnType.TIMESTAMP: read_timestamp,
}
"""The reader of each column type. A reader takes any JSON value but null."""
