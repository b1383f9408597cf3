"""Where a rehearsal takes place: an emulator, a source, a clone of this checkout, and a shell as a newcomer has it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3

from avesa.entrypoints.demo_source import demo_source
from rehearsal.emulator import ACCOUNT, REGION, ROOT_KEY, emulator
from rehearsal.shell import Done, OutcomeError, run_on_terminal, run_shell
from rehearsal.tools import ToolError, node_package, python_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from avesa.entrypoints.demo_source import DemoSource
    from rehearsal.emulator import Emulator

__all__ = ["Done", "OutcomeError"]  # beside what is defined here
CDK_VERSION: Final = "2.1148.1"
PRODUCTION: Final = "222222222222"
TENANT: Final = "acme"
SEED: Final = 20
SIZES: Final = {"tickets": 150, "time_entries": 2_400, "companies": 25, "contacts": 60}
"""Small, but for one table that is read in several chunks, by the distributed map."""
CREDENTIALS: Final = ("company_id", "public_key", "private_key", "client_id", "api_base_url")
_ROOT: Final = Path(__file__).resolve().parents[1]
_EXPORT: Final = re.compile(r'export (\w+)="?(.*?)"?')
_LONGEST_SECONDS: Final = 900.0
_FOLLOW_SECONDS: Final = 60.0
_EXECUTION_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.2
# What a deployment needs of the machine's own settings: where packages come from, whom to trust, what is left out.
_KEPT: Final = ("PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "LANG")


@dataclass(slots=True)
class World:
    """One pass's own machine."""

    folder: Path
    emulator: Emulator
    source: DemoSource
    python: Path
    """The newcomer's interpreter."""
    variables: dict[str, str]
    has_profiles: bool
    clone: Path = field(init=False)
    cwd: Path = field(init=False)
    execution_arn: str = ""
    previous_commit: str = ""
    printed: list[str] = field(default_factory=list)
    """All that the commands have said, in their order."""

    def __post_init__(self) -> None:
        self.clone = self.folder / "avesa"
        self.cwd = self.folder

    def credentials(self) -> dict[str, str]:
        """Return the tenant's credentials as the variables that set-up takes."""
        company = self.source.companies[0]
        return {f"CONNECTWISE_{name.upper()}": company[name] for name in CREDENTIALS}

    def filled(self, command: str) -> str:
        """Return a command of the guide with this world's values in the place of what it leaves open."""
        values = {
            "<repository-url>": str(self.folder / "origin" / "avesa"),
            "{tenant-id}": TENANT,
            "YOUR_DEV_ACCOUNT_ID": ACCOUNT,
            "YOUR_PRODUCTION_ACCOUNT_ID": PRODUCTION,
            "us-east-2:ACCOUNT": f"{REGION}:{ACCOUNT}",
            "EXECUTION_ARN": self.execution_arn,
            "<previous-commit>": self.previous_commit,
        }
        for name, value in values.items():
            command = command.replace(name, value)
        return command

    def run(
        self, command: str, *, typed: str = "", more: Mapping[str, str] | None = None, seconds: float = _LONGEST_SECONDS
    ) -> Done:
        """Run a command as a shell does. `cd` and `export` last until the next `leave`."""
        filled = self.filled(command)
        exported = _EXPORT.fullmatch(filled)
        if filled.startswith("cd "):
            self.cwd = (self.cwd / filled[3:]).resolve()
            return Done(0 if self.cwd.is_dir() else 1, "", f"no folder {self.cwd}")
        if exported is not None:
            self.variables[exported[1]] = self.credentials()[exported[1]]
            return Done(0, "", "")
        done = run_shell(filled, self.cwd, {**self.variables, **(more or {})}, typed=typed, seconds=seconds)
        self.printed.append(done.said)
        return done

    def await_execution(self) -> None:
        """Wait until the remembered execution has ended, asking the emulator itself. Raises OutcomeError when it does
        not.
        """
        states = boto3.client(
            "stepfunctions",
            region_name=REGION,
            endpoint_url=self.emulator.url,
            aws_access_key_id=ROOT_KEY,
            aws_secret_access_key=ROOT_KEY,
            verify=str(self.emulator.certificate) if self.emulator.certificate else None,
        )
        deadline = time.monotonic() + _EXECUTION_SECONDS
        while states.describe_execution(executionArn=self.execution_arn)["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise OutcomeError(f"{self.execution_arn} still runs after {_EXECUTION_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def follow(self, command: str) -> Done:
        """Run a command that never ends by itself, on a terminal, until it has printed a line; then end it."""
        return run_on_terminal(self.filled(command), self.cwd, self.variables, until="\n", seconds=_FOLLOW_SECONDS)

    def confirm(self, command: str) -> Done:
        """Run a command on a terminal, and say yes when it asks."""
        return run_on_terminal(self.filled(command), self.cwd, self.variables, until=None, seconds=_LONGEST_SECONDS)

    def take_packages(self) -> None:
        """Take over the functions' packages that an earlier pass made of the same sources: the CDK knows them by their
        digest, and makes what is missing or differs.
        """
        out = self.clone / "infrastructure" / "cdk.out"
        out.mkdir(exist_ok=True)
        for made in sorted(self.folder.parent.glob("*/avesa/infrastructure/cdk.out/asset.*")):
            target = out / made.name
            if made.is_dir() and not target.exists():
                shutil.copytree(made, target, copy_function=os.link)
            elif not target.exists():
                target.hardlink_to(made)

    def leave(self) -> None:
        """Go back to the clone, as a new shell."""
        self.cwd = self.clone if self.clone.is_dir() else self.folder
        for name in self.credentials():
            self.variables.pop(name, None)


@contextmanager
def world(folder: Path, *, is_enforcing: bool) -> Iterator[World]:
    """Make a world in `folder`, and take it down afterwards. Where policies are enforced, the credentials come from
    variables, as in a pipeline; elsewhere from profiles, as on a developer's machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make_origin(folder / "origin" / "avesa")
    python = newcomers_python(folder.name)
    with (
        emulator(folder / "emulator", is_enforcing=is_enforcing, is_encrypted=is_enforcing) as running,
        demo_source(seed=SEED, companies=1, sizes=SIZES) as source,
    ):
        yield World(
            folder=folder,
            emulator=running,
            source=source,
            python=python,
            variables=_variables(folder, running, python, has_profiles=not is_enforcing),
            has_profiles=not is_enforcing,
        )


def newcomers_python(name: str) -> Path:
    """Return an interpreter of a pass's own. It finds what this checkout's environment has, so that pip checks the
    requirements, installs this project, and downloads nothing that is there already.
    """
    python = python_environment(f"newcomer-{name}", ["pip"])
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    (packages / "this-checkouts.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return python


def make_origin(folder: Path) -> None:
    """Make a repository of this checkout as it lies there, committed or not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - found as the user would
        cwd=_ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        raise ToolError(f"a rehearsal clones this checkout with git, which said: {listed.stderr.decode()}")
    for name in listed.stdout.decode().split("\0"):
        if name and (_ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, target)
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], _commit("as it is")):
        subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607 - as above


def change_origin(world: World, name: str, old: str, new: str) -> None:
    """Commit a change to a file of the clone, as somebody's next piece of work."""
    path = world.clone / name
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise OutcomeError(f"{name} does not hold {old!r}")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    for arguments in (["add", "-A"], _commit(f"change {name}")):
        subprocess.run(["git", *arguments], cwd=world.clone, check=True, capture_output=True)  # noqa: S607 - as above


def _commit(message: str) -> list[str]:
    who = ["-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost", "-c", "commit.gpgsign=false"]
    return [*who, "commit", "-q", "--no-verify", "-m", message]


def _variables(folder: Path, running: Emulator, python: Path, *, has_profiles: bool) -> dict[str, str]:
    home, programs = folder / "home", folder / "bin"
    home.mkdir()
    programs.mkdir()
    _write_program(programs / "aws", f'exec {shlex.quote(aws_program())} --endpoint-url "$AWS_ENDPOINT_URL" "$@"')
    version = ".".join(python_version(python))
    # What would be an answer on a terminal, and what makes packages for this machine's own Python.
    settings = f'{{"requireApproval": "never", "context": {{"architecture": "x86_64", "python": "{version}"}}}}\n'
    (home / ".cdk.json").write_text(settings, encoding="utf-8")
    node = node_package("aws-cdk", CDK_VERSION).parent / ".bin"
    kept = {name: text for name, text in os.environ.items() if name.startswith(_KEPT)}
    pip_settings = [Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"]
    pip_file = next((str(path) for path in pip_settings if path.is_file()), "")
    client = dict(running.variables)
    if has_profiles:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
            client.pop(name)
    return {
        **kept,
        **({"PIP_CONFIG_FILE": pip_file} if pip_file and "PIP_CONFIG_FILE" not in kept else {}),
        # The wheels that this checkout's own environment was made of; bytecode is made of what is used alone.
        "PIP_CACHE_DIR": kept.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
        "PIP_NO_COMPILE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "HOME": str(home),
        "VIRTUAL_ENV": str(python.parents[1]),
        "PATH": os.pathsep.join([str(programs), str(python.parent), str(node), os.environ.get("PATH", "")]),
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
        **client,
    }


def python_version(python: Path) -> tuple[str, str]:
    """Return the major and minor number of an interpreter."""
    found = subprocess.run([str(python), "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    major, minor, *_ = found.split(".")
    return major, minor


def aws_program() -> str:
    """Return an AWS CLI of version 2: version 1 has no `logs tail`."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"]
    for folder in dict.fromkeys(folders):
        path = Path(folder, "aws")
        if path.is_file():
            said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False).stdout
            if said.startswith("aws-cli/2"):
                return str(path)
    raise ToolError("the rehearsal needs an AWS CLI of version 2; on Debian: sudo apt-get install awscli")


def _write_program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def seconds_since(started: float) -> str:
    """Return how long something took, for people."""
    return f"{time.monotonic() - started:.1f} s"
