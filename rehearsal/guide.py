"""The guide as data: every command in its `bash` fences, and the table that says how each is rehearsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE: Final = Path(__file__).resolve().parents[1] / "docs" / "deployment.md"
_FENCE: Final = re.compile(r"^```(\w*)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_CONTINUED: Final = re.compile(r"\s*\\\n\s*")
_ROW: Final = re.compile(r"^\| `(?P<command>[^`]+)` \| (?P<how>.+?) \|$", re.MULTILINE)
_TABLE: Final = "### What each command is held to"


@dataclass(frozen=True, slots=True)
class Block:
    """The commands of one fence, in order; they share a folder and variables."""

    commands: tuple[str, ...]


def blocks(text: str) -> Iterator[Block]:
    """Give the `bash` fences of a page; continued lines are one command, comments and empty lines none."""
    for language, body in _FENCE.findall(text):
        if language == "bash":
            lines = (line.strip() for line in _CONTINUED.sub(" ", body).splitlines())
            yield Block(tuple(line for line in lines if line and not line.startswith("#")))


def commands(text: str) -> list[str]:
    """Return every command of a page once, in order."""
    return list(dict.fromkeys(command for block in blocks(text) for command in block.commands))


def rehearsals(text: str) -> dict[str, str]:
    """Return the page's own table: each command, and what its rehearsal asserts."""
    return {row["command"]: row["how"] for row in _ROW.finditer(text.partition(_TABLE)[2])}
