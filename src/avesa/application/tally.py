"""Counts what a source was asked and what it answered, from all threads that share it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from avesa.domain.model import Usage

if TYPE_CHECKING:
    from avesa.ports.source import HttpRequest, HttpResponse, Transport


class Tally:
    """A sum of requests, retries and answers. Safe to share between threads."""

    def __init__(self) -> None:
        self._usage = Usage()
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What was counted so far."""
        return self._usage

    def send(self, transport: Transport, request: HttpRequest) -> HttpResponse:
        """Send the request; counted before it is known whether an answer comes."""
        self._add(Usage(requests=1))
        response = transport.send(request)
        self._add(Usage(answered_seconds=response.elapsed_seconds, received_bytes=len(response.body)))
        return response

    def retried(self, *, is_throttled: bool) -> None:
        """Count that something is asked again."""
        self._add(Usage(retries=1, throttles=int(is_throttled)))

    def take(self) -> Usage:
        """Return what was counted since the last time, and begin anew."""
        with self._lock:
            taken, self._usage = self._usage, Usage()
        return taken

    def _add(self, more: Usage) -> None:
        with self._lock:
            self._usage += more
