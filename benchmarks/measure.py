"""What a command costs: wall time, CPU of its whole process tree, memory of each process of it. Linux only (/proc)."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SAMPLE_SECONDS: Final = 0.05
_LIMIT_SECONDS: Final = 900.0


class CommandFailed(Exception):  # noqa: N818 - a fact about the contender, which the table shows
    """A command did not do its work; the message is the end of what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run of a command took."""

    wall_seconds: float
    cpu_seconds: float
    """User and system, of the command and all that it started."""
    tree_mb: float
    """Most resident memory of all its processes together; what they share is counted in each."""
    process_mb: float
    """Most resident memory of any one of them."""
    output: str


def run(command: Sequence[str], *, environment: dict[str, str], folder: Path, is_piped: bool = False) -> Cost:
    """Run a command to its end and return what it took. Raises CommandFailed.

    With `is_piped` the command is a line for the shell (a tap and a target are two programs).
    """
    given = ["bash", "-o", "pipefail", "-c", " ".join(command)] if is_piped else list(command)
    with (folder / "stdout").open("w+b") as told, (folder / "stderr").open("w+b") as complained:
        watched = _Watched()
        began = time.perf_counter()
        process = subprocess.Popen(
            given, stdin=subprocess.DEVNULL, stdout=told, stderr=complained, env=environment, start_new_session=True
        )
        with watched.watching(process.pid):
            status, used = _wait(process)
        wall = time.perf_counter() - began
        told.seek(0)
        complained.seek(0)
        output, errors = told.read().decode(errors="replace"), complained.read().decode(errors="replace")
    if status != 0:
        raise CommandFailed(f"exit status {status}: {(errors or output)[-1500:]}")
    return Cost(
        wall_seconds=wall,
        cpu_seconds=used,
        tree_mb=watched.tree_kb / 1024,
        process_mb=max(watched.high_kb.values(), default=0) / 1024,
        output=output,
    )


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Return the exit status, and the CPU seconds of the process and of all that it has waited for."""
    timer = threading.Timer(_LIMIT_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


class _Watched:
    """Samples the memory of a process and of everything below it."""

    def __init__(self) -> None:
        self.tree_kb = 0
        self.high_kb: dict[int, int] = defaultdict(int)

    @contextmanager
    def watching(self, root: int) -> Iterator[None]:
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(_SAMPLE_SECONDS):
                self._sample(root)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _sample(self, root: int) -> None:
        total = 0
        for process in _tree(root):
            high, now = _memory(process)
            self.high_kb[process] = max(self.high_kb[process], high)
            total += now
        self.tree_kb = max(self.tree_kb, total)


def _tree(root: int) -> list[int]:
    """Return the process and all below it."""
    found, pending = [], [root]
    while pending:
        process = pending.pop()
        found.append(process)
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                pending += [int(text) for text in children.read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread has ended since
    return found


def _memory(process: int) -> tuple[int, int]:
    """Return the most resident memory that a process ever had, and what it has now, in KB; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    values = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in lines)
        if "VmHWM" in name or "VmRSS" in name
    }
    return values.get("VmHWM", 0), values.get("VmRSS", 0)


@contextmanager
def helper(command: Sequence[str], *, environment: dict[str, str]) -> Iterator[str]:
    """Give the first line that a program prints; it ends when the context does, since its standard input does."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()
