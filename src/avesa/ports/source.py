"""The wire to a service: one request, one response, and the budget that all workers of a site share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as it goes out. Headers may carry credentials, so they never show in a repr."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes | None = field(repr=False, default=None)
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response whose body arrived whole (length checked, decompressed). Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    elapsed_seconds: float = 0.0


class Transport(Protocol):
    """Sends one request; follows no redirect, retries nothing."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the response, whatever its status.

        Raises TransientSourceError when no whole response came (refused, reset, cut, timed out, undecodable), and
        TenantPermanentError when the address itself is wrong (no such host, certificate not trusted).
        Messages name host and path, never headers or query values.
        """


class RequestBudget(Protocol):
    """Shared by all workers that talk to one company on one site."""

    def slot(self) -> AbstractContextManager[None]:
        """Wait for the right to send one request; held while it is under way."""

    def throttled(self, retry_after_seconds: float | None) -> None:
        """The site asked for less: nobody sends before the time is up, and fewer at once from then on."""

    def succeeded(self) -> None:
        """A request was answered: a little more at once may be tried again."""
