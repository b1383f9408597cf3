"""Other people's programs for the rehearsal and the tests: installed once into a cache folder, outside the project."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LOOPBACK: Final = "127.0.0.1"
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05


class ToolError(Exception):
    """A tool could not be installed or started; the message says which, and holds its own words."""


def cache_folder() -> Path:
    """Return where tools are kept: AVESA_TEST_CACHE, or a folder of the user's cache."""
    return Path(os.environ.get("AVESA_TEST_CACHE") or Path.home() / ".cache" / "avesa-test").absolute()


def python_environment(name: str, requirements: Sequence[str]) -> Path:
    """Return the interpreter of an environment with the requirements, made by the Python that runs this."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = cache_folder() / f"{name}-py{version}"
    python = folder / "bin" / "python"
    with _made_once(folder, " ".join(requirements)) as is_new:
        if is_new:
            base = getattr(sys, "_base_executable", None) or sys.executable
            _run([base, "-m", "venv", "--clear", str(folder)], folder.parent)
            _run(
                [str(python), "-m", "pip", "install", "-q", "--no-input", "--no-compile", *requirements], folder.parent
            )
    return python


def node_package(name: str, version: str) -> Path:
    """Return the folder of an npm package, installed without running its scripts."""
    folder = cache_folder() / f"{name}-{version}"
    with _made_once(folder, version) as is_new:
        if is_new:
            npm = shutil.which("npm")
            if npm is None:
                raise ToolError(f"npm is needed for {name}; install Node.js 18 or newer")
            folder.mkdir(parents=True, exist_ok=True)
            _run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"{name}@{version}"], folder)
    return folder / "node_modules" / name


@contextmanager
def _made_once(folder: Path, content: str) -> Iterator[bool]:
    """Say whether the folder has to be made; two processes that ask together make it one after the other."""
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    stamp = folder / "avesa.stamp"
    with FileLock(f"{folder}.lock"):
        is_new = not stamp.is_file() or stamp.read_text(encoding="utf-8") != content
        yield is_new
        stamp.write_text(content, encoding="utf-8")


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    *,
    variables: Mapping[str, str],
    log: Path,
    is_ready: Callable[[], bool],
    start_seconds: float = 60.0,
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for as long as the context lasts, and whatever it has started itself.

    Raises ToolError with the end of its log when it ends early or is not ready in time.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(variables),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=folder,
        )
    try:
        deadline = time.monotonic() + start_seconds
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise ToolError(f"{command[0]} did not start:\n{tail}")
            time.sleep(_POLL_SECONDS)
        yield process
    finally:
        _end(process)


def answers(url: str) -> bool:
    """Whether something speaks HTTP there, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - loopback addresses made here
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, wanted)
        except ProcessLookupError:
            break
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        if wanted is signal.SIGKILL:
            break
    process.wait()


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
