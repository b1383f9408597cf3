"""Which stage of a load a moment belongs to: told from the Python frames that were running, innermost first."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

OTHER: Final = "all else (planning, state, events, steps)"
START: Final = "imports"
_FOLDING: Final = r"adapters/delta/(folding|rows|payloads)\.py:"
STAGES: Final = (
    ("fetch", r"adapters/http/|/urllib3/|/http/client\.py|/socket\.py|/ssl\.py"),
    ("split into records", r"connectors/pages\.py|parquet/packing\.py:(pack_page|_packed_at_once|_heads)"),
    ("make durable (write, sync, rename)", r"adapters/local/(files|lake)\.py"),
    (
        "project (payload to columns)",
        r"canonical/(projection|typed|exact|values|elements|mapping|columns|shapes|observed)\.py|packing\.py:_projected",
    ),
    ("raw write (Arrow, Parquet)", r"adapters/parquet/"),
    ("fold (versions)", r"canonical/(scd2|merging|histories|table)\.py|adapters/delta/setwise\.py"),
    ("canonical write (Arrow, DuckDB, Parquet)", _FOLDING + r"(arrow_table|_array|_write\w*|<genexpr>|to_micros)"),
    ("raw and canonical read (DuckDB)", _FOLDING),
    ("commit (manifest, Delta log)", r"adapters/delta/|/deltalake/"),
    ("state (SQLite)", r"adapters/local/(state|database|liveness|budget|secrets)\.py|adapters/machine/renewal\.py"),
    (START, r"<frozen importlib|/importlib/"),
)
"""Name of a stage, and what `file:function` looks like in it. The first that fits a frame is the frame's."""
_PATTERNS: Final = tuple((name, re.compile(pattern)) for name, pattern in STAGES)


class Samples:
    """Moments counted by stage, and by stack for a flame graph."""

    def __init__(self) -> None:
        self.stages: Counter[str] = Counter()
        self.stacks: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self._known: dict[str, str | None] = {}

    def take(self, frame: FrameType | None) -> None:
        """Count the moment in which these frames were running."""
        names = []
        while frame is not None:
            names.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")
            frame = frame.f_back
        stage = next((found for name in names if (found := self._stage(name)) is not None), OTHER)
        self.stages[stage] += 1
        if stage == OTHER and names:
            self.others[_short(names[0])] += 1
        self.stacks[";".join(_short(name) for name in reversed(names))] += 1

    def _stage(self, name: str) -> str | None:
        if name not in self._known:
            text = name.replace("\\", "/")
            self._known[name] = next((stage for stage, pattern in _PATTERNS if pattern.search(text)), None)
        return self._known[name]


def _short(name: str) -> str:
    path, _, function = name.rpartition(":")
    return f"{'/'.join(path.split('/')[-2:])}:{function}"
