"""The programs that a deployment needs, looked for before anything is changed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import AvesaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[4]
INFRASTRUCTURE: Final = ROOT / "infrastructure"
_NEEDED_FILES: Final = ("infrastructure/app.py", "infrastructure/cdk.json", "requirements/lambda-chunk.txt", "mappings")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")
_OLDEST_NODE: Final = 18
_OLDEST_PYTHON: Final = (3, 11)
_CDK_MAJOR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program, what is wrong with a version of it, and how to get a right one."""

    name: str
    wrong: Callable[[int], str | None]
    remedy: str


TOOLS: Final = (
    Tool(
        name="aws",
        wrong=lambda _: None,
        remedy="install the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    ),
    Tool(
        name="node",
        wrong=lambda major: f"is version {major}, {_OLDEST_NODE} or newer is needed" if major < _OLDEST_NODE else None,
        remedy="install Node.js 18 or newer: https://nodejs.org",
    ),
    Tool(
        name="cdk",
        wrong=lambda major: (
            f"is version {major}, which cannot read what this project's CDK writes" if major != _CDK_MAJOR else None
        ),
        remedy="install the AWS CDK CLI of version 2: npm install -g aws-cdk@2",
    ),
)


def check_tools(variables: Mapping[str, str]) -> None:
    """Raise AvesaError that lists everything missing at once, each with how to get it."""
    problems = [*_missing_files(), *_wrong_tools(variables)]
    if sys.version_info < _OLDEST_PYTHON:
        problems.append(f"Python is {sys.version.split()[0]}, 3.11 or newer is needed: start this with a newer one")
    if problems:
        raise AvesaError("the prerequisites are not met:\n" + "\n".join(f"  - {problem}" for problem in problems))


def _missing_files() -> Iterator[str]:
    for name in _NEEDED_FILES:
        if not (ROOT / name).exists():
            yield f"{name} is missing in {ROOT}: deploy from a whole checkout"


def _wrong_tools(variables: Mapping[str, str]) -> Iterator[str]:
    for tool in TOOLS:
        path = shutil.which(tool.name, path=variables.get("PATH"))
        if path is None:
            yield f"{tool.name} is not installed; {tool.remedy}"
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, env=dict(variables))  # noqa: S603 - found on the user's PATH
        found = _VERSION.search(said.stdout + said.stderr)
        wrong = "does not run" if found is None or said.returncode != 0 else tool.wrong(int(found[1]))
        if wrong is not None:
            yield f"{tool.name} ({path}) {wrong}; {tool.remedy}"


def checked_out_commit() -> str:
    """Return the commit that lies here, with `-changed` behind it when files differ from it; empty without git."""
    program = shutil.which("git")
    if program is None:
        return ""
    asked = (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    told = [
        subprocess.run([program, "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - found on the user's PATH
        for arguments in asked
    ]
    commit = told[0].stdout.strip() if told[0].returncode == 0 else ""
    return f"{commit}-changed" if commit and told[1].stdout.strip() else commit
