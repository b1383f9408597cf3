"""The page of edge cases keeps its promise: forty-five rows, and every test and symbol that it names exists."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "edge-cases.md"


class Case(NamedTuple):
    """A row of the page."""

    number: int
    case: str
    handled: str
    shown: str


def rows() -> list[Case]:
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if len(cells) == 4 and cells[0].isdigit():
            found.append(Case(int(cells[0]), *cells[1:]))
    return found


CASES = rows()


def test_there_are_forty_five_edge_cases_in_order() -> None:
    assert [case.number for case in CASES] == list(range(1, 46))
    assert len({case.case for case in CASES}) == 45
    assert all(case.case and case.handled for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_the_tests_that_show_a_case_exist(case: Case) -> None:
    named = re.findall(r"`([\w/.-]+\.py)::(test_\w+)`", case.shown)

    assert named
    for path, test in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_the_symbols_that_handle_a_case_exist(case: Case) -> None:
    named = re.findall(r"`(avesa(?:\.\w+)+)`", case.handled)

    assert named
    for name in named:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
