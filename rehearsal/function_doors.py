"""A loopback address for each function's URL: the emulator knows them by a host name that no resolver has.

Runs inside the emulator (rehearsal.emulator_launcher), with the standard library alone.
"""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from email.message import Message

_OWN: Final = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}
"""Headers that each side of a door has its own of."""
_ANSWER_SECONDS: Final = 60
_doors: Final[dict[str, str]] = {}
_lock: Final = threading.Lock()


def door(url: str, gateway: str, authority: str) -> str:
    """Return the loopback address of a function's URL, opened when it is first asked for."""
    host = urlsplit(url).netloc
    with _lock:
        if host not in _doors:
            server = ThreadingHTTPServer(("127.0.0.1", 0), _door(host, gateway, authority))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            _doors[host] = f"http://127.0.0.1:{server.server_address[1]}/"
        return _doors[host]


def _door(host: str, gateway: str, authority: str) -> type[BaseHTTPRequestHandler]:
    behind = f"{gateway}/_aws/lambda-url/{host.partition('.')[0]}"
    trusted = ssl.create_default_context(cafile=authority or None)
    # Without the proxy of the machine's settings: the gateway is on this machine.
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trusted))

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = Request(  # noqa: S310 - the emulator's own address
                f"{behind}{self.path}",
                data=self.rfile.read(length) if length else None,
                headers={name: value for name, value in self.headers.items() if name.lower() not in _OWN},
                method=self.command,
            )
            try:
                answer: Any = opener.open(asked, timeout=_ANSWER_SECONDS)
            except HTTPError as error:
                answer = error
            with answer:
                self._answer(answer.status, answer.headers, answer.read())

        def _answer(self, status: int, headers: Message, body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _OWN:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the names that http.server calls

        def log_message(self, *_given: object) -> None:
            """Say nothing."""

    return Door
