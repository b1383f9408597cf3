"""Chooses how a run is shown while it happens: live on a terminal, in lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from avesa.entrypoints.progress import LineProgress
from avesa.entrypoints.terminal import console

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Watcher(Protocol):
    """An event sink that shows a run."""

    def emit(self, event: str, **fields: object) -> None:
        """Take one event, from any thread."""

    def stopping(self) -> None:
        """Say that the run was asked to stop; called in a signal handler, so it takes no lock."""

    def shown(self) -> AbstractContextManager[None]:
        """Show for as long as the context lasts."""


def watcher(*, is_error: bool) -> Watcher:
    """Return what fits standard output, or standard error."""
    out = console(is_error=is_error)
    if out.is_interactive:
        from avesa.entrypoints.live import LiveProgress

        return LiveProgress(out)
    return LineProgress(sys.stderr if is_error else sys.stdout)
