"""Writes the rows of a query: for people, as JSON, as CSV. The last two are written as rows come: any number fits."""

from __future__ import annotations

import base64
import csv
import json
import math
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Final

from avesa.entrypoints.terminal import Column, console, natural_width, printable, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from avesa.adapters.delta.views import SqlResult

MOST_SHOWN: Final = 200
_PLAN_COLUMNS: Final = ("explain_key", "explain_value")


def plain(value: object) -> object:
    """Return the value as JSON has it: times as ISO text in UTC, exact numbers that JSON would round as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: object) -> object:
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    is_odd_number = isinstance(value, Decimal) or (isinstance(value, float) and not math.isfinite(value))
    return str(value) if is_odd_number else value


def text(value: object) -> str:
    """Return the value as a cell shows it; nothing for null."""
    found = plain(value)
    if found is None:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    return json.dumps(found, ensure_ascii=False) if isinstance(found, dict | list) else str(found)


def write_json(result: SqlResult) -> None:
    """Write a list of objects, one a line."""
    out = sys.stdout
    out.write("[")
    for number, row in enumerate(result.rows):
        record = {name: plain(value) for name, value in zip(result.columns, row, strict=True)}
        out.write(("\n" if number == 0 else ",\n") + json.dumps(record, ensure_ascii=False))
    out.write("\n]\n")


def write_csv(result: SqlResult) -> None:
    """Write a header and the rows, as RFC 4180 has it but for the line ends."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows([text(value) for value in row] for row in result.rows)


def show_table(result: SqlResult) -> None:
    """Show the first rows: as a table, or field by field when a terminal is too narrow for that."""
    out = console()
    found = list(islice(result.rows, MOST_SHOWN + 1))
    if result.columns == _PLAN_COLUMNS:
        out.print("\n".join(str(row[1]) for row in found))
        return
    heads = [
        Column(name=printable(name), is_number=_is_numeric([row[at] for row in found]))
        for at, name in enumerate(result.columns)
    ]
    cells = [[printable(text(value)) for value in row] for row in found[:MOST_SHOWN]]
    if out.is_terminal and natural_width(heads, cells) > out.width:
        _show_fields(out, heads, cells)
    else:
        show(out, heads, cells)
    if len(found) > MOST_SHOWN:
        print(f"only the first {MOST_SHOWN} rows are shown; --output csv or json gives all", file=sys.stderr)
    elif out.is_terminal:
        out.print(f"{len(found)} row{'' if len(found) == 1 else 's'}", style="dim")


def _show_fields(out: Console, heads: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    from rich.text import Text

    width = max(len(head.name) for head in heads)
    for number, row in enumerate(cells, start=1):
        out.print(f"row {number}", style="bold")
        for head, cell in zip(heads, row, strict=True):
            out.print(Text(f"  {head.name:{width}}  ", style="cyan").append(cell, style="default"))


def _is_numeric(values: list[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in known
    )


def _iso(at: datetime) -> str:
    if at.tzinfo is None:
        return at.isoformat()
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
