"""What every function's door knows: an event and its answer as JSON, what Lambda tells of a call, and the check."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Protocol

from avesa import __version__

CHECK = "check"
"""The step of an event that only asks what a deployed function is; nothing is read or written."""
Event = Mapping[str, object]
Answer = Mapping[str, object]


class LambdaContext(Protocol):
    """What Lambda tells of the call, as far as it is used."""

    function_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""


def checked(context: LambdaContext, steps: tuple[str, ...]) -> Answer:
    """Return what is deployed here: proof that the package can be loaded and belongs to this version."""
    return {
        "function": context.function_name,
        "steps": list(steps),
        "version": __version__,
        "python": platform.python_version(),
    }
