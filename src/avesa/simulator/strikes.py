"""What each kind of fault does to a request or to its answer; which requests it strikes is decided in faults.py."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from avesa.simulator.faults import FaultKind, Faults, Rule
from avesa.simulator.wire import HTML_TYPE, ApiError, Request, Response, encode

if TYPE_CHECKING:
    from collections.abc import Callable

_FILTERS = ("conditions", "childConditions", "customFieldConditions")


def html_page(status: int, title: str) -> Response:
    """Return a web server's or a proxy's own page instead of the API's JSON."""
    text = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">\r\n<html><head><title>'
        f'{status} - {title}</title></head><body><div id="header"><h1>Server Error</h1></div>'
        f'<div id="content"><fieldset><h2>{status} - {title}</h2></fieldset></div></body></html>\r\n'
    )
    return Response(status=status, body=text.encode(), content_type=HTML_TYPE)


def not_found_page() -> Response:
    """Return the web server's answer to a path that leads nowhere."""
    return html_page(404, "File or directory not found.")


def unauthorized() -> ApiError:
    """Return the answer to credentials that no company has."""
    return ApiError(401, "Unauthorized", "Invalid credentials.")


def _too_many(rule: Rule, _: Request, now: datetime) -> Response:
    seconds = rule.retry_after
    after = str(seconds)
    if rule.as_date:
        after = format_datetime((now + timedelta(seconds=seconds)).astimezone(UTC), usegmt=True)
    if rule.html:
        return replace(
            html_page(429, "You are being rate limited"), headers=(("Retry-After", after), ("Server", "edge"))
        )
    body = {"error": "ConnectWiseAPI", "message": f"Too many requests. Please try again in {seconds} seconds."}
    return Response(status=429, headers=(("Retry-After", after),), body=encode(body))


def _server_error(rule: Rule, _: Request, __: datetime) -> Response:
    if rule.html:
        return html_page(rule.status, "Service unavailable")
    return ApiError(rule.status, "ConnectWiseApi", "An unexpected error has occurred.").response()


def _redirect(rule: Rule, request: Request, _: datetime) -> Response:
    location = f"{request.scheme}://{rule.host}{request.target}"
    return Response(status=302, headers=(("Location", location),), body=b"", content_type=HTML_TYPE)


REPLACEMENTS: dict[FaultKind, Callable[[Rule, Request, datetime], Response]] = {
    FaultKind.TOO_MANY_REQUESTS: _too_many,
    FaultKind.SERVER_ERROR: _server_error,
    FaultKind.TIMEOUT: lambda _, __, ___: ApiError(
        500, "ConnectWiseApi", "A timeout has occured. Please try again."
    ).response(),
    FaultKind.NOT_FOUND_PAGE: lambda _, __, ___: not_found_page(),
    FaultKind.UNAUTHORIZED: lambda _, __, ___: unauthorized().response(),
    FaultKind.FORBIDDEN: lambda _, __, ___: forbidden().response(),
    FaultKind.REDIRECT: _redirect,
}


def forbidden() -> ApiError:
    """Return the answer to credentials whose role may not see this."""
    return ApiError(403, "Forbidden", "You do not have the security permission to perform this action.")


def altered(rule: Rule, request: Request) -> Request:
    """Return the request as the faulty server understands it."""
    if rule.kind is FaultKind.IGNORED_FILTER:
        body = b"{}" if request.body else b""
        return replace(request, target=f"{request.path}?{request.query.without(*_FILTERS)}", body=body)
    return request


def page_limit(rules: list[Rule]) -> int | None:
    """Return the rows a page that a rule allows, or None when no rule caps it."""
    return min((rule.limit for rule in rules if rule.kind is FaultKind.CAPPED_PAGE), default=None)


def spoiled(rule: Rule, response: Response, faults: Faults, page_before: bytes) -> Response:
    """Return the answer as the fault leaves it; errors are late at most."""
    if rule.kind is FaultKind.LATENCY:
        return replace(response, delay_seconds=response.delay_seconds + rule.seconds)
    if response.status != 200:  # noqa: PLR2004 - HTTP
        return response
    kept = int(len(response.body) * rule.share)
    match rule.kind:
        case FaultKind.CUT_BODY:
            response = replace(response, sent_bytes=kept)
        case FaultKind.TRUNCATED_JSON:
            response = replace(response, body=response.body[:kept])
        case FaultKind.EMPTY_LIST if response.body.startswith(b"["):
            response = replace(response, body=b"[]", headers=(("Link", ""),))
        case FaultKind.REPEATED_PAGE:
            response = replace(response, body=page_before)
        case FaultKind.MISSING_RECORD if _is_whole(response.body, b"[{", b"]"):
            rows: list[Any] = msgspec.json.decode(response.body, type=list[msgspec.Raw])
            del rows[faults.index(len(rows))]
            response = replace(response, body=encode(rows))
        case FaultKind.WRONG_COUNT if _is_whole(response.body, b'{"count":', b"}"):
            count = msgspec.json.decode(response.body)["count"]
            response = replace(response, body=encode({"count": max(0, count + rule.delta)}))
        case _:
            pass
    return response


def _is_whole(body: bytes, begin: bytes, end: bytes) -> bool:
    """Tell whether another fault has left enough of the body to be changed."""
    return body.startswith(begin) and body.endswith(end)


def compressed(request: Request, response: Response) -> Response:
    """Return the answer packed with gzip when the client accepts that and it pays."""
    is_small = len(response.body) < 1024  # noqa: PLR2004 - bytes; below, a header costs more than it saves
    if is_small or "gzip" not in request.headers.get("accept-encoding", "").lower():
        return response
    body = gzip.compress(response.body, compresslevel=1, mtime=0)
    sent = None if response.sent_bytes is None else int(len(body) * response.sent_bytes / len(response.body))
    headers = (*response.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return replace(response, headers=headers, body=body, sent_bytes=sent)
