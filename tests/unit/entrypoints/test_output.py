"""What commands print: values, tables, times and sizes, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from rich.console import Console

from avesa.adapters.delta.views import SqlResult
from avesa.entrypoints import rows, telling
from avesa.entrypoints.terminal import aligned, columns, printable, show


def _result(*found: tuple[object, ...], names: tuple[str, ...] = ("a", "b")) -> SqlResult:
    return SqlResult(columns=names, rows=iter(found))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:05.000006Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),  # noqa: DTZ001 - SQL has times without a zone
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
        (b"\x00\xff", "AP8="),
        (float("nan"), "nan"),
        ({"a": datetime(2026, 1, 2, tzinfo=UTC)}, {"a": "2026-01-02T00:00:00Z"}),
        ([1, None, "x"], [1, None, "x"]),
        (True, True),
    ],
)
def test_a_value_is_told_as_json_has_it(value: object, told: object) -> None:
    assert rows.plain(value) == told
    json.dumps(rows.plain(value), allow_nan=False)


def test_json_is_a_list_of_objects_even_without_rows(capsys: pytest.CaptureFixture[str]) -> None:
    rows.write_json(_result((1, "é"), (2, None)))
    some = capsys.readouterr().out
    rows.write_json(_result())

    assert json.loads(some) == [{"a": 1, "b": "é"}, {"a": 2, "b": None}]
    assert json.loads(capsys.readouterr().out) == []


def test_csv_survives_commas_quotes_and_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    rows.write_csv(_result(('say "hi", you', "two\nlines"), (None, True)))

    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        ["a", "b"],
        ['say "hi", you', "two\nlines"],
        ["", "true"],
    ]


def test_a_table_shows_the_first_rows_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    rows.show_table(_result(*((number, "x") for number in range(500))))

    told = capsys.readouterr()
    assert len(told.out.splitlines()) == rows.MOST_SHOWN + 1
    assert "only the first 200 rows are shown" in told.err


def test_plain_tables_align_wide_characters_and_numbers() -> None:
    assert aligned(columns("name", "n#"), [["日本", "5"], ["ab", "1,000"]]) == [
        "name      n",
        "日本      5",
        "ab    1,000",
    ]


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\nb", "a\tb", "a\u202eb", "a\x9bb"])
def test_data_cannot_move_the_cursor(text: str) -> None:
    assert not any(character in printable(text) for character in "\x1b\n\t\u202e\x9b")


def test_data_cannot_style_itself_on_a_terminal() -> None:
    out = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None, markup=False)

    with out.capture() as capture:
        show(out, columns("summary"), [["[red]alert[/red] :smile:"]])

    assert "[red]alert[/red] :smile:" in capture.get()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3660, "1 h 1 min"), (90000, "1 d 1 h")],
)
def test_an_age_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert telling.age(seconds) == told


@pytest.mark.parametrize(
    ("size", "told"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_250_000, "1.2 MB"), (3 * 10**12, "3.0 TB")]
)
def test_a_size_is_told_in_the_unit_that_fits(size: int, told: str) -> None:
    assert telling.size(size) == told


def test_a_time_is_told_in_utc() -> None:
    assert telling.time(datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5)))) == "2026-01-02T08:04:05Z"
    assert telling.time(None) == "-"
