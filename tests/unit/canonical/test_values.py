"""What fits a column, and what becomes null and is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avesa.canonical.mapping import ColumnType
from avesa.canonical.values import (
    READERS,
    read_bool,
    read_float64,
    read_int64,
    read_string,
    read_timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.canonical.values import Reading

UNFIT = (None, False)


def test_every_column_type_has_a_reader() -> None:
    assert set(READERS) == set(ColumnType)


@pytest.mark.parametrize("read", READERS.values())
@pytest.mark.parametrize("value", [{}, {"a": 1}, [], [1]])
def test_objects_and_arrays_fit_no_column(read: Callable[[object], Reading], value: object) -> None:
    assert read(value) == UNFIT


@pytest.mark.parametrize("read", [read_int64, read_float64, read_bool, read_timestamp])
@pytest.mark.parametrize("value", ["", " ", "Aug 5", "\u0661"])
def test_empty_and_strange_text_fit_text_columns_only(read: Callable[[object], Reading], value: str) -> None:
    assert read(value) == UNFIT
    assert read_string(value) == (value, True)


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        ("", ("", True)),
        ("  Ünïcode \u200f\u00a0", ("  Ünïcode \u200f\u00a0", True)),
        ("a\0b\0", ("ab", True)),
        ("a\ud800b", ("a\ufffdb", False)),
        ("\0\udfff", ("\ufffd", False)),
        ("\U0001f600", ("\U0001f600", True)),
        (17, ("17", True)),
        (-3, ("-3", True)),
        (True, ("true", True)),
        (False, ("false", True)),
        (1.0, ("1.0", True)),
        (45.25, ("45.25", True)),
        (1e22, ("1e+22", True)),
        (float("inf"), UNFIT),
    ],
)
def test_text(value: object, reading: Reading) -> None:
    assert read_string(value) == reading


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        (12, (12, True)),
        (12.0, (12, True)),
        (12.5, UNFIT),
        ("12", (12, True)),
        (" -12\n", (-12, True)),
        ("12.0", (12, True)),
        ("1e3", (1000, True)),
        ("12.5", UNFIT),
        ("1_000", UNFIT),
        ("0x1f", UNFIT),
        ("\u0661\u0662", UNFIT),
        (True, UNFIT),
        (2**63 - 1, (2**63 - 1, True)),
        (str(2**63 - 1), (2**63 - 1, True)),
        (2**63, UNFIT),
        (-(2**63), (-(2**63), True)),
        (-(2**63) - 1, UNFIT),
        (float(2**63), UNFIT),
        (float("inf"), UNFIT),
        ("9" * 5000, UNFIT),
    ],
)
def test_whole_numbers(value: object, reading: Reading) -> None:
    assert read_int64(value) == reading
    assert type(read_int64(value)[0]) is type(reading[0])


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        (45.0, (45.0, True)),
        (2, (2.0, True)),
        ("45.00", (45.0, True)),
        (" -.5e-1 ", (-0.05, True)),
        ("7.", (7.0, True)),
        ("", UNFIT),
        ("nan", UNFIT),
        ("inf", UNFIT),
        ("1_0.0", UNFIT),
        ("0x1p3", UNFIT),
        ("1,234.50", UNFIT),
        ("1e999", UNFIT),
        (float("inf"), UNFIT),
        (10**400, UNFIT),
        ("9" * 5000, UNFIT),
        (True, UNFIT),
    ],
)
def test_numbers(value: object, reading: Reading) -> None:
    assert read_float64(value) == reading
    assert type(read_float64(value)[0]) is type(reading[0])


def test_minus_nought_is_nought() -> None:
    assert str(read_float64(-0.0)[0]) == "0.0"
    assert str(read_float64("-0")[0]) == "0.0"


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        (True, (True, True)),
        (False, (False, True)),
        ("true", (True, True)),
        ("FALSE", (False, True)),
        ("yes", UNFIT),
        ("", UNFIT),
        (1, UNFIT),
        (0.0, UNFIT),
    ],
)
def test_flags(value: object, reading: Reading) -> None:
    assert read_bool(value) == reading


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T14:50:01Z", datetime(2026, 11, 23, 14, 50, 1, tzinfo=UTC)),
        ("2026-11-23t14:50:01z", datetime(2026, 11, 23, 14, 50, 1, tzinfo=UTC)),
        ("2026-11-23 14:50:01+02:00", datetime(2026, 11, 23, 12, 50, 1, tzinfo=UTC)),
        ("2026-11-23T14:50:01-0530", datetime(2026, 11, 23, 20, 20, 1, tzinfo=UTC)),
        ("2026-11-23T14:50+02", datetime(2026, 11, 23, 12, 50, tzinfo=UTC)),
        ("2026-11-23T14:50:01", datetime(2026, 11, 23, 14, 50, 1, tzinfo=UTC)),
        ("2026-11-23T14:50", datetime(2026, 11, 23, 14, 50, tzinfo=UTC)),
        ("2026-11-23T14:50:01.5Z", datetime(2026, 11, 23, 14, 50, 1, 500_000, tzinfo=UTC)),
        ("2026-11-23T14:50:01,123456Z", datetime(2026, 11, 23, 14, 50, 1, 123_456, tzinfo=UTC)),
        ("2026-11-23T14:50:01.9999999Z", datetime(2026, 11, 23, 14, 50, 1, 999_999, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("1899-12-30T00:00:00Z", datetime(1899, 12, 30, tzinfo=UTC)),
        ("9999-12-31T23:59:59.9999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    found, fits = read_timestamp(text)

    assert (found, fits) == (moment, True)
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-30T00:00:00Z",
        "2026-02-30",
        "2026-13-01T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T14:50:60Z",
        "2026-11-23T14:61",
        "10000-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "2026-11-23T14:50:01+24:00",
        "2026-11-23T14:50:01+02:75",
        "2026-11-23T14:50:01.Z",
        "2026-W48-1T00:00:00Z",
        "20261123T145001.123Z",
        " 2026-11-23",
        "2026-11-23\n",
        "٢٠٢٦-11-23",
        1_763_909_401,
        1.5,
        True,
    ],
)
def test_what_no_timestamp_can_hold_is_null_and_flagged(value: object) -> None:
    assert read_timestamp(value) == UNFIT


offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ordinary = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31))  # noqa: DTZ001 - the offset is drawn beside it


@given(ordinary, offsets)
def test_a_time_is_the_same_whichever_way_it_is_written(local: datetime, offset: timezone) -> None:
    moment = local.replace(tzinfo=offset)
    as_utc = moment.astimezone(UTC)

    assert read_timestamp(moment.isoformat()) == (as_utc, True)
    assert read_timestamp(moment.isoformat().replace("T", " ")) == (as_utc, True)
    assert read_timestamp(as_utc.replace(tzinfo=None).isoformat()) == (as_utc, True)
    assert read_timestamp(as_utc.replace(tzinfo=None).isoformat() + "Z") == (as_utc, True)
    seconds = as_utc.replace(microsecond=0)
    assert read_timestamp(seconds.replace(tzinfo=None).isoformat() + "Z") == (seconds, True)


@given(st.text(alphabet="0123456789-:TZtz+. ", min_size=1, max_size=26))
def test_any_text_is_a_utc_time_or_flagged(text: str) -> None:
    found, fits = read_timestamp(text)

    assert isinstance(found, datetime) is fits
    assert not isinstance(found, datetime) or found.tzinfo is UTC


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_the_same_as_text(number: float) -> None:
    assert read_float64(repr(number)) == read_float64(number)
    assert read_int64(repr(number)) == read_int64(number)
