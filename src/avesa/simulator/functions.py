"""The site's answers for a function behind a URL: an HTTP event in, a value for Lambda to send out, no socket."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from avesa.simulator.api import respond
from avesa.simulator.wire import Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.simulator.site import Site


def answer(site: Site, event: Mapping[str, Any]) -> dict[str, object]:
    """Return the site's answer to an event of payload format 2.0; the control plane never opens to one.

    A site's lateness and broken connections are a server's, and have no effect here.
    """
    return _told(respond(site, request_of(event)))


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the request that an event tells of."""
    http = event["requestContext"]["http"]
    query = event.get("rawQueryString") or ""
    body = event.get("body") or ""
    return Request(
        method=http["method"],
        target=f"{event['rawPath']}?{query}" if query else event["rawPath"],
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
        scheme="https",
        is_loopback=False,
    )


def _told(response: Response) -> dict[str, object]:
    told: dict[str, object] = {
        "statusCode": response.status,
        "headers": {"Content-Type": response.content_type, **dict(response.headers)},
    }
    try:
        return told | {"body": response.body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return told | {"body": base64.b64encode(response.body).decode(), "isBase64Encoded": True}
