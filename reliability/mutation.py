"""One change of the source that makes it wrong, and what turns red in a copy that has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_COPIED: Final = ("src", "mappings", "reliability", "rehearsal", "tests", "scripts", "pyproject.toml")
_HISTORIES: Final = "histories"
_MOST_HISTORIES: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A text of one module, or mapping, in the place of another, and what is to see it: histories, or tests."""

    name: str
    module: str
    """Path below src/avesa, or below the root when it begins with `mappings/`."""
    old: str
    new: str
    hunter: str = _HISTORIES
    """A file, a folder or a test, as pytest takes it."""
    edge_case: int | None = None
    """Number in docs/reference/edge-cases.md whose handling is taken away; the page names the hunter."""

    @property
    def path(self) -> Path:
        """Where the text is, relative to the project."""
        return Path(self.module) if self.module.startswith("mappings/") else Path("src", "avesa", self.module)


def caught_by(mutation: Mutation) -> str | None:
    """Return what turned red in a copy with the mutation, or None. Raises ValueError when it no longer fits."""
    with tempfile.TemporaryDirectory(prefix="avesa-mutation-") as name:
        copy = Path(name)
        for item in _COPIED:
            source = _ROOT / item
            if source.is_dir():
                shutil.copytree(source, copy / item, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.is_file():
                shutil.copy(source, copy / item)
        module = copy / mutation.path
        text = module.read_text(encoding="utf-8")
        if text.count(mutation.old) != 1:
            raise ValueError(f"{mutation.name}: {mutation.path} no longer has its text exactly once")
        text = text.replace(mutation.old, mutation.new)
        module.write_text(text.replace("import bisect_left\n", "import bisect_left, bisect_right\n"), encoding="utf-8")
        return _hunted(mutation, copy)


def _hunted(mutation: Mutation, copy: Path) -> str | None:
    if mutation.hunter == _HISTORIES:
        arguments = ["-m", "reliability.histories", "--until-red", "--count", str(_MOST_HISTORIES)]
    else:
        arguments = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutation.hunter]
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    told = done.stdout + done.stderr
    if done.returncode == 0:
        return None
    is_history = mutation.hunter == _HISTORIES
    reds = re.findall(r"^seed (\d+):" if is_history else r"^FAILED (.+?)(?: - |$)", told, re.MULTILINE)
    if not reds:
        raise RuntimeError(f"{mutation.name}: the hunter itself broke: {told[-500:]}")
    return f"history {reds[0]} of {_MOST_HISTORIES}" if is_history else f"`{reds[0]}`"
