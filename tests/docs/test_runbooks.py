"""Every command in a runbook exists with its options, and what the rehearsal restores is what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from avesa.entrypoints.cli import cli
from avesa.entrypoints.deployment.commands import cli as deployment
from avesa.entrypoints.reference import commands
from rehearsal.restoring import POINT_IN_TIME, UNDELETE

if TYPE_CHECKING:
    import click

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "how-to").glob("*.md"))}
KNOWN: Final = dict(commands(cli, "avesa"))
WANTED: Final = {
    "a-run-is-stuck.md", "a-table-is-stale.md", "add-an-endpoint.md", "data-is-missing.md", "erase.md",
    "onboard-a-tenant.md", "pause-a-tenant.md", "respond-to-a-leaked-key.md", "restore.md", "roll-back.md",
    "rotate-a-key.md",
}  # fmt: skip
_CALL: Final = re.compile(
    r"^\s*(avesa .+?|\./scripts/\S+ .+?|python scripts/\S+ .+?)\s*$|`(avesa .+?|\./scripts/\S+ .+?)`", re.MULTILINE
)


def calls(page: str) -> list[str]:
    """Every call of ours on a page, in fences and in the text."""
    return [first or second for first, second in _CALL.findall(PAGES[page])]


def found(words: list[str]) -> click.Command | None:
    """The command that a call's words name; its longest name counts."""
    names = [" ".join(words[:length]) for length in (3, 2)]
    return next((KNOWN[name] for name in names if name in KNOWN), None)


def unknown_options(command: click.Command, words: list[str]) -> list[str]:
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    return [word for word in words if word.startswith("--") and word not in known]


def test_every_runbook_is_there() -> None:
    assert set(PAGES) >= WANTED


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_command_of_a_runbook_exists_with_its_options(page: str) -> None:
    problems = []
    for call in calls(page):
        words = shlex.split(call.replace("…", "x"), comments=True)
        if words[0] == "avesa":
            command = found(words)
        else:
            script = next(word for word in words if "scripts/" in word)
            assert (ROOT / script).is_file(), script
            command = deployment.commands.get(Path(script).stem, None)
            if command is None:
                continue
        if command is None:
            problems.append(call)
        else:
            problems += [f"{call}: {option}" for option in unknown_options(command, words)]

    assert problems == []


@pytest.mark.parametrize("page", sorted(WANTED))
def test_every_runbook_has_a_command_of_ours(page: str) -> None:
    assert calls(page)


@pytest.mark.parametrize("command", [*UNDELETE, *POINT_IN_TIME])
def test_what_is_restored_in_the_rehearsal_is_what_the_page_says(command: str) -> None:
    assert command in PAGES["restore.md"]
