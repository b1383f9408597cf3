"""A proxy before the emulator that counts what AWS would bill: requests to S3, units of DynamoDB, secrets read."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_KB = 1024
_READ_KB = 4 * _KB
_TRANSACTION = 2
"""Units for each action in a transaction: prepare and commit."""


class Counts:
    """What went through, by AWS's own kinds of billing and, for whoever wonders, by operation."""

    def __init__(self) -> None:
        self.billed: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self.billed.clear()
            self.operations.clear()

    def add(self, method: str, path: str, target: str, body: bytes, answer: bytes) -> None:
        """Count one request."""
        service, _, operation = target.rpartition(".")
        with self._lock:
            if "DynamoDB" in service:
                kind, units = _units(operation, body, answer)
                self.billed[kind] += units
                self.operations[f"dynamodb {operation}"] += 1
            elif service == "secretsmanager":
                self.billed["secret_reads"] += operation == "GetSecretValue"
                self.operations[f"secretsmanager {operation}"] += 1
            elif not target:
                is_list = method == "GET" and ("list-type=" in path or "prefix=" in path)
                kind = "s3_writes" if method in {"PUT", "POST"} or is_list else "s3_reads"
                if method != "DELETE":  # which costs nothing
                    self.billed[kind] += 1
                self.operations[f"s3 {'LIST' if is_list else method}"] += 1


def _units(operation: str, body: bytes, answer: bytes) -> tuple[str, int]:
    """Return which units a DynamoDB request takes and how many, from the sizes of what goes in and out."""
    if operation in {"GetItem", "Query", "Scan", "BatchGetItem"}:
        return "dynamodb_read_units", max(1, ceil(len(answer) / _READ_KB))
    if operation == "TransactWriteItems":
        actions = json.loads(body)["TransactItems"]
        return "dynamodb_write_units", sum(_TRANSACTION * max(1, ceil(len(json.dumps(a)) / _KB)) for a in actions)
    return "dynamodb_write_units", max(1, ceil(len(body) / _KB))


@contextmanager
def counted(url: str) -> Iterator[tuple[str, Counts]]:
    """Give an address that stands for the emulator's, and what went through it."""
    counts = Counts()
    place = urlsplit(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            there = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
            there.request(self.command, self.path, body=body, headers=dict(self.headers))
            answered = there.getresponse()
            content = answered.read()
            there.close()
            counts.add(self.command, self.path, self.headers.get("x-amz-target", ""), body, content)
            self.send_response(answered.status)
            for name, value in answered.getheaders():
                if name.lower() not in {"transfer-encoding", "connection", "content-length", "date", "server"}:
                    self.send_header(name, value)
            length = answered.getheader("content-length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815 - the names that http.server calls

        def log_message(self, *_given: Any) -> None:  # noqa: ANN401 - as http.server has it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", counts
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
