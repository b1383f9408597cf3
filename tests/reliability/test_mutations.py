"""The mutations still fit the source: each has its text exactly once, and a test that hunts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_changes_one_place_and_has_a_hunter(mutation: Mutation) -> None:
    text = (ROOT / "src" / "avesa" / mutation.module).read_text(encoding="utf-8")

    assert text.count(mutation.old) == 1
    assert mutation.hunter == "histories" or (ROOT / mutation.hunter).exists()
