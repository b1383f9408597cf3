"""What every canonical table promises of the rows of one key, checked on the rows alone: no raw, no fold."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class Span(NamedTuple):
    """The system's columns of one row, as far as they concern its place in time."""

    valid_from: datetime
    valid_to: datetime | None
    is_current: bool
    is_deleted: bool


def broken_rule(spans: Sequence[Span]) -> str | None:
    """Return which promise the rows of one key break, the first of them; None when they keep all.

    `spans` ascend by valid_from. A gap is right after a row that ended because the record was found missing, and only
    there.
    """
    if sum(span.is_current for span in spans) > 1:
        return "more than one row is current"
    if any(span.is_current != (span.valid_to is None) for span in spans):
        return "is_current does not agree with valid_to"
    if any(span.is_current and span.is_deleted for span in spans):
        return "a current row is marked as deleted"
    for older, newer in pairwise(spans):
        if older.valid_to is None or older.valid_to > newer.valid_from or older.valid_from == newer.valid_from:
            return "two rows overlap in time"
        if older.valid_to < newer.valid_from and not older.is_deleted:
            return "there is a gap between two rows"
    return None
