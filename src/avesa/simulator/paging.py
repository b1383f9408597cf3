"""One page of a list: which records, with which fields, and the Link header that leads on.

Page numbers count over whatever the table holds at that moment; forward-only pages go on from an id. That difference,
under edits, is why the second loses nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avesa.simulator.selection import Filter, ordered, positions
from avesa.simulator.wire import ApiError, Query, Request, Response, date_text, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.simulator.schema import Schema
    from avesa.simulator.table import Snapshot

DEFAULT_PAGE_SIZE = 25
_ID_ONLY = ("id",)
_ID_AND_UPDATED = ("id", "_info/lastupdated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The greatest page, and whether a greater one is cut to it silently or refused with 400."""

    max_page_size: int = 1000
    is_oversize_refused: bool = False


def list_page(request: Request, snapshot: Snapshot, schema: Schema, wanted: Filter, limits: Limits) -> Response:
    """Return the page that the request asks for; past the end it is an empty list, not an error."""
    query = request.query
    size = _page_size(query, limits)
    fields = field_paths(query.get("fields"))
    if request.headers.get("pagination-type", "").lower() == "forward-only":
        return _forward_page(request, snapshot, wanted, size, fields)
    number = _whole(query, "page", 1)
    found = ordered(snapshot, positions(snapshot, wanted), query.get("orderby"), schema)
    chosen = found[(number - 1) * size : number * size]
    last = max(1, -(-len(found) // size))
    return _page(snapshot, chosen, fields, _numbered_link(request, number, last))


def _forward_page(
    request: Request, snapshot: Snapshot, wanted: Filter, size: int, fields: tuple[tuple[str, ...], ...]
) -> Response:
    query = request.query
    if query.get("orderby"):
        raise ApiError(400, "InvalidObject", "orderBy is not supported with forward-only pagination.")
    found = positions(snapshot, wanted.after(_whole(query, "pageid", 0, lowest=0)))
    chosen = found[:size]
    # The key is there on every page; on the last one it is empty, and clients rely on both.
    link = ""
    if len(found) > size:
        url = f"{request.origin}{request.path}?{_without_page(query).with_last('pageId', snapshot.ids[chosen[-1]])}"
        link = f'<{url}>; rel="next"'
    return _page(snapshot, chosen, fields, link)


def _without_page(query: Query) -> Query:
    return Query.parse(query.without("page"))


def _numbered_link(request: Request, number: int, last: int) -> str:
    base, query = f"{request.origin}{request.path}", request.query
    targets = []
    if number < last:
        targets.append(("next", number + 1))
    targets.append(("last", last))
    if number > 1:
        targets += [("first", 1), ("prev", min(number - 1, last))]
    # `page` comes last: a client in wide use finds the next page's number only there.
    return ", ".join(f'<{base}?{query.with_last("page", page)}>; rel="{name}"' for name, page in targets)


def _page(snapshot: Snapshot, chosen: Sequence[int], fields: tuple[tuple[str, ...], ...], link: str) -> Response:
    bodies = snapshot.bodies
    if not fields:
        body = b"[" + b",".join([bodies[at] for at in chosen]) + b"]"
    else:
        body = b"[" + b",".join(projected(snapshot, chosen, fields)) + b"]"
    return Response(headers=(("Link", link),), body=body)


def _page_size(query: Query, limits: Limits) -> int:
    size = _whole(query, "pagesize", DEFAULT_PAGE_SIZE)
    if size <= limits.max_page_size:
        return size
    if limits.is_oversize_refused:
        raise _out_of_range("pageSize", limits.max_page_size)
    return limits.max_page_size


def _out_of_range(name: str, highest: int) -> ApiError:
    message = f"The field {name} must be between 1 and {highest}."
    detail = {"code": "OutOfRange", "message": message, "resource": "page", "field": name}
    return ApiError(400, "InvalidObject", "page object is invalid", [detail])


def _whole(query: Query, name: str, default: int, *, lowest: int = 1) -> int:
    text = query.get(name)
    if text is None or text == "":
        return default
    if not re.fullmatch(r"\d{1,12}", text) or int(text) < lowest:
        raise _out_of_range(name, (1 << 31) - 1)
    return int(text)


def field_paths(text: str | None) -> tuple[tuple[str, ...], ...]:
    """Return the paths that a `fields` parameter lists, lower-cased; none when it is absent or empty."""
    return tuple(tuple(part.strip().lower().split("/")) for part in (text or "").split(",") if part.strip())


def projected(snapshot: Snapshot, chosen: Sequence[int], fields: tuple[tuple[str, ...], ...]) -> list[bytes]:
    """Return the records with only the listed fields; `_info` is among them only when listed.

    Ids and times alone, which is what a sweep for deletions asks for, come from the arrays.
    """
    names = tuple(sorted("/".join(path) for path in fields))
    ids, stamps = snapshot.ids, snapshot.stamps
    odd = {at for at in chosen if ids[at] in snapshot.odd} if snapshot.odd else ()
    if names == _ID_ONLY:
        return [b'{"id":%d}' % ids[at] if at not in odd else project(snapshot.bodies[at], fields) for at in chosen]
    if not odd and names == tuple(sorted(_ID_AND_UPDATED)):
        return [b'{"id":%d,"_info":{"lastUpdated":"%s"}}' % (ids[at], date_text(stamps[at]).encode()) for at in chosen]
    return [project(snapshot.bodies[at], fields) for at in chosen]


def project(body: bytes, fields: tuple[tuple[str, ...], ...]) -> bytes:
    """Return the record's JSON with only the listed fields; what is no record stays as it is."""
    record = decode(body)
    return encode(_kept(record, fields)) if isinstance(record, dict) else body


def _kept(record: dict[str, Any], fields: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in record.items():
        inner = [path[1:] for path in fields if path[0] == name.lower()]
        if not inner:
            continue
        if any(not path for path in inner) or not isinstance(value, dict):
            kept[name] = value
            continue
        part = _kept(value, tuple(inner))
        if part:
            kept[name] = part
    return kept
