"""Options that several commands share, and how a command finds its home: option, then environment, then default."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from avesa.domain.errors import UsageError
from avesa.domain.names import Environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.bootstrap.environment import Settings

F = TypeVar("F", bound="Callable[..., Any]")

HOME: Final = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the data, the state and the secrets. Default: the variable AVESA_HOME, else ./avesa-data.",
)
ENVIRONMENT: Final = click.option(
    "--environment",
    type=click.Choice([item.value for item in Environment]),
    help="Where the pipeline runs: this machine, or an environment on AWS. Default: the variable AVESA_ENVIRONMENT, "
    "else local.",
)
TENANT: Final = click.option("--tenant-id", metavar="ID", help="Only this tenant. Default: all tenants.")
TABLE: Final = click.option(
    "--table-name",
    metavar="NAME",
    help="Only this table: the service's name (service/tickets) or the canonical one (tickets). Default: all.",
)
OUTPUT: Final = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people; json for programs: one JSON object last on standard output, all else on standard error.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command works."""

    environment: Environment = Environment.LOCAL
    home: Path
    """Without meaning for an environment on AWS."""
    is_home_given: bool
    """Whether the call named it; otherwise it comes from the environment or is the default."""
    settings: Settings

    @property
    def is_local(self) -> bool:
        """Whether it is this machine."""
        return self.environment is Environment.LOCAL


def placed(function: F) -> F:
    """Give the command `place` in the place of `--home` and `--environment`."""

    @ENVIRONMENT
    @HOME
    @functools.wraps(function)
    def command(*args: object, home: Path | None, environment: str | None, **kwargs: object) -> object:
        return function(*args, place=find_place(home, environment), **kwargs)

    return command  # type: ignore[return-value]  # two options fewer than click will pass


def find_place(home: Path | None, environment: str | None) -> Place:
    """Return where the command works. Raises UsageError for a home beside an environment that has none."""
    from avesa.bootstrap.environment import read_settings

    settings = read_settings()
    chosen = Environment(environment) if environment is not None else settings.environment
    if home is not None and chosen is not Environment.LOCAL:
        raise UsageError(f"--home is for the local environment; {chosen.value} keeps its data on AWS")
    return Place(
        environment=chosen,
        home=settings.home if home is None else home,
        is_home_given=home is not None,
        settings=settings,
    )


def examples(*lines: str) -> str:
    """Return an epilog that click prints as it stands."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
