"""Calls `avesa` as a user does, in a process of its own, with nothing of the caller's environment that could matter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
COMMAND = (sys.executable, "-W", "error", "-m", "avesa.entrypoints.cli")


@dataclass(frozen=True, kw_only=True)
class Called:
    """What a command gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        """Return the object in the last line of standard output."""
        return json.loads(self.out.splitlines()[-1])


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment with the package found and the local key given."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "AVESA_SECRET_KEY": SECRET_KEY,
        "COLUMNS": "200",
        **(variables or {}),
    }


def avesa(*arguments: str | Path, variables: Mapping[str, str] | None = None) -> Called:
    """Run one command to its end, with pipes for output and nothing to read from."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Called(status=done.returncode, out=done.stdout, err=done.stderr)


def credentials(company: Mapping[str, str], **changed: str) -> dict[str, str]:
    """Return the variables of a simulated company."""
    return {f"CONNECTWISE_{name.upper()}": value for name, value in {**company, **changed}.items()}
