"""The reference page of the commands says what the commands are, all of them, with every option."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from avesa.entrypoints.cli import cli
from avesa.entrypoints.reference import commands, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commands.md"
COMMANDS = dict(commands(cli, "avesa"))
IN_THE_CONTRACT = {
    *("demo", "setup-service", "run", "status", "jobs", "job", "query", "rebuild", "backfill", "simulate connectwise"),
}


def test_the_page_is_the_one_that_the_commands_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "make it again: python -m avesa.entrypoints.reference > docs/reference/commands.md"
    )


def test_every_command_of_the_contract_is_there() -> None:
    assert {f"avesa {name}" for name in IN_THE_CONTRACT} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_section_with_every_option(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text.partition(f"\n## {name}")[2].partition("\n## ")[0]
    options = [option for param in COMMANDS[name].params if isinstance(param, click.Option) for option in param.opts]

    assert section
    assert [option for option in options if f"`{option}" not in section] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_worth_reading_and_examples(name: str) -> None:
    command = COMMANDS[name]

    assert len((command.help or "").split()) >= 5
    assert "Examples:" in (command.epilog or "")
    assert all(param.help for param in command.params if isinstance(param, click.Option))


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_calls_its_command_with_options_that_it_has(name: str) -> None:
    command = COMMANDS[name]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    words = (command.epilog or "").split()

    assert f"{name} " in f"{command.epilog} "
    assert {word for word in words if word.startswith("--")} <= known
