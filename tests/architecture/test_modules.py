"""Keeps modules small enough to hold one idea, and named after it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.architecture.sources import PACKAGE, ROOT, modules, parse

if TYPE_CHECKING:
    from pathlib import Path

LINES = 350
# path -> the reason why this module is one idea although it is longer. Empty is the wish.
LONGER: dict[str, str] = {}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "shared"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    too_long = {_name(path): _line_count(path) for path in modules() if _line_count(path) > LINES}

    assert {name: lines for name, lines in too_long.items() if name not in LONGER} == {}


def test_every_exception_to_the_length_has_a_reason_and_is_still_needed() -> None:
    needed = {name for name in LONGER if (ROOT / name).is_file() and _line_count(ROOT / name) > LINES}

    assert set(LONGER) == needed
    assert all(LONGER.values())


def test_no_module_is_a_drawer() -> None:
    assert [_name(path) for path in modules() if {*path.relative_to(PACKAGE).with_suffix("").parts} & DRAWERS] == []


def test_every_module_says_why_it_exists() -> None:
    assert [_name(path) for path in modules() if not ast.get_docstring(parse(path))] == []
