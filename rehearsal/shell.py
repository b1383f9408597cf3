"""Runs commands as a person's shell does, on a terminal where needed; whatever a command started ends with it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_QUESTION: Final = "(y/n)"
_commands: Final[set[subprocess.Popen[Any]]] = set()


class OutcomeError(AssertionError):
    """A rehearsed command did not come to what the guide promises; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything it printed."""
        return self.out + self.err


def run_shell(command: str, folder: Path, variables: Mapping[str, str], *, typed: str, seconds: float) -> Done:
    """Run a command to its end. Raises OutcomeError when it has none in time."""
    process = subprocess.Popen(
        ["bash", "-c", command],  # noqa: S607 - the user's shell
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with _endable(process):
        try:
            out, err = process.communicate(typed, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise OutcomeError(f"$ {command}\nit had not ended after {seconds:.0f} s: {error.stdout!r}") from error
    return Done(process.returncode, out, err)


def run_on_terminal(
    command: str, folder: Path, variables: Mapping[str, str], *, until: str | None, seconds: float
) -> Done:
    """Run a command on a terminal: until it has printed `until`, or else to its end, with a yes when it asks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],  # noqa: S607 - the user's shell
        cwd=folder,
        env=dict(variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    with _endable(process):
        return _followed(process, ours, until=until, seconds=seconds)


def _followed(process: subprocess.Popen[bytes], ours: int, *, until: str | None, seconds: float) -> Done:
    said, is_asked, deadline = "", False, time.monotonic() + seconds
    try:
        while time.monotonic() < deadline and (until is None or until not in said):
            if not select.select([ours], [], [], 1.0)[0]:
                if process.poll() is not None:
                    break
                continue
            said += os.read(ours, 4096).decode(errors="replace")
            if until is None and not is_asked and _QUESTION in said:
                is_asked = True
                os.write(ours, b"y\n")
    except OSError:
        pass  # the terminal's other end is gone: the command has ended
    finally:
        if until is not None or time.monotonic() >= deadline:
            process.terminate()
        status = process.wait(20)
        os.close(ours)
    return Done(status if until is None else int(not said.strip()), said, "")


@contextmanager
def _endable(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Let `end_commands` reach the command; whatever of it is left when the context ends is killed."""
    _commands.add(process)
    try:
        yield
    finally:
        _commands.discard(process)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end_commands() -> None:
    """End what the worlds run just now: their passes then fail, and take their servers down."""
    for process in list(_commands):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
