"""What standard output and error can show: a terminal gets colour and tables with lines, a pipe gets plain text."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_GAP: Final = "  "


def console(*, is_error: bool = False) -> Console:
    """Return a console that takes text as it is: no markup, no guesses, so that data cannot style itself."""
    return Console(stderr=is_error, markup=False, emoji=False, highlight=False, soft_wrap=True)


def printable(value: str) -> str:
    """Return the text with spaces for control characters: a record cannot move the cursor of who looks at it."""
    return _CONTROLS.sub(" ", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a shown table."""

    name: str
    is_number: bool = False
    style: str = ""


def columns(*names: str) -> list[Column]:
    """Return columns from their names; a name that ends with '#' is of numbers."""
    return [Column(name=name.removesuffix("#"), is_number=name.endswith("#")) for name in names]


def show(out: Console, heads: Sequence[Column], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table: with lines on a terminal, aligned plain text elsewhere."""
    if out.is_terminal:
        if title:
            out.print(title, style="bold")
        out.print(lined(out, heads, rows))
        return
    cells = [[printable(cell) for cell in row] for row in rows]
    if title:
        print(title, file=out.file)
    for line in aligned(heads, cells):
        print(line, file=out.file)


def aligned(heads: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a header and the rows as lines with columns below each other; wide characters count double."""
    widths = [max([cell_len(head.name), *(cell_len(row[at]) for row in rows)]) for at, head in enumerate(heads)]
    lines = [[head.name for head in heads], *rows]
    return [
        _GAP.join(
            _padded(cell, width, is_number=head.is_number)
            for cell, width, head in zip(line, widths, heads, strict=True)
        ).rstrip()
        for line in lines
    ]


def natural_width(heads: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return how many cells wide a lined table would have to be to show everything in one line each."""
    widths = (max([cell_len(head.name), *(cell_len(row[at]) for row in rows)]) for at, head in enumerate(heads))
    return sum(width + 3 for width in widths) + 1


def _padded(text: str, width: int, *, is_number: bool) -> str:
    fill = " " * (width - cell_len(text))
    return fill + text if is_number else text + fill


def lined(out: Console, heads: Sequence[Column], given: Sequence[Sequence[str]]) -> Table:
    """Return a table as a terminal shows it; one that is too wide for it goes without lines."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = [[printable(cell) for cell in row] for row in given]
    is_tight = natural_width(heads, rows) > out.width
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    if is_tight:
        table = Table(box=None, header_style="bold underline", pad_edge=False, padding=(0, 1, 0, 0))
    for at, head in enumerate(heads):
        # When it gets narrow, prose is folded; numbers, durations, times and names stay whole.
        is_whole = head.is_number or not any(" " in row[at] for row in rows)
        table.add_column(head.name, justify="right" if head.is_number else "left", style=head.style, no_wrap=is_whole)
    for row in rows:
        table.add_row(*(Text(cell, style=_STATUS_STYLES.get(cell, "")) for cell in row))
    return table


_STATUS_STYLES: Final = {
    "completed": "green",
    "partial_success": "yellow",
    "skipped": "yellow",
    "processing": "cyan",
    "failed": "red",
    "fresh": "green",
    "stale": "red",
    "paused": "yellow",
}


def tolerate_narrow_encodings() -> None:
    """Make output that the terminal's encoding lacks appear as '?', where it would end the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
