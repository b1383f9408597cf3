"""The simulated API as one pure function: a request in, a response out, no socket and no file."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from avesa.simulator import control, paging, strikes
from avesa.simulator.faults import FaultKind, Rule
from avesa.simulator.selection import Filter, filter_of, positions
from avesa.simulator.wire import ApiError, Request, Response, decode, encode

if TYPE_CHECKING:
    from avesa.simulator.company import Company
    from avesa.simulator.site import Site
    from avesa.simulator.table import Table

_COMPANY_INFO = "login/companyinfo/"
_API = "apis/3.0/"
_MAX_URL = 10_000
_SEARCHABLE = {"service/tickets", "project/tickets"}
_OK = 200


@dataclass(frozen=True, slots=True)
class _Target:
    """What a request is about: the path under the API base, its codebase, and whose request it claims to be."""

    path: str  # `service/tickets`, without ids; for the login page `login/companyinfo`
    rest: str  # the same with ids, as asked
    codebase: str | None  # None: not under the API at all
    login: str | None


def respond(site: Site, request: Request) -> Response:
    """Return the site's answer to one request."""
    if request.path.startswith(control.PREFIX):
        return control.respond(site, request)
    if site.on_request is not None:
        site.on_request(request)
    target = _target_of(request)
    rules = site.faults.due(target.login, target.path)
    response = _answer(site, request, target, rules)
    page = response.body
    wanted = (request.target, request.body)
    before = site.faults.page_before(target.login, target.path, wanted, page)
    for rule in rules:
        response = strikes.spoiled(rule, response, site.faults, before)
    site.faults.keep_page(target.login, target.path, wanted, page)
    if site.behaviour.is_gzip_offered:
        response = strikes.compressed(request, response)
    number = site.statistics.count(target.path, response.status)
    return _with_common_headers(site, response, number)


def login_of(request: Request) -> str | None:
    """Return the company that a request claims to be of, or None."""
    return _target_of(request).login


def _with_common_headers(site: Site, response: Response, number: int) -> Response:
    common = (
        ("api-current-version", site.codebase.strip("/").lstrip("v").replace("_", ".")),
        ("x-cw-request-id", f"{site.mark}-{number:08x}"),
        ("x-server-name", "simulator"),
        ("Cache-Control", "no-cache"),
        ("Pragma", "no-cache"),
    )
    return replace(response, headers=(*response.headers, *common))


def _target_of(request: Request) -> _Target:
    path = unquote(request.path).strip("/")
    if path.lower().startswith(_COMPANY_INFO):
        return _Target("login/companyinfo", path, None, path[len(_COMPANY_INFO) :])
    login = _claimed_login(request)
    codebase, _, rest = path.partition("/")
    if not rest.lower().startswith(_API):
        return _Target(path, path, None, login)
    rest = rest[len(_API) :]
    parts = ["{id}" if part.lstrip("-").isdigit() else part for part in rest.split("/")]
    return _Target("/".join(parts), rest, f"{codebase}/", login)


def _claimed_login(request: Request) -> str | None:
    kind, _, coded = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(coded, validate=True).decode().partition("+")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None


def _answer(site: Site, request: Request, target: _Target, rules: list[Rule]) -> Response:
    for rule in rules:
        if rule.kind is FaultKind.CODEBASE_MOVE:
            site.move_codebase(rule.codebase)
        if rule.kind in strikes.REPLACEMENTS:
            return strikes.REPLACEMENTS[rule.kind](rule, request, site.now())
        request = strikes.altered(rule, request)
    if len(request.target) > _MAX_URL:
        return strikes.html_page(414, "URI Too Long")
    try:
        if target.path == "login/companyinfo":
            return _company_info(site, request, target)
        if target.codebase not in site.codebases():
            return strikes.not_found_page()
        company = _signed_in(site, request)
        return _route(site, company, request, target, strikes.page_limit(rules))
    except ApiError as error:
        return error.response()


def _company_info(site: Site, request: Request, target: _Target) -> Response:
    """Answer without credentials; an unknown company is a 200 with `null`, not an error."""
    company = site.find(target.login or "")
    if company is None:
        return Response(body=b"null")
    return Response(
        body=encode(
            {
                "CompanyName": company.login,
                "Codebase": site.codebase,
                "VersionCode": site.codebase.strip("/"),
                "VersionNumber": f"v{site.codebase.strip('/').lstrip('v').replace('_', '.')}.93871",
                "CompanyID": company.login,
                "IsCloud": site.behaviour.is_cloud,
                "SiteUrl": request.headers.get("host", "localhost"),
            },
        ),
    )


def _signed_in(site: Site, request: Request) -> Company:
    login = _claimed_login(request)
    company = site.find(login) if login else None
    if company is None:
        raise strikes.unauthorized()
    keys = company.credentials
    expected = f"{keys.public_key}:{keys.private_key}"
    given = base64.b64decode(request.headers["authorization"].partition(" ")[2]).decode().partition("+")[2]
    if given != expected:
        raise strikes.unauthorized()
    if request.headers.get("clientid", "").lower() != keys.client_id:
        status = site.behaviour.missing_client_id_status
        raise ApiError(status, "Unauthorized" if status == 401 else "Forbidden", "Cannot route. Invalid clientId.")  # noqa: PLR2004 - HTTP
    return company


def _route(site: Site, company: Company, request: Request, target: _Target, page_limit: int | None) -> Response:
    rest = target.rest
    if rest.lower() == "system/info":
        return Response(body=encode(_system_info(site)))
    parent, _, last = rest.rpartition("/")
    if last.lower() == "search" and parent.lower() in _SEARCHABLE:
        _require(request, "POST")
        return _listed(site, request, _found(company, parent), _searched(request, company, parent), page_limit)
    _require(request, "GET")
    if last.isdigit():
        return _single(request, _found(company, parent), int(last))
    if last.lower() == "count":
        table = _found(company, parent)
        return Response(body=encode({"count": len(positions(table.snapshot, _filter(request, table)))}))
    table = _found(company, rest)
    return _listed(site, request, table, _filter(request, table), page_limit)


def _require(request: Request, method: str) -> None:
    if request.method != method:
        raise ApiError(
            405, "MethodNotAllowed", f"The requested resource does not support http method '{request.method}'."
        )


def _found(company: Company, path: str) -> Table:
    table = company.find(path)
    if table is None:
        raise ApiError(404, "NotFound", f"Resource {path} not found")
    return table


def _filter(request: Request, table: Table) -> Filter:
    query = request.query
    kinds = ("conditions", "childconditions", "customfieldconditions")
    return filter_of(table.schema, *(query.get(kind) for kind in kinds))


def _searched(request: Request, company: Company, path: str) -> Filter:
    """Return the filter that a search's body holds; its paging is in the query."""
    try:
        body = decode(request.body or b"{}")
    except ValueError as error:
        raise ApiError(400, "InvalidObject", "The request body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "InvalidObject", "The request body is not an object.")
    lowered = {key.lower(): value for key, value in body.items() if isinstance(value, str)}
    kinds = ("conditions", "childconditions", "customfieldconditions")
    return filter_of(_found(company, path).schema, *(lowered.get(kind) for kind in kinds))


def _listed(site: Site, request: Request, table: Table, wanted: Filter, page_limit: int | None) -> Response:
    limits = site.behaviour.limits
    if page_limit is not None:
        limits = paging.Limits(max_page_size=page_limit)
    return paging.list_page(request, table.snapshot, table.schema, wanted, limits)


def _single(request: Request, table: Table, record_id: int) -> Response:
    body = table.body(record_id)
    if body is None:
        raise ApiError(404, "NotFound", f"{table.schema.model} {record_id} not found")
    fields = paging.field_paths(request.query.get("fields"))
    return Response(body=paging.project(body, fields) if fields else body)


def _system_info(site: Site) -> dict[str, object]:
    return {
        "version": f"{site.codebase.strip('/')}.93871",
        "isCloud": site.behaviour.is_cloud,
        "serverTimeZone": "Eastern Standard Time",
        "licenseBits": [{"name": "AuditTrail", "activeFlag": False}, {"name": "API", "activeFlag": True}],
        "cloudRegion": "NA",
    }
