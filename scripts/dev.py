#!/usr/bin/env python3
"""The newcomer's door: makes an environment from hashed requirements, then runs the demo, the tests or `avesa`.

Standard library only, because it runs before anything is installed. The text must parse on old Pythons, so that
they get to the sentence that says which Python is needed: no syntax newer than 3.6 (tests/architecture checks it).
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this file is started by whatever `python3` is on the machine
    sys.exit(
        f"AVESA needs Python 3.11 or newer; this is Python {sys.version.split()[0]} ({sys.executable}).\n"
        "Install a newer one and start this script with it, for example: python3.12 scripts/dev.py demo"
    )

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = "runtime"
DEV = "dev"
# Packages whose every branch is a rule about data; the rest is covered by flow tests in other processes.
MEASURED = ("domain", "canonical", "connectors")
COVERAGE_PERCENT = 95
# Histories under a scheduler of their own, and the deployment guide from beginning to end.
WHOLE = ("tests/reliability", "tests/rehearsal/test_rehearsal.py")
LAMBDA_PACKAGES = ("lambda-chunk", "lambda-transform", "lambda-simulator")


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


class Environment:
    """A virtual environment and the stamps that say which requirements it holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        suffix = ".exe" if os.name == "nt" else ""
        self.python = scripts / f"python{suffix}"
        self.avesa = scripts / f"avesa{suffix}"
        self.scripts = scripts

    def program(self, name: str) -> str:
        """Return the path of a program that is installed in the environment."""
        return str(self.scripts / (name + (".exe" if os.name == "nt" else "")))

    def runs(self, code: str) -> bool:
        """Tell whether the environment's Python runs `code` without an error."""
        try:
            return subprocess.run([str(self.python), "-c", code], capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    def stamp(self, level: str) -> Path:
        """Return the file that holds the digest of the last complete setup of `level`."""
        return self.folder / f"avesa-{level}.stamp"

    def is_ready(self, level: str) -> bool:
        """Tell whether the environment holds what `level` asks for, as the files say it now."""
        levels = [RUNTIME, DEV] if level == RUNTIME else [DEV]  # dev holds everything that runtime does
        current = any(_read(self.stamp(name)) == digest(name, ROOT) for name in levels)
        return current and self.runs("from avesa import __version__")

    def create(self) -> None:
        """Make the environment if it is missing, and make it again if its Python or pip does not run."""
        if self.runs("import sys, pip; sys.exit(sys.version_info < (3, 11))"):
            return
        missing = [name for name in ("venv", "ensurepip") if find_spec(name) is None]
        if missing:
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise SetupError(
                f"Python's {' and '.join(missing)} is missing, which makes virtual environments.\n"
                f"On Debian: sudo apt-get install python{version}-venv (or python3-venv); then start this again."
            )
        self.discard()
        say(f"making a virtual environment in {self.folder}")
        # The interpreter behind an active environment: one that lives in the folder above would be gone by now.
        base = getattr(sys, "_base_executable", None) or sys.executable
        quietly([base, "-m", "venv", str(self.folder)], "the virtual environment could not be made")

    def discard(self) -> None:
        """Remove the folder if it is a virtual environment; anything else in its place is an error."""
        if not self.folder.exists() or not any(self.folder.iterdir()):
            return
        if not (self.folder / "pyvenv.cfg").is_file():
            raise SetupError(f"{self.folder} is not a virtual environment; name another folder in AVESA_VENV.")
        say(f"the virtual environment in {self.folder} does not work; making it again")
        shutil.rmtree(self.folder)

    def install(self, level: str) -> None:
        """Install the hashed requirements of `level` and the project itself; stamp it when all of it succeeded."""
        requirements = ROOT / "requirements" / f"{level}.txt"
        wanted = digest(level, ROOT)
        for name in (RUNTIME, DEV):
            self.stamp(name).unlink(missing_ok=True)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        say(f"installing requirements/{level}.txt (the first time this takes a minute or two)")
        # Wheels only: building a source archive would fetch build tools that no hash covers.
        quietly(
            [*pip, "--require-hashes", "--only-binary=:all:", "-r", str(requirements)],
            f"pip could not install requirements/{level}.txt",
        )
        say("installing avesa itself from this folder")
        # The build backend came with the hashed requirements, so that this step asks no network.
        quietly(
            [*pip, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
            "pip could not install the project itself",
        )
        self.stamp(level).write_text(wanted, encoding="utf-8")


def digest(level: str, root: Path) -> str:
    """Return a digest of all that decides what an environment of `level` holds.

    The folder is part of it, because an editable install points to it: a copied tree must not use the old one.
    """
    found = hashlib.sha256(f"{root}\n{level}\n".encode())
    for name in (f"requirements/{level}.txt", "pyproject.toml", "src/avesa/__init__.py"):
        found.update((root / name).read_bytes())
    return found.hexdigest()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def say(text: str) -> None:
    """Print a line about what this script does; on stderr, since stdout belongs to the command that it starts."""
    print(f"dev: {text}", file=sys.stderr, flush=True)


def quietly(command: "list[str]", problem: str) -> None:
    """Run a command and show its output only if it fails. Raises SetupError then."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        raise SetupError(f"{problem}; its output is above.")


def prepare(level: str) -> Environment:
    """Return an environment that holds what `level` asks for. The second call changes nothing and is quick."""
    environment = Environment(Path(os.environ.get("AVESA_VENV") or ROOT / ".venv").absolute())
    if not environment.is_ready(level):
        environment.create()
        environment.install(level)
    return environment


def hand_over(command: "list[str]") -> int:
    """Run a command in the place of this script, so that Ctrl-C and the exit status are the command's own."""
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    return subprocess.call(command)


def run_checks(checks: "list[tuple[str, list[str]]]") -> int:
    """Run every check, also after one has failed, and print the verdicts together. Returns 1 if any failed."""
    verdicts = []
    for name, command in checks:
        started = time.monotonic()
        say(f"{name} ...")
        passed = subprocess.call(command, cwd=str(ROOT)) == 0
        verdicts.append((name, passed, time.monotonic() - started))
    for name, passed, seconds in verdicts:
        say(f"{'ok    ' if passed else 'FAILED'} {name} ({seconds:.1f} s)")
    return 0 if all(passed for _, passed, _ in verdicts) else 1


def static_checks(environment: Environment) -> "list[tuple[str, list[str]]]":
    """Return the checks that run no code of ours."""
    return [
        ("ruff", [environment.program("ruff"), "check", "."]),
        ("ruff format", [environment.program("ruff"), "format", "--check", "."]),
        ("mypy", [environment.program("mypy")]),
        ("import-linter", [environment.program("lint-imports")]),
    ]


def pytest_command(environment: Environment, *arguments: str) -> "list[str]":
    """Return the command that runs the tests on every core, one file on one core."""
    # A process that a hanging test took with it is not replaced: pytest-xdist 3.8 would then wait for ever (issue 784).
    spread = ["-n", "auto", "--dist", "loadfile", "--max-worker-restart", "0"]
    return [str(environment.python), "-m", "pytest", "-q", *spread, *arguments]


def setup(arguments: "list[str]") -> int:
    """Make or refresh the environment and do nothing else; `setup dev` adds the tools for tests and checks."""
    level = arguments[0] if arguments else RUNTIME
    if level not in (RUNTIME, DEV):
        raise SetupError(f"setup takes {RUNTIME} or {DEV}, not {level!r}.")
    environment = prepare(level)
    say(f"ready: {environment.folder} ({level})")
    return 0


def demo(arguments: "list[str]") -> int:
    """Show the main job from an empty folder to queried tables: `avesa demo`."""
    return hand_over([str(prepare(RUNTIME).avesa), "demo", *arguments])


def avesa(arguments: "list[str]") -> int:
    """Run `avesa` with the arguments that follow."""
    return hand_over([str(prepare(RUNTIME).avesa), *arguments])


def test(arguments: "list[str]") -> int:
    """Run every check and the whole suite with coverage; with arguments, only pytest with those."""
    environment = prepare(DEV)
    if arguments:
        os.chdir(ROOT)
        return hand_over([str(environment.python), "-m", "pytest", *arguments])
    coverage = [environment.program("coverage"), "report", f"--fail-under={COVERAGE_PERCENT}"]
    return run_checks(
        [
            *static_checks(environment),
            # What runs whole pipelines of its own is not measured: it would take minutes, and adds nothing.
            ("tests", pytest_command(environment, "--cov", "--cov-report=", *(f"--ignore={name}" for name in WHOLE))),
            ("whole pipelines", pytest_command(environment, *WHOLE)),
            ("coverage", [*coverage, "--include=" + ",".join(f"*/avesa/{name}/*" for name in MEASURED)]),
        ]
    )


def check(arguments: "list[str]") -> int:
    """Run what a commit must pass: ruff, its formatter, mypy, import-linter and the tests that are not slow."""
    environment = prepare(DEV)
    quick = pytest_command(environment, "-m", "not slow", *arguments)
    return run_checks([*static_checks(environment), ("quick tests", quick)])


def lock(arguments: "list[str]") -> int:
    """Resolve requirements/*.in and pyproject.toml into hashed pins; `--upgrade` takes newer releases."""
    uv = prepare(DEV).program("uv")
    compiled = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
    compiled += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", *arguments]
    # With hashes, older pips refuse `coverage[toml]` as unpinned where only `coverage` is pinned and newer is out.
    compiled += ["--no-strip-extras"]
    runtime = ["pyproject.toml", "requirements/runtime.in"]
    pinned = ["--constraints", "requirements/runtime.txt"]
    # What runs on AWS, or deploys it, has the releases that the tests run with.
    deployed = [*pinned, "--constraints", "requirements/aws.txt"]
    targets = [
        ("runtime", runtime),
        ("aws", [*runtime, "requirements/aws.in", *pinned]),
        ("dev", [*runtime, "requirements/aws.in", "requirements/infrastructure.in", "requirements/dev.in", *deployed]),
        ("duckdb-reader", ["requirements/duckdb-reader.in"]),
        ("peers", ["requirements/peers.in"]),
        ("audit", ["requirements/audit.in"]),
        *((name, [f"requirements/{name}.in", *deployed]) for name in LAMBDA_PACKAGES),
        ("infrastructure", ["requirements/infrastructure.in", *deployed]),
    ]
    for name, sources in targets:
        output = f"requirements/{name}.txt"
        say(f"locking {output}")
        subprocess.run([*compiled, *sources, "-o", output], cwd=str(ROOT), stdout=subprocess.DEVNULL, check=True)
    return 0


def kill_matrix(arguments: "list[str]") -> int:
    """Kill a run at every durable write, recover it, compare every row (docs/reliability.md)."""
    return module("reliability.kill_matrix", arguments)


def histories(arguments: "list[str]") -> int:
    """Live through random histories, each from a seed (docs/reliability.md)."""
    return module("reliability.histories", arguments)


def mutations(arguments: "list[str]") -> int:
    """Break the source in well-known ways and show what turns red (docs/reliability.md)."""
    return module("reliability.mutations", arguments)


def rehearsal(arguments: "list[str]") -> int:
    """Carry the whole deployment guide out on an emulator of AWS (docs/deployment.md)."""
    return module("rehearsal", arguments)


def bench(arguments: "list[str]") -> int:
    """Measure AVESA beside its peers and as tables grow (docs/performance.md); `--quick`: 2 minutes."""
    return module("benchmarks", arguments)


def profile(arguments: "list[str]") -> int:
    """Say where the time of a load goes, stage by stage, beside the floor of each."""
    return module("benchmarks.profile", arguments)


def module(name: str, arguments: "list[str]") -> int:
    """Run a program of this repository that needs the sources beside it."""
    environment = prepare(DEV)
    os.chdir(ROOT)
    return hand_over([str(environment.python), "-m", name, *arguments])


def audit(arguments: "list[str]") -> int:
    """Compare every locked dependency with the published weaknesses. The package index is asked, and must know them."""
    auditor = Environment(ROOT / "build" / "audit")
    lock = ROOT / "requirements" / "audit.txt"
    if _read(auditor.stamp("audit")) != lock.read_text(encoding="utf-8"):
        auditor.create()
        pip = [str(auditor.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        quietly([*pip, "--require-hashes", "--only-binary=:all:", "-r", str(lock)], "pip could not install pip-audit")
        auditor.stamp("audit").write_text(lock.read_text(encoding="utf-8"), encoding="utf-8")
    # Strict: a dependency that the index cannot tell anything about has not been audited.
    command = [auditor.program("pip-audit"), "--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    return run_checks([(path.name, [*command, *arguments, "-r", str(path)]) for path in locks])


COMMANDS = {"demo": demo, "test": test, "setup": setup, "check": check, "lock": lock, "avesa": avesa}
COMMANDS |= {"rehearsal": rehearsal, "kill-matrix": kill_matrix, "histories": histories, "mutations": mutations}
COMMANDS |= {"bench": bench, "profile": profile, "audit": audit}


def main(arguments: "list[str]") -> int:
    """Run the command that the arguments name; return its exit status."""
    described = "\n".join(f"  {name:12}{(run.__doc__ or '').splitlines()[0]}" for name, run in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python3 scripts/dev.py",
        description=f"Work with a checkout of AVESA.\n\n{described}",
        epilog="AVESA_VENV names another folder than .venv for the virtual environment.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=list(COMMANDS), metavar="command", help="one of the above")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the command")
    chosen = parser.parse_args(arguments)
    try:
        return COMMANDS[chosen.command](chosen.arguments)
    except SetupError as error:
        say(str(error))
        return 1
    except subprocess.CalledProcessError as error:
        say(f"{Path(error.cmd[0]).name} failed with exit status {error.returncode}")
        return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
