"""Where the kill matrix is played: each backend opens a home, and copies one as a death left it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from avesa.bootstrap.local import LocalSettings, local_application
from reliability.scenario import mappings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from avesa.application.pipeline import Application

_KEY: Final = "c2VjcmV0IG9mIHRoZSBraWxsIG1hdHJpeCwgMzIgYnk="


class Backend(Protocol):
    """A home of the pipeline that a process may die in."""

    def opened(self, home: Path) -> AbstractContextManager[Application]:
        """Give the application of the home, made if it is not there."""

    def copied(self, home: Path, target: Path) -> None:
        """Make `target` a home as `home` is now."""

    def ended(self, home: Path) -> None:
        """Let it be known that the process which worked in the home is dead, as whoever ran it would."""


class LocalBackend:
    """A folder and SQLite."""

    @contextmanager
    def opened(self, home: Path) -> Iterator[Application]:
        folder = home.parent / "mappings"
        if not folder.is_dir():
            for name, content in mappings().items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        settings = LocalSettings(home=home, mappings=folder, secret_key=_KEY, parsing_processes=1)
        with local_application(settings) as application:
            yield application

    def copied(self, home: Path, target: Path) -> None:
        if home.is_dir():
            shutil.copytree(home, target, symlinks=True)

    def ended(self, home: Path) -> None:
        """The system has dropped the dead process's lock by itself."""


@contextmanager
def local_backend(folder: Path) -> Iterator[Backend]:
    """Give homes in folders."""
    del folder
    yield LocalBackend()


@contextmanager
def aws_backend(folder: Path) -> Iterator[Backend]:
    """Give homes in accounts of one emulator, which runs as long as the context."""
    from rehearsal.emulator import emulator  # noqa: PLC0415 - what only this backend needs
    from reliability.account import AwsBackend  # noqa: PLC0415 - as above

    with emulator(folder / "emulator") as running:
        yield AwsBackend(running)


BACKENDS: Final[dict[str, Callable[[Path], AbstractContextManager[Backend]]]] = {
    "local": local_backend,
    "aws": aws_backend,
}
