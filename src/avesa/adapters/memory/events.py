"""Events kept in a list."""

from __future__ import annotations

import threading


class RecordingSink:
    """Keeps every event with its fields, in the order of arrival, in `events`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.events: list[tuple[str, dict[str, object]]] = []

    def emit(self, event: str, **fields: object) -> None:
        with self._lock:
            self.events.append((event, dict(fields)))

    def named(self, event: str) -> list[dict[str, object]]:
        """Return the fields of every event of that name."""
        with self._lock:
            return [fields for name, fields in self.events if name == event]
