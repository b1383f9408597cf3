"""One request, one whole response; what breaks is sorted by what to do next, and quotes no secret."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from avesa.adapters.http.transport import Urllib3Transport
from avesa.domain.errors import TenantPermanentError, TransientSourceError
from avesa.ports.source import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "planted-secret"


@pytest.fixture
def transport() -> Iterator[Urllib3Transport]:
    made = Urllib3Transport()
    yield made
    made.close()


class OneAnswer:
    """A server that says these bytes to each connection and hangs up."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/a/b?secret={SECRET}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


def request(url: str, timeout_seconds: float = 5.0) -> HttpRequest:
    return HttpRequest(
        method="GET", url=url, headers={"Authorization": f"Basic {SECRET}"}, timeout_seconds=timeout_seconds
    )


def answered(transport: Urllib3Transport, answer: bytes) -> str:
    server = OneAnswer(answer)
    try:
        with pytest.raises(TransientSourceError) as caught:
            transport.send(request(server.url))
    finally:
        server.close()
    assert SECRET not in str(caught.value)
    assert "/a/b" in str(caught.value)
    return str(caught.value)


def test_a_response_comes_whole_with_lower_case_headers(transport: Urllib3Transport) -> None:
    server = OneAnswer(b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\nRetry-After: 7\r\nConnection: close\r\n\r\nno")

    response = transport.send(request(server.url))
    server.close()

    assert (response.status, response.body, response.headers["retry-after"]) == (503, b"no", "7")
    assert response.elapsed_seconds >= 0


def test_a_redirect_is_given_back_and_not_followed(transport: Urllib3Transport) -> None:
    server = OneAnswer(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

    response = transport.send(request(server.url))
    server.close()

    assert (response.status, response.headers["location"]) == (302, "http://127.0.0.1:1/")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"",
        b"not http at all\r\n\r\n",
    ],
    ids=["cut", "cut chunk", "undecodable", "nothing", "no http"],
)
def test_an_answer_that_is_not_whole_is_asked_for_again(transport: Urllib3Transport, answer: bytes) -> None:
    assert "the answer broke off" in answered(transport, answer)


def test_a_port_that_nobody_listens_on_is_asked_again(transport: Urllib3Transport) -> None:
    with pytest.raises(TransientSourceError, match="nothing accepts the connection"):
        transport.send(request("http://127.0.0.1:1/x"))


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(transport: Urllib3Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"

        with pytest.raises(TransientSourceError, match="no answer in time"):
            transport.send(request(url, timeout_seconds=0.05))


def test_what_is_no_address_ends_the_tenant(transport: Urllib3Transport) -> None:
    with pytest.raises(TenantPermanentError, match="not an address"):
        transport.send(request("http://psa.example:99999/x"))


def test_a_request_never_shows_its_headers_or_body() -> None:
    assert SECRET not in repr(request("http://x/"))
