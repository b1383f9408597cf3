"""Asks a site as a client would, without a socket: the core answers values with values."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from avesa.simulator.api import respond
from avesa.simulator.site import Behaviour, CompanySpec, Site
from avesa.simulator.wire import Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
API = "/v2025_1/apis/3.0/"
FORWARD = {"pagination-type": "forward-only"}
SIZES = {"tickets": 120, "time_entries": 60, "companies": 12, "contacts": 30}


def small_site(
    *, sizes: Mapping[str, int] = SIZES, profile: str = "normal", behaviour: Behaviour | None = None, seed: int = 7
) -> Site:
    """Return a site with the companies acme and birch and a clock that stands still."""
    companies = [CompanySpec(login=login, sizes=sizes) for login in ("acme", "birch")]
    return Site(seed=seed, companies=companies, clock=lambda: NOW, profile=profile, behaviour=behaviour)


def headers_of(site: Site, login: str = "acme") -> dict[str, str]:
    """Return the headers with which the company signs in."""
    keys = site.company(login).credentials
    pair = f"{keys.company_id}+{keys.public_key}:{keys.private_key}".encode()
    return {
        "authorization": f"Basic {base64.b64encode(pair).decode()}",
        "clientid": keys.client_id,
        "host": "psa.test",
        "accept": "application/vnd.connectwise.com+json; version=2025.1, application/json",
    }


def ask(
    site: Site,
    path: str,
    *,
    login: str = "acme",
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    body: bytes = b"",
    query: Mapping[str, object] | None = None,
    **more: object,
) -> Response:
    """Return the answer to a request for a path under the API base, or for an absolute one."""
    target = path if path.startswith("/") else API + path
    text = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in {**(query or {}), **more}.items())
    joined = f"{target}?{text}" if text else target
    return respond(
        site, Request(method=method, target=joined, headers=headers_of(site, login) | dict(headers or {}), body=body)
    )


def rows(response: Response) -> list[dict[str, Any]]:
    """Return the records of a list's answer."""
    assert response.status == 200, response.body[:500]
    found: list[dict[str, Any]] = json.loads(response.body)
    return found


def ids(response: Response) -> list[int]:
    return [row["id"] for row in rows(response)]


def links(response: Response) -> dict[str, str]:
    """Return the links of an answer by their relation."""
    return {name: url for url, name in re.findall(r'<([^>]*)>; rel="(\w+)"', response.header("Link") or "")}


def follow(site: Site, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer to a link, taken as it is."""
    target = url.removeprefix("http://psa.test")
    return respond(site, Request(method="GET", target=target, headers=headers_of(site) | dict(headers or {})))


def walk(site: Site, path: str, *, headers: Mapping[str, str] | None = None, **query: object) -> list[Response]:
    """Return every page, following the next links."""
    pages = [ask(site, path, headers=headers, query=query)]
    while "next" in links(pages[-1]):
        pages.append(follow(site, links(pages[-1])["next"], headers=headers))
    return pages
