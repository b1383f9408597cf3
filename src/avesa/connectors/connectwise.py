"""ConnectWise PSA's REST API as pure functions: addresses, headers, conditions, and what an answer means.

Source of the facts: the ConnectWise developer guide and captured traffic (docs/reference/edge-cases.md names each).
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from avesa.domain.errors import (
    SourceError,
    TablePermanentError,
    TenantPermanentError,
    TransientSourceError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from avesa.domain.model import Window

CREDENTIAL_NAMES: Final = ("company_id", "public_key", "private_key", "client_id", "api_base_url")

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_THROTTLED: Final = 429
_SERVER_ERROR: Final = 500
_RETRIED: Final = frozenset({408, 425, 429})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_QUOTED: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a tenant's integrator logs in with; keys never show in a repr."""

    company_id: str
    public_key: str = field(repr=False)
    private_key: str = field(repr=False)
    client_id: str = field(repr=False)
    api_base_url: str

    @classmethod
    def from_mapping(cls, values: Mapping[str, str]) -> Credentials:
        """Return checked credentials; raise UsageError that names what is missing, never a value of a key."""
        missing = [name for name in CREDENTIAL_NAMES if not values.get(name, "").strip()]
        if missing:
            names = ", ".join(f"CONNECTWISE_{name.upper()}" for name in missing)
            message = (
                f"ConnectWise credentials are incomplete: set {names}, or answer the prompts of `avesa setup-service`"
            )
            raise UsageError(message)
        clean = {name: values[name].strip() for name in CREDENTIAL_NAMES}
        clean["api_base_url"] = check_base_url(clean["api_base_url"])
        for name in ("company_id", "public_key", "private_key", "client_id"):
            if not clean[name].isprintable() or not clean[name].isascii():
                message = f"CONNECTWISE_{name.upper()} has characters that cannot stand in a header; copy it again"
                raise UsageError(message)
        return cls(**clean)

    def headers(self, api_version: str) -> dict[str, str]:
        """Return the headers that every authenticated request carries."""
        login = f"{self.company_id}+{self.public_key}:{self.private_key}".encode()
        return {
            "Authorization": f"Basic {base64.b64encode(login).decode()}",
            "clientId": self.client_id,
            # Without a version the newest model answers; with plain JSON project tickets have been left out.
            "Accept": f"application/vnd.connectwise.com+json; version={api_version}, application/json",
        }


def check_base_url(url: str) -> str:
    """Return the site's root without a trailing slash; raise UsageError for anything but https (http on loopback
    only).
    """
    text = url.strip()
    if "://" not in text:
        text = f"https://{text}"
    example = "Example: https://api-na.myconnectwise.net"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        message = f"the ConnectWise address is none: its host or port cannot be read. {example}"
        raise UsageError(message) from None
    is_odd = not re.fullmatch(r"[\w.:-]+", host) or port == 0
    if parts.scheme not in {"http", "https"} or is_odd or "@" in parts.netloc:
        message = f"the ConnectWise address must be https://HOST, without a login in it. {example}"
        raise UsageError(message)
    if parts.path.strip("/") or parts.query or parts.fragment:
        message = (
            f"the ConnectWise address {parts.scheme}://{parts.netloc}{parts.path} must be the site's root, "
            f"without a path. {example}"
        )
        raise UsageError(message)
    if parts.scheme == "http" and not is_loopback(host):
        message = (
            f"http://{host} would send the credentials unencrypted; use https (http is allowed for this machine "
            f"only). {example}"
        )
        raise UsageError(message)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by its own name or number; other names are never looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def company_info_url(root: str, company_id: str) -> str:
    """Return the address that tells a company's codebase, without authentication."""
    return f"{root}/login/companyinfo/{quote(company_id, safe='')}"


def parse_codebase(body: bytes, company_id: str) -> str:
    """Return the codebase, such as `v2025_1/`, always with its trailing slash.

    An unknown company is answered with 200 and `null`: TenantPermanentError. Source: django-connectwise, api.py.
    """
    try:
        info = json.loads(body)
    except (ValueError, RecursionError):
        message = "company info: the answer is not JSON"
        raise TransientSourceError(message) from None
    if info is None:
        message = (
            f"ConnectWise knows no company {company_id!r} on this site: check CONNECTWISE_COMPANY_ID (the login "
            "company) and the address"
        )
        raise TenantPermanentError(message)
    codebase = info.get("Codebase") if isinstance(info, dict) else None
    if not isinstance(codebase, str) or re.fullmatch(r"[A-Za-z0-9_.]+/?", codebase) is None:
        message = "company info: the answer names no codebase"
        raise TransientSourceError(message)
    return codebase.rstrip("/") + "/"


def api_url(root: str, codebase: str, path: str, query: Mapping[str, str] | None = None) -> str:
    """Return the address of `path` with every value percent-encoded (`+`, `&`, quotes, brackets, spaces)."""
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in (query or {}).items())
    return f"{root}/{codebase}apis/3.0/{path}" + (f"?{text}" if text else "")


def time_literal(at: datetime) -> str:
    """Return `at` (UTC) as the guide writes times: `[2016-08-20T18:04:26Z]`. Offsets have been mis-read by servers."""
    return f"[{at:%Y-%m-%dT%H:%M:%SZ}]"


def conditions(
    *,
    field_name: str | None = None,
    window: Window | None = None,
    after_id: int | None = None,
    upto_id: int | None = None,
    ids: Sequence[int] = (),
) -> str:
    """Return the conditions text of a window and an id range; empty when nothing is asked.

    Only `>` and `<=`: `>=` with a date has returned nothing on self-hosted servers.
    """
    clauses: list[str] = []
    if field_name and window is not None:
        if window.since is not None:
            clauses.append(f"{field_name} > {time_literal(window.since)}")
        if window.until is not None:
            clauses.append(f"{field_name} <= {time_literal(window.until)}")
    if after_id is not None:
        clauses.append(f"id > {after_id}")
    if upto_id is not None:
        clauses.append(f"id <= {upto_id}")
    if ids:
        clauses.append(f"id in ({','.join(str(record_id) for record_id in ids)})")
    return " and ".join(clauses)


def has_next(headers: Mapping[str, str]) -> bool | None:
    """Whether the Link header promises another page; None when the server sends no such header."""
    link = headers.get("link")
    return None if link is None else 'rel="next"' in link.replace("'", '"')


def next_page_id(headers: Mapping[str, str]) -> int | None:
    """Return the id from which the Link header goes on with forward-only pages; None when it names none."""
    found = re.search(r"[?&]pageId=(-?\d{1,19})[^>]*>\s*;\s*rel=[\"']next[\"']", headers.get("link", ""), re.IGNORECASE)
    return None if found is None else int(found[1])


def check_answer(status: int, headers: Mapping[str, str], body: bytes, *, path: str, now: datetime) -> None:
    """Return for a 2xx answer; raise the error that says what to do next for any other.

    404 raises TablePermanentError too: the caller looks whether the codebase moved before it believes it.
    """
    if 200 <= status < 300:  # noqa: PLR2004 - the class of answers called success
        return
    told = _told(body)
    where = f"{path}: HTTP {status}{f' ({told})' if told else ''}"
    raise _error_of(status, headers, where=where, now=now)


def _error_of(status: int, headers: Mapping[str, str], *, where: str, now: datetime) -> SourceError:
    if status in _RETRIED or status >= _SERVER_ERROR:
        return TransientSourceError(
            f"{where}; it may pass",
            retry_after_seconds=retry_after_seconds(headers, now),
            is_throttled=status == _THROTTLED,
        )
    if status == _UNAUTHORIZED:
        return TenantPermanentError(
            f"{where}: ConnectWise refuses the credentials; renew the API key, then run `avesa setup-service` "
            "for this tenant again"
        )
    if status == _FORBIDDEN:
        return TablePermanentError(
            f"{where}: the API member's security role lacks 'Inquire' for this table, or the client id is unknown; "
            "mend the role in ConnectWise, or disable the table in connectwise_endpoints.json"
        )
    if status in _REDIRECTS:
        host = urlsplit(headers.get("location", "")).hostname or "nowhere"
        return TenantPermanentError(
            f"{where}: the site redirects to {host}; credentials are not sent to another host. Set its "
            "address with `avesa setup-service`"
        )
    return TablePermanentError(f"{where}: ConnectWise refuses the request, so asking again would not help")


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wish of a Retry-After header in seconds, from either of its two forms; None without a readable one."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 20 ms that only a throttled run pays

    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    with contextlib.suppress(ValueError, OverflowError):
        # The server's date by the server's clock: ours may be minutes away from it.
        now = parsedate_to_datetime(headers.get("date", ""))
    return max(0.0, (_aware(at) - _aware(now)).total_seconds())


def _aware(at: datetime) -> datetime:
    """Read a time without a zone (`-0000` in a header) as UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _told(body: bytes) -> str:
    """Return the server's own words, short and printable; an HTML page has none worth showing."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return "an HTML page" if b"<html" in body[:500].lower() else ""
    if not isinstance(value, dict):
        return ""
    words = f"{value.get('code') or value.get('error') or ''}: {value.get('message') or ''}"
    return "".join(char for char in words if char.isprintable())[:_MAX_QUOTED].strip(": ")
