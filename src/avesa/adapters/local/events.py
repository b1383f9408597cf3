"""Events as lines of JSON in a file, for a person with `jq` and for the tests that read what happened."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from avesa.adapters.machine.clock import SystemClock

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from avesa.ports.time import Clock
    from avesa.ports.work import EventSink


class JsonLinesSink:
    """Appends `{"at": …, "event": …, <fields>}` per event, a whole line at once: processes may share the file.

    A full disk or a field that is no JSON never stops the work: `dropped` counts the events that were not written.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock | None = None) -> None:
        self._path = Path(path).absolute()
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self.dropped = 0

    def emit(self, event: str, **fields: object) -> None:
        record = {"at": self._clock.now(), "event": event} | {
            # Ours come first and stay.
            (f"{name}_" if name in ("at", "event") else name): value
            for name, value in fields.items()
        }
        with self._lock:
            try:
                self._append(msgspec.json.encode(record, enc_hook=str) + b"\n")
            except (OSError, TypeError, ValueError, RecursionError):
                self.dropped += 1

    def _append(self, line: bytes) -> None:
        # Opened for each line: the file may be moved away meanwhile, and nothing is left open at the end.
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as file:
            file.write(line)


class TeeSink:
    """Hands every event to every sink, in their order."""

    def __init__(self, sinks: Sequence[EventSink]) -> None:
        self._sinks = tuple(sinks)

    def emit(self, event: str, **fields: object) -> None:
        for sink in self._sinks:
            sink.emit(event, **fields)
