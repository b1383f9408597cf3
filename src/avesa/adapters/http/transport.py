"""One request, one whole response. urllib3 keeps connections and checks lengths; retrying is the core's decision."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3

from avesa.connectors.connectwise import is_loopback
from avesa.domain.errors import TenantPermanentError, TransientSourceError
from avesa.ports.source import HttpResponse

if TYPE_CHECKING:
    from avesa.ports.source import HttpRequest

_CONNECT_TIMEOUT_SECONDS = 20.0


class Urllib3Transport:
    """A Transport over one connection pool for the whole process; safe to share between threads."""

    def __init__(self, *, max_connections: int = 64) -> None:
        self._pool = urllib3.PoolManager(num_pools=64, maxsize=max_connections, block=False, retries=False)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the response with its whole body; see the port for what is raised."""
        parts = urlsplit(request.url)
        where = f"{parts.netloc}{parts.path}"
        headers = dict(request.headers)
        if not is_loopback(parts.hostname or ""):
            # Ten times fewer bytes on a real network; on loopback unpacking would cost more than it saves.
            headers["Accept-Encoding"] = "gzip"
        started = time.monotonic()
        try:
            response = self._pool.request(
                request.method,
                request.url,
                body=request.body,
                headers=headers,
                timeout=urllib3.Timeout(
                    connect=min(_CONNECT_TIMEOUT_SECONDS, request.timeout_seconds), read=request.timeout_seconds
                ),
                redirect=False,
                enforce_content_length=True,
            )
        except urllib3.exceptions.HTTPError as error:
            raise _sorted(error, where) from None
        return HttpResponse(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=response.data,
            elapsed_seconds=time.monotonic() - started,
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()


def _sorted(error: urllib3.exceptions.HTTPError, where: str) -> TransientSourceError | TenantPermanentError:
    """Sort by what to do next. The original is not chained: its text may quote the request."""
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        is_unknown = getattr(error.__cause__, "errno", None) == socket.EAI_NONAME
        kind = TenantPermanentError if is_unknown else TransientSourceError
        return kind(f"{where}: the host name cannot be resolved; check the address, or the network")
    if isinstance(error, urllib3.exceptions.SSLError):
        return TenantPermanentError(
            f"{where}: the server's certificate is not trusted; check the address, or install its authority"
        )
    if isinstance(error, urllib3.exceptions.LocationValueError):
        return TenantPermanentError(f"{where}: this is not an address; correct it with `avesa setup-service`")
    # To urllib3 a refused connection is a kind of timeout, so it comes first.
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return TransientSourceError(f"{where}: nothing accepts the connection")
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return TransientSourceError(f"{where}: no answer in time")
    return TransientSourceError(f"{where}: the answer broke off ({type(error).__name__})")
