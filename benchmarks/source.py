"""A source that is never the bottleneck: prebuilt pages by sendfile, a thread for each connection.

    python -m benchmarks.source CORPUS [--latency 1.0]

It prints its address, serves until its standard input ends, and answers what AVESA and its peers ask of ConnectWise:
forward-only pages and pages by number ordered by id, /count, conditions on id and lastUpdated, fields=id.
Pages of whole records take `--latency` seconds more; counts and lists of ids do not, as at the real service.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sys
import threading
import time
from bisect import bisect_right
from datetime import datetime
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from benchmarks.corpus import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.corpus import Corpus

_CLAUSE: Final = re.compile(r"(id|lastUpdated)\s*(>|<=|in)\s*(\[[^\]]+\]|\([^)]*\)|\d+)", re.IGNORECASE)
_HEAD_LIMIT: Final = 65_536


class Answers:
    """What the source answers, as (JSON text, further header) or as positions of whole records to be sent."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._oldest = min(corpus.seconds, default=0)
        self._newest = max(corpus.seconds, default=0)

    def positions(self, conditions: str) -> Sequence[int]:
        """Return the positions of the records that meet all conditions, ascending."""
        ids, seconds = self._corpus.ids, self._corpus.seconds
        low, high = 0, len(ids)
        wanted: set[int] | None = None
        since, until = self._oldest - 1, self._newest
        for name, operator, value in _CLAUSE.findall(conditions):
            if operator == "in":
                wanted = {int(text) for text in value.strip("()").split(",")}
            elif name.lower() == "lastupdated":
                at = int(datetime.fromisoformat(value.strip("[]")).timestamp())
                since, until = (max(since, at), until) if operator == ">" else (since, min(until, at))
            elif operator == ">":
                low = max(low, bisect_right(ids, int(value)))
            else:
                high = min(high, bisect_right(ids, int(value)))
        found: Sequence[int] = range(low, max(low, high))
        if since >= self._oldest or until < self._newest:
            found = [at for at in found if since < seconds[at] <= until]
        return found if wanted is None else [at for at in found if ids[at] in wanted]

    def page(self, found: Sequence[int], query: dict[str, str], *, is_forward: bool) -> tuple[Sequence[int], bool, int]:
        """Return the page's positions, whether another follows, and the number of this one (0: forward-only)."""
        size = int(query.get("pagesize", "25"))
        number = 0 if is_forward and "page" not in query else int(query.get("page", "1"))
        begin = max(0, number - 1) * size
        if not number and "pageid" in query:
            begin = bisect_right(found, int(query["pageid"]), key=self._corpus.ids.__getitem__)
        return found[begin : begin + size], begin + size < len(found), number


class Connection:
    """One client's connection, answered until it closes."""

    def __init__(self, sock: socket.socket, answers: Answers, corpus: Corpus, file: int, latency: float) -> None:
        self._socket, self._answers, self._corpus = sock, answers, corpus
        self._file, self._latency = file, latency
        self._host = "{}:{}".format(*sock.getsockname()[:2])

    def serve(self) -> None:
        """Answer one request after another."""
        with self._socket:
            waiting = b""
            while True:
                while b"\r\n\r\n" not in waiting:
                    block = self._socket.recv(_HEAD_LIMIT)
                    if not block:
                        return
                    waiting += block
                head, _, waiting = waiting.partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                is_forward = any("forward-only" in line.lower() for line in lines[1:])
                self._answer(lines[0].split(" ")[1], is_forward=is_forward)

    def _answer(self, target: str, *, is_forward: bool) -> None:
        parts = urlsplit(target)
        query = {name.lower(): value for name, value in parse_qsl(parts.query)}
        if "/login/companyinfo/" in parts.path:
            self._send(json.dumps({"CompanyName": "Acme", "Codebase": "v2025_1/", "VersionCode": "v2025.1"}).encode())
            return
        is_tickets = parts.path.lower().rstrip("/").removesuffix("/count").endswith("service/tickets")
        found = self._answers.positions(query.get("conditions", "")) if is_tickets else range(0)
        if parts.path.endswith("/count"):
            self._send(json.dumps({"count": len(found)}).encode())
            return
        page, has_more, number = self._answers.page(found, query, is_forward=is_forward)
        # With forward-only pages the header is always there, and empty at the end (facts.md, section 2).
        link = "Link: \r\n" if is_forward else ""
        if has_more:
            following = f"page={number + 1}" if number else f"pageId={self._corpus.ids[page[-1]]}"
            kept = "&".join(
                text for text in parts.query.split("&") if not text.lower().startswith(("page=", "pageid="))
            )
            link = f'Link: <http://{self._host}{parts.path}?{kept}&{following}>; rel="next"\r\n'
        if query.get("fields") == "id":
            self._send(json.dumps([{"id": self._corpus.ids[at]} for at in page]).encode(), link)
            return
        time.sleep(self._latency)
        self._send_records(page, link)

    def _send(self, body: bytes, link: str = "") -> None:
        self._socket.sendall(self._head(len(body), link) + body)

    def _send_records(self, page: Sequence[int], link: str) -> None:
        starts = self._corpus.starts
        runs = _runs(page)
        size = sum(starts[end] - starts[begin] for begin, end in runs)
        # Each record is followed by a comma; the last one's is left out, for the bracket.
        self._socket.sendall(self._head(2 + max(0, size - 1), link) + b"[")
        for number, (begin, end) in enumerate(runs, start=1):
            self._copy(starts[begin], starts[end] - (number == len(runs)))
        self._socket.sendall(b"]")

    def _copy(self, begin: int, end: int) -> None:
        while begin < end:
            begin += os.sendfile(self._socket.fileno(), self._file, begin, end - begin)

    def _head(self, length: int, link: str) -> bytes:
        return (
            f"HTTP/1.1 200 OK\r\nDate: {formatdate(usegmt=True)}\r\nContent-Type: application/json\r\n{link}"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()


def _runs(page: Sequence[int]) -> list[tuple[int, int]]:
    """Return the page's positions as runs of neighbours, each [begin, end)."""
    if isinstance(page, range):
        return [(page.start, page.stop)] if page else []
    runs: list[tuple[int, int]] = []
    for at in page:
        if runs and runs[-1][1] == at:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return runs


def listen(corpus: Corpus, *, latency: float = 0.0, port: int = 0) -> int:
    """Serve the corpus from threads of this process, for as long as it lives; return the port."""
    answers = Answers(corpus)
    file = os.open(corpus.path, os.O_RDONLY)
    listener = socket.create_server(("127.0.0.1", port), backlog=128)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(
                target=_served, args=(Connection(sock, answers, corpus, file, latency),), daemon=True
            ).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def _served(connection: Connection) -> None:
    try:
        connection.serve()
    except (BrokenPipeError, ConnectionResetError):
        return  # the client left in the middle of an answer, which is its right


def main() -> None:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that a page of records takes")
    parser.add_argument("--port", type=int, default=0, help="any that is free unless one is named")
    options = parser.parse_args()
    port = listen(read(options.corpus), latency=options.latency, port=options.port)
    print(f"http://127.0.0.1:{port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
