"""`make rehearsal`: the whole deployment guide on this machine, with no account. `python -m rehearsal --help`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from rehearsal.outcomes import table
from rehearsal.releases import releases_pass
from rehearsal.scenes import Stage, first_pass, second_pass
from rehearsal.shell import end_commands
from rehearsal.tools import ToolError, cache_folder
from rehearsal.world import OutcomeError, world

_PASSES = {"guide": first_pass, "enforced": second_pass, "releases": releases_pass}
_DEFAULT = ("guide", "enforced")


def main(arguments: list[str]) -> int:
    """Rehearse; return 0 when everything came to what the guide promises."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    parser.add_argument(
        "passes", nargs="*", metavar="PASS", help=f"of {', '.join(_PASSES)}; default: {', '.join(_DEFAULT)}"
    )
    parser.add_argument("--keep", action="store_true", help="leave the folder with its logs, and say where it is")
    parser.add_argument("--table", action="store_true", help="print the guide's table of commands, and do nothing")
    chosen = parser.parse_args(arguments)
    if chosen.table:
        print(table(), end="")
        return 0
    unknown = set(chosen.passes) - set(_PASSES)
    if unknown:
        parser.error(f"unknown pass {', '.join(unknown)}")
    # One at a time: the newcomer's Python is shared, and has one checkout installed.
    with FileLock(cache_folder() / "rehearsal.lock"):
        return _rehearse(chosen.passes or list(_DEFAULT), is_kept=chosen.keep)


def _rehearse(names: list[str], *, is_kept: bool) -> int:
    folder = Path(tempfile.mkdtemp(prefix="avesa-rehearsal-")).resolve()
    started = time.monotonic()
    packages_are_made = threading.Event()
    if "guide" not in names:
        packages_are_made.set()
    # Beside each other: each waits for its own emulator and programs much of the time.
    with ThreadPoolExecutor(len(names)) as pool:
        passes = [pool.submit(_rehearsed, name, folder / name, packages_are_made) for name in names]
    is_fine = all(one.result() for one in passes)
    tell(f"{'the rehearsal succeeded' if is_fine else 'the rehearsal FAILED'} after {time.monotonic() - started:.0f} s")
    if is_fine and not is_kept:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        tell(f"its files and logs are in {folder}")
    return 0 if is_fine else 1


def _rehearsed(name: str, folder: Path, packages_are_made: threading.Event) -> bool:
    def say(text: str) -> None:
        tell(f"{name:8} {text}")

    started = time.monotonic()
    try:
        with world(folder, is_enforcing=name == "enforced") as made:
            _PASSES[name](Stage(made, say, packages_are_made))
    except (OutcomeError, ToolError) as error:
        say(f"FAILED: {error}")
        return False
    finally:
        packages_are_made.set()  # or the other pass would wait for one that has ended
    say(f"--- the pass took {time.monotonic() - started:.0f} s ---")
    return True


def tell(text: str) -> None:
    """Say how far it is."""
    print(text, flush=True)


def _ended(number: int, _frame: object) -> None:
    end_commands()
    raise SystemExit(128 + number)


if __name__ == "__main__":
    # Ended from outside, it still ends the servers that it started.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)
    # What the caller has set for the product must not reach the newcomer who is played here.
    for variable in [name for name in os.environ if name.startswith(("AVESA_", "CONNECTWISE_", "AWS_", "CDK_"))]:
        if variable not in ("AVESA_TEST_CACHE", "AWS_CA_BUNDLE"):
            del os.environ[variable]
    sys.exit(main(sys.argv[1:]))
