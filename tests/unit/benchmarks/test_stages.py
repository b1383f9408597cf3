"""The profile tells stages by modules; a module that was renamed must not fall among all else unseen."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from benchmarks.profile import show
from benchmarks.stages import OTHER, STAGES, START, Samples

SOURCE: Final = Path(__file__).parents[3] / "src" / "avesa"
OWN: Final = [(name, pattern) for name, pattern in STAGES if name != START]


@pytest.mark.parametrize(("name", "pattern"), OWN, ids=[name for name, _ in OWN])
def test_a_stage_has_code_of_ours(name: str, pattern: str) -> None:
    functions = [
        f"{path.as_posix()}:{function}"
        for path in SOURCE.rglob("*.py")
        for function in re.findall(r"def (\w+)", path.read_text(encoding="utf-8"))
    ]

    assert any(re.search(pattern, function) for function in functions)


def test_a_moment_belongs_to_the_innermost_stage() -> None:
    samples = Samples()
    inner = compile("take(sys._getframe())", "/x/avesa/connectors/pages.py", "eval")
    outer = compile("eval(inner)", "/x/avesa/adapters/parquet/raw.py", "eval")

    eval(outer, {"take": samples.take, "sys": sys, "inner": inner})  # noqa: S307 - compiled here, for its file name
    samples.take(sys._getframe())

    assert samples.stages == Counter({"split into records": 1, OTHER: 1})
    assert [name for name in samples.others if "test_stages.py" in name]


def test_the_table_adds_the_stages_up_and_leaves_the_start_beside_it() -> None:
    rows = [
        {"stage": "fetch", "cpu": 1.5, "wall": 3.0, "floor": 0.5, "floor_is": "least"},
        {"stage": OTHER, "cpu": 0.5, "wall": 1.0, "floor": None, "floor_is": None},
    ]

    told = show({"records": 1000, "rows": rows, "once": {"cpu": 0.7, "wall": 0.8}, "others": {}})

    assert "| **in all** | 2.0 | 4.0 | 0.5 | |" in told
    assert "0.7 s of CPU" in told
