"""What the stages of one deployment came to, kept between the processes of a workflow's steps.

The outcome is read from here, not from the workflow: a step that was cancelled has begun and not ended, one that was
never reached has not begun.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STAGES: Final = ("safety-checks", "package", "deploy", "verify", "test")
"""What a deployment must have gone through to count as a success, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """One deployment's stages, in a file."""

    path: Path
    now: Callable[[], datetime]

    @property
    def started_at(self) -> datetime:
        """When the first stage began. Where none has, that is now, and is kept."""
        if "started_at" not in self._told():
            now = self.now().isoformat()
            self._tell(started_at=now, ended_at=now)
        return datetime.fromisoformat(self._told()["started_at"])

    @property
    def ended_at(self) -> datetime:
        """When the last stage ended that did; the same for whoever asks, so that all that is told of it agrees."""
        return max(self.started_at, datetime.fromisoformat(self._told()["ended_at"]))

    @property
    def release_id(self) -> str:
        """The release whose deployment was begun, or empty."""
        return str(self._told().get("release_id", ""))

    def begin_release(self, release_id: str) -> None:
        """Note that from now on the account may hold parts of this release."""
        self._tell(release_id=release_id)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note a stage's beginning and its end, with its error; the error goes on."""
        if name == STAGES[0]:
            # A checkout that is used again begins anew.
            self.path.unlink(missing_ok=True)
        self._tell_stage(name, "it began and did not end: it was cancelled, or its machine was lost")
        try:
            yield
        finally:
            raised = sys.exception()
            self._tell_stage(name, "" if raised is None else str(raised) or type(raised).__name__)

    def error(self) -> str:
        """Return where and why it failed; empty when every stage ended well."""
        stages = self._told().get("stages", {})
        for name in STAGES:
            told = stages.get(name, "it was not reached")
            if told:
                return f"{name}: {told}"
        return ""

    def _tell_stage(self, name: str, error: str) -> None:
        started_at = self.started_at.isoformat()
        stages = {**self._told().get("stages", {}), name: error}
        self._tell(started_at=started_at, ended_at=self.now().isoformat(), stages=stages)

    def _tell(self, **more: object) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({**self._told(), **more}, indent=1), encoding="utf-8")

    def _told(self) -> dict[str, Any]:
        if not self.path.is_file():
            return {}
        found: dict[str, Any] = json.loads(self.path.read_bytes())
        return found
