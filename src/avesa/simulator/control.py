"""The simulator's own door, `/_simulator/`: another process drives changes and faults through it and reads the truth.

Answers loopback only, because it hands out credentials.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from avesa.simulator.changes import Changes
from avesa.simulator.faults import FaultKind, Rule
from avesa.simulator.wire import Request, Response, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.simulator.site import Site

PREFIX = "/_simulator/"


class _ChangeRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST changes: which company and table, how many of each kind, and when at the source (default: now)."""

    company: str
    path: str
    at: datetime | None = None
    edits: int = 0
    touches: int = 0
    inserts: int = 0
    deletes: int = 0
    silent: int = 0
    merges: int = 0
    moves_to_project: int = 0
    recent_share: float = 0.0


class _RuleRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST faults: one rule."""

    kind: FaultKind
    path: str = "*"
    company: str | None = None
    probability: float = 1.0
    skip: int = 0
    times: int | None = None
    status: int = 503
    retry_after: int = 1
    as_date: bool = False
    html: bool = False
    seconds: float = 0.0
    share: float = 0.5
    limit: int = 100
    delta: int = 1
    host: str = "other.example"
    codebase: str = "v2025_2/"


# Made here, by one thread: msgspec 0.22 shows a half-made type to a second one.
_CHANGE_REQUEST = msgspec.json.Decoder(_ChangeRequest)
_RULE_REQUEST = msgspec.json.Decoder(_RuleRequest)


def respond(site: Site, request: Request) -> Response:
    """Return the answer of the control plane; errors are JSON with a `message`."""
    if not request.is_loopback:
        return _refused(403, "the control plane answers loopback only")
    name, _, rest = request.path.removeprefix(PREFIX).strip("/").partition("/")
    control = _CONTROLS.get((request.method, name))
    if control is None:
        return _refused(404, f"no such control: {request.method} {request.path}")
    try:
        return control(site, request, rest)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        return _refused(400, str(error))
    except KeyError as error:
        return _refused(404, f"no such company or table: {error}")


def _json(value: object) -> Response:
    return Response(body=encode(value))


def _refused(status: int, message: str) -> Response:
    return Response(status=status, body=encode({"message": message}))


def companies(site: Site, origin: str) -> list[dict[str, str]]:
    """Return, for each company, what a client of it is configured with."""
    return [
        {
            "company_id": company.credentials.company_id,
            "public_key": company.credentials.public_key,
            "private_key": company.credentials.private_key,
            "client_id": company.credentials.client_id,
            "api_base_url": origin,
        }
        for company in site.companies
    ]


def _change(site: Site, request: Request, _: str) -> Response:
    asked = msgspec.structs.asdict(_CHANGE_REQUEST.decode(request.body))
    company = site.company(asked.pop("company"))
    path, at = asked.pop("path"), asked.pop("at")
    return _json(asdict(company.apply(path, Changes(**asked), at)))


def _add_rule(site: Site, request: Request, _: str) -> Response:
    rule = msgspec.structs.asdict(_RULE_REQUEST.decode(request.body))
    site.faults.add(Rule(**rule))
    return _json({"rules": len(site.faults.rules())})


def _rules(site: Site, _: Request, __: str) -> Response:
    return _json([asdict(rule) | {"struck": struck} for rule, struck in site.faults.rules()])


def _clear_rules(site: Site, _: Request, __: str) -> Response:
    site.faults.clear()
    return _json({"rules": 0})


def _truth(site: Site, _: Request, rest: str) -> Response:
    login, _slash, path = rest.partition("/")
    return Response(body=b"[" + b",".join(site.company(login).table(path).snapshot.bodies) + b"]")


def _statistics(site: Site, _: Request, __: str) -> Response:
    counted = sorted(site.statistics.requests().items())
    return _json(
        {
            "requests": [{"path": path, "status": status, "count": count} for (path, status), count in counted],
            "peak_under_way": site.statistics.peak_under_way(),
        },
    )


_CONTROLS: dict[tuple[str, str], Callable[[Site, Request, str], Response]] = {
    ("GET", "companies"): lambda site, request, _: _json(companies(site, request.origin)),
    ("POST", "changes"): _change,
    ("POST", "faults"): _add_rule,
    ("GET", "faults"): _rules,
    ("DELETE", "faults"): _clear_rules,
    ("GET", "truth"): _truth,
    ("GET", "statistics"): _statistics,
}
