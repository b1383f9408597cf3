"""The threat model names tests that exist, and every threat has one or says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
ROWS = [
    line
    for line in PAGE.partition("## Threats")[2].partition("## What is not")[0].splitlines()
    if line.startswith("| ")
]


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED.findall(PAGE))))
def test_every_test_that_the_threat_model_names_exists(file: str, test: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")

    assert "def test_" in text
    assert f"def {test}(" in text or not test


def test_every_threat_names_a_test_or_says_why_there_is_none() -> None:
    threats = ROWS[1:]  # the head; the line below it begins otherwise

    assert len(threats) > 15
    assert [row for row in threats if not (NAMED.search(row) or "| none here: " in row)] == []
