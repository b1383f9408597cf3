"""What goes over the wire, as values: a request, a response, the query as it was sent, JSON and dates as written here.

Nothing here knows sockets, so that the same core can answer a thread's request or a function's event.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIRE_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request: `target` is path and query as sent, header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    scheme: str = "http"
    is_loopback: bool = True

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> Query:
        return Query.parse(self.target.partition("?")[2])

    @property
    def origin(self) -> str:
        """Scheme and host as the client addressed them, for links back to here."""
        scheme = self.headers.get("x-forwarded-proto", self.scheme)
        return f"{scheme}://{self.headers.get('host', 'localhost')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP response; `delay_seconds` and `sent_bytes` tell the server to be late or to hang up early."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"[]"
    content_type: str = JSON_TYPE
    delay_seconds: float = 0.0
    sent_bytes: int | None = None  # fewer than the body has: the connection closes after them

    def header(self, name: str) -> str | None:
        """Return the header's value, its name in any case, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Query:
    """A query string whose names are read without case and whose text can be given back as it came."""

    segments: tuple[tuple[str, str, str], ...]  # lower-cased name, decoded value, raw text

    @classmethod
    def parse(cls, text: str) -> Query:
        parts = []
        for raw in text.split("&"):
            if raw:
                name, _, value = raw.partition("=")
                parts.append((unquote_plus(name).lower(), unquote_plus(value), raw))
        return cls(tuple(parts))

    def get(self, name: str) -> str | None:
        """Return the last value given for the name (any case), or None when absent."""
        return next((value for key, value, _ in reversed(self.segments) if key == name.lower()), None)

    def with_last(self, name: str, value: object) -> str:
        """Return the query with every other parameter untouched and `name=value` as its last one."""
        kept = [raw for key, _, raw in self.segments if key != name.lower()]
        return "&".join([*kept, f"{name}={value}"])

    def without(self, *names: str) -> str:
        """Return the query's text less the named parameters."""
        dropped = {name.lower() for name in names}
        return "&".join(raw for key, _, raw in self.segments if key not in dropped)


class ApiError(Exception):
    """A request that the API refuses, with the documented body: status, code and message."""

    def __init__(self, status: int, code: str, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.errors = status, code, message, errors

    def response(self) -> Response:
        """Return the error as an answer; unlike in records, a null `errors` is written out."""
        body = {"code": self.code, "message": self.message, "errors": self.errors}
        return Response(status=self.status, body=msgspec.json.encode(body))


def encode(value: object) -> bytes:
    """Return compact JSON; text that UTF-8 cannot hold (a lone surrogate) is escaped instead."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def decode(body: bytes | msgspec.Raw) -> Any:  # noqa: ANN401 - JSON at the wire
    """Return the value of a JSON text, lone surrogates included (as Python keeps them)."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return json.loads(bytes(body))


def date_text(seconds: int) -> str:
    """Return seconds since 1970 as the API writes a time: to the second, with a Z."""
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def seconds_of(at: datetime) -> int:
    """Return whole seconds since 1970 of an aware time."""
    return int((at - EPOCH).total_seconds() // 1)


def is_wire_date(text: str) -> bool:
    """Tell whether the text is a time exactly as the API writes it."""
    return _WIRE_DATE.fullmatch(text) is not None


def parse_moment(text: str) -> datetime | None:
    """Return the time that a date or date-time means (no zone: UTC), or None when it is neither."""
    # An unencoded "+" of an offset arrives as a blank.
    candidate = re.sub(r" (\d\d:?\d\d)$", r"+\1", text.strip()) if "T" in text else text.strip()
    try:
        moment = datetime.fromisoformat(candidate)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
