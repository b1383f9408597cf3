"""The simulator's page names every control, change and kind of fault that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from avesa.simulator import control
from avesa.simulator.faults import FaultKind

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/simulator.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        *(f"`{kind}`" for kind in FaultKind),
        *(f"`{name}`" for name in control._ChangeRequest.__struct_fields__),
        *(f"`{name}`" for name in control._RuleRequest.__struct_fields__),
        *(f"{method} /_simulator/{name}" for method, name in control._CONTROLS),
    ],
)
def test_the_page_names_it(name: str) -> None:
    assert name in PAGE
