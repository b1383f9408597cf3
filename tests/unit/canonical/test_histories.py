"""Every promise about the rows of one key is noticed when it is broken, and none is seen broken that is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from avesa.canonical.histories import Span, broken_rule

START = datetime(2026, 1, 1, tzinfo=UTC)


def span(begin: int, end: int | None, *, is_deleted: bool = False, is_current: bool | None = None) -> Span:
    return Span(
        START + timedelta(days=begin),
        None if end is None else START + timedelta(days=end),
        is_current if is_current is not None else end is None,
        is_deleted,
    )


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [span(0, None)],
        [span(0, 1), span(1, 5), span(5, None)],
        [span(0, 1), span(1, 3, is_deleted=True)],
        [span(0, 1, is_deleted=True), span(4, None)],
        [span(0, 1, is_deleted=True), span(1, None)],
        [span(7, 7, is_deleted=True), span(8, None)],
    ],
)
def test_a_right_history_breaks_no_rule(spans: list[Span]) -> None:
    assert broken_rule(spans) is None


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([span(0, None), span(1, None)], "more than one row is current"),
        ([span(0, 1, is_current=True)], "does not agree"),
        ([span(0, None, is_current=False)], "does not agree"),
        ([span(0, None, is_deleted=True)], "marked as deleted"),
        ([span(0, 3), span(2, None)], "overlap"),
        ([span(0, None), span(2, 3)], "overlap"),
        ([span(0, 0, is_deleted=True), span(0, None)], "overlap"),
        ([span(0, 1), span(2, None)], "gap"),
    ],
)
def test_a_broken_rule_is_named(spans: list[Span], words: str) -> None:
    assert words in (broken_rule(spans) or "")
