"""The mutations still fit the source: each has its text exactly once, and a test that hunts it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reliability.edge_cases import EDGE_CASES
from reliability.mutations import MUTATIONS
from tests.docs.test_edge_cases import CASES

if TYPE_CHECKING:
    from reliability.mutation import Mutation

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutation", [*MUTATIONS, *EDGE_CASES], ids=lambda mutation: mutation.name)
def test_a_mutation_changes_one_place_and_has_a_hunter(mutation: Mutation) -> None:
    text = (ROOT / mutation.path).read_text(encoding="utf-8")

    assert text.count(mutation.old) == 1
    assert mutation.hunter == "histories" or (ROOT / mutation.hunter.partition("::")[0]).exists()


def test_each_edge_case_has_a_mutation_that_takes_its_handling_away() -> None:
    assert [mutation.edge_case for mutation in EDGE_CASES] == list(range(1, 46))


@pytest.mark.parametrize("mutation", EDGE_CASES, ids=lambda mutation: str(mutation.edge_case))
def test_the_test_that_turns_red_is_one_that_the_page_names(mutation: Mutation) -> None:
    (case,) = [case for case in CASES if case.number == mutation.edge_case]

    assert f"`{mutation.hunter.partition('[')[0]}`" in case.shown
