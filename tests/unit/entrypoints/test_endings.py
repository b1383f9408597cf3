"""Every ending of a command has its exit status and its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click
import pytest

from avesa.domain.errors import AvesaError, ConfigError, StorageError, UsageError
from avesa.entrypoints import cli

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def failing() -> Iterator[list[BaseException]]:
    """Register a command that raises what the list holds."""
    raised: list[BaseException] = []

    @click.command("fail")
    def fail() -> NoReturn:
        raise raised[0]

    cli.cli.add_command(fail)
    yield raised
    del cli.cli.commands["fail"]


def _status(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (AvesaError("the reason"), 1, "error: the reason\n"),
        (StorageError("disk full"), 1, "error: disk full\n"),
        (UsageError("wrong"), 2, "error: wrong\n"),
        (ConfigError("file: wrong"), 2, "error: file: wrong\n"),
        (KeyboardInterrupt(), 130, "\navesa: interrupted\n"),
        (click.UsageError("no such thing"), 2, "no such thing"),
    ],
)
def test_an_error_has_its_status_and_its_own_words(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], error: BaseException, status: int, told: str
) -> None:
    failing.append(error)

    assert _status("fail") == status
    assert told in capsys.readouterr().err


def test_an_unforeseen_error_asks_to_be_reported_and_hides_its_traceback(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(ZeroDivisionError("by zero"))

    status = _status("fail")

    told = capsys.readouterr().err
    assert status == 1
    assert "unforeseen ZeroDivisionError: by zero" in told
    assert "please report it" in told
    assert "Traceback" not in told


def test_the_traceback_is_shown_on_demand(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing.append(ZeroDivisionError("by zero"))
    monkeypatch.setenv("AVESA_DEBUG", "1")

    _status("fail")

    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["simulate", "connectwise", "-h"]])
def test_help_ends_well(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _status(*arguments) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nothing"], ["run", "--no-such-option"], ["job"], ["backfill"]])
def test_a_call_that_click_refuses_ends_with_2(arguments: list[str]) -> None:
    assert _status(*arguments) == 2
