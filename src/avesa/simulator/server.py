"""Serves a site over HTTP/1.1 from threads of this process, with or without TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from datetime import UTC
from email.utils import format_datetime
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from avesa.simulator.api import login_of, respond
from avesa.simulator.wire import Request, Response

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from avesa.simulator.site import Site

_JOINED_BELOW = 65_536  # a small body goes out with its head in one write
_BACKLOG = 256


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, has the core answer them, writes what it said."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
            scheme=self.server.scheme,
            is_loopback=self.client_address[0] in {"127.0.0.1", "::1"},
        )
        company = login_of(request) or ""
        statistics = self.server.site.statistics
        statistics.begin(company)
        try:
            response = respond(self.server.site, request)
            if response.delay_seconds > 0:
                self.server.closing.wait(response.delay_seconds)
        finally:
            statistics.end(company)
        self._write(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names that http.server calls

    def _write(self, response: Response) -> None:
        now = format_datetime(self.server.site.now().astimezone(UTC), usegmt=True)
        lines = [
            f"HTTP/1.1 {response.status} {responses.get(response.status, '')}",
            f"Date: {now}",
            f"Content-Type: {response.content_type}",
            f"Content-Length: {len(response.body)}",
            *(f"{name}: {value}" for name, value in response.headers),
        ]
        if response.sent_bytes is not None:
            self.close_connection = True
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        body = response.body if response.sent_bytes is None else response.body[: response.sent_bytes]
        if len(body) < _JOINED_BELOW:
            self.connection.sendall(head + body)
        else:
            self.connection.sendall(head)
            self.connection.sendall(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the signature of http.server
        """Say nothing: requests are counted, not printed."""


class _Listener(ThreadingHTTPServer):
    """Accepts connections; remembers the open ones so that closing the server ends them."""

    daemon_threads = False  # so that closing waits for them
    request_queue_size = _BACKLOG
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], site: Site, context: ssl.SSLContext | None) -> None:
        self.site, self.context = site, context
        self.scheme = "https" if context else "http"
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the signature of socketserver
        """Serve one connection; TLS is agreed here, in its own thread, so that a slow peer holds up nobody else."""
        connection: socket.socket = request
        # A peer that hangs up, or that speaks no TLS, is its own affair.
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            if self.context is not None:
                connection = self.context.wrap_socket(request, server_side=True)
            with self._open_lock:
                self._open.add(connection)
            try:
                if not self.closing.is_set():
                    super().finish_request(connection, client_address)
            finally:
                with self._open_lock:
                    self._open.discard(connection)
                connection.close()

    def hang_up(self) -> None:
        """End every open connection."""
        self.closing.set()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class Server:
    """A site being served; also a context manager that closes it."""

    def __init__(self, listener: _Listener) -> None:
        self._listener = listener
        self._thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        host, port = listener.server_address[:2]
        self.port = int(port)
        self.url = f"{listener.scheme}://{host!s}:{self.port}"

    def close(self) -> None:
        """Stop accepting, end open connections and wait for their threads; closing again changes nothing."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    site: Site,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    certificate: str | Path | None = None,
    key: str | Path | None = None,
) -> Server:
    """Return the site served at `server.url`; port 0 takes a free one, a certificate's file turns TLS on."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    return Server(_Listener((host, port), site, context))
