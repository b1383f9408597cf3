"""Writes docs/reference/commands.md from the commands themselves, so that the page cannot say what they do not.

python -m avesa.entrypoints.reference > docs/reference/commands.md
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Final

import click

from avesa.bootstrap.environment import CREDENTIAL_VARIABLES
from avesa.entrypoints.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = """\
# Commands

<!-- Made by `python -m avesa.entrypoints.reference`; a test compares. Change the command, then make it again. -->

One program, `avesa`.
Every command has `--help`.

| exit status | meaning |
|---|---|
| 0 | all completed |
| 1 | something failed or was skipped; the rest was still done |
| 2 | the call was wrong; nothing was done |
| 130 | ended at once by a second Ctrl-C, or by the first where no run is going |

Errors go to standard error.

| variable | meaning |
|---|---|
| `AVESA_HOME` | folder of data, state and secrets where `--home` is not given; default `./avesa-data` |
| `AVESA_ENVIRONMENT` | environment where `--environment` is not given; default `local` |
| `AVESA_SECRET_KEY` | key of the local secrets, 32 bytes in URL-safe base64; default: a file of the user's |
| `AVESA_DEBUG` | `1` shows the traceback of an unforeseen error |
"""


def page() -> str:
    """Return the page, ending with a line break."""
    variables = "\n".join(f"| `{name}` | for `setup-service` |" for name in CREDENTIAL_VARIABLES.values())
    return (
        "\n".join(
            [_HEAD + variables + "\n", *(_section(name, command) for name, command in commands(cli, "avesa"))]
        ).rstrip()
        + "\n"
    )


def commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that can be called, with its full name, in the order of registration."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _section(name: str, command: click.Command) -> str:
    arguments = [
        param.make_metavar(click.Context(command)) for param in command.params if param.param_type_name == "argument"
    ]
    blocks = [f"## {' '.join([name, *arguments])}", inspect.cleandoc(command.help or "")]
    blocks.append("\n".join(["| option | meaning |", "|---|---|", *_options(command)]))
    if command.epilog:
        lines = command.epilog.replace("\b\n", "").splitlines()[1:]
        blocks.append("\n".join(["```", *(line[2:] for line in lines), "```"]))
    return "\n\n".join(blocks) + "\n"


def _options(command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    for param in command.params:
        if isinstance(param, click.Option):
            signature, meaning = param.get_help_record(context) or ("", "")
            yield f"| `{_cell(signature)}` | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
