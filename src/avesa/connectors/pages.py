"""A page of records, split without rewriting them: each keeps the very text in which it came.

A page that is not a JSON array is the transport's trouble (ask again); a record that has no id is the record's
(quarantine it, keep the rest).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from avesa.domain.errors import TransientSourceError
from avesa.domain.model import RawRecord

_MAX_ID = 2**63 - 1
_LENGTH_OF_AN_ID_ALONE = len(b'{"id":-9223372036854775808}') + 2
"""Bytes of the longest record that has nothing but its id, a space or two included."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One record that cannot be read: its bytes less the dropped fields, and why."""

    reason: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """The records of a page in the order received."""

    records: list[RawRecord] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """The ids of the records, in the order received."""
        return [record.id for record in self.records]

    @property
    def bare_id(self) -> int | None:
        """The first record that has nothing but its id."""
        return next((record.id for record in self.records if is_bare(record.payload)), None)


def is_bare(text: bytes | msgspec.Raw) -> bool:
    """Whether a record has nothing but its id; one that is longer than an id can be is not looked into."""
    if memoryview(text).nbytes > _LENGTH_OF_AN_ID_ALONE:
        return False
    try:
        return _FIELDS.decode(text).keys() == {"id"}
    except msgspec.MsgspecError:
        return False


class _Info(msgspec.Struct, gc=False):
    lastUpdated: datetime | None = None  # noqa: N815 - the service's name


class _Head(msgspec.Struct, gc=False):
    id: int
    info: _Info | None = msgspec.field(name="_info", default=None)


_SPLIT = msgspec.json.Decoder(list[msgspec.Raw])
_HEAD = msgspec.json.Decoder(_Head)
_BLANKS = b" \t\r\n"
_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)
"""A text, or a mark between values; a quote that stands alone opens a text that does not end."""
_CLOSING = {b"[": b"]", b"{": b"}"}
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def plain_texts(body: bytes) -> list[msgspec.Raw] | None:
    """Return the texts of a JSON array's elements, not copied; None when it takes more than that to tell them apart."""
    try:
        return _SPLIT.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None


def split_page(body: bytes, *, drop_fields: tuple[str, ...] = ()) -> Page:
    """Return the records of a JSON array; raise TransientSourceError when the body is not one."""
    try:
        texts = [bytes(raw) for raw in _SPLIT.decode(body)]
    except (msgspec.MsgspecError, RecursionError):
        texts = _split_odd(body)
    page = Page()
    for text in texts:
        add_record(page, text, drop_fields)
    return page


def _split_odd(body: bytes) -> list[bytes]:
    """Split what the strict decoder refuses for one record's sake: half a character, a control character, depth."""
    try:
        texts = pieces(body, b"[]")
        for text in texts:
            # Only what is whole may be split so: text that was garbled on its way must be asked for again.
            with contextlib.suppress(RecursionError):
                json.loads(text.decode("utf-8", "surrogateescape"), strict=False, parse_int=str)
    except ValueError:
        message = "the answer is not a whole JSON array"
        raise TransientSourceError(message) from None
    return texts


def pieces(text: bytes, brackets: bytes) -> list[bytes]:
    """Return the text of each element of an array, or each member of an object, of any depth; what is in them is not
    looked at.

    Raises ValueError when the brackets of `text` do not pair, or something stands around them.
    """
    inner = text.strip(_BLANKS)
    if inner[:1] + inner[-1:] != brackets or len(inner) < len(brackets):
        raise ValueError("not in brackets")
    marks = [mark for mark in _MARK.finditer(inner) if len(mark[0]) == 1]
    open_marks: list[bytes] = []
    edges = [0]
    for mark in marks:
        if mark[0] in _CLOSING:
            open_marks.append(_CLOSING[mark[0]])
        elif mark[0] == b",":
            edges += [mark.start()] if len(open_marks) == 1 else []
        elif not open_marks or open_marks.pop() != mark[0] or (not open_marks and mark.end() < len(inner)):
            raise ValueError("the brackets do not pair, or a text does not end")
    if open_marks:
        raise ValueError("the brackets do not pair")
    found = [inner[start + 1 : end].strip(_BLANKS) for start, end in itertools.pairwise([*edges, len(inner) - 1])]
    return [] if found == [b""] else found


def add_record(page: Page, text: bytes, drop_fields: tuple[str, ...]) -> None:
    """Add the record to the page's records, or to those that are rejected."""
    received = text
    try:
        if drop_fields:
            text = _without(text, drop_fields)
        if not text.isascii():
            text.decode()
        record_id, last_updated = _head(text)
    except (ValueError, TypeError, RecursionError) as error:  # msgspec's errors are ValueErrors
        # What the fields could be told apart of has lost the dropped ones; the rest may keep what names none of them.
        kept = text if text is not received else _harmless(text, drop_fields)
        page.rejected.append(Rejected(_reason(error), kept))
        return
    page.records.append(RawRecord(record_id, last_updated, text))


def _head(text: bytes) -> tuple[int, datetime | None]:
    try:
        head = _HEAD.decode(text)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return _head_slowly(text)
    at = head.info.lastUpdated if head.info is not None else None
    return _checked_id(head.id), at if at is None or at.tzinfo is UTC else _utc(at)


def _head_slowly(text: bytes) -> tuple[int, datetime | None]:
    """Read what the strict decoder refuses: an id as text, odd dates, lone surrogates, an `_info` of another type."""
    value = json.loads(text)
    if not isinstance(value, dict):
        message = "the record is not a JSON object"
        raise TypeError(message)
    record_id = value.get("id")
    if (isinstance(record_id, str) and re.fullmatch(r"-?\d{1,19}", record_id)) or (
        isinstance(record_id, float) and record_id.is_integer()
    ):
        record_id = int(record_id)
    if isinstance(record_id, bool) or not isinstance(record_id, int):
        message = "the record has no integer id"
        raise TypeError(message)
    info = value.get("_info")
    return _checked_id(record_id), _time(info.get("lastUpdated") if isinstance(info, dict) else None)


def _checked_id(record_id: int) -> int:
    if not -_MAX_ID <= record_id <= _MAX_ID:
        message = "the record's id does not fit 64 bits"
        raise ValueError(message)
    return record_id


def _time(value: object) -> datetime | None:
    """Return a source time; None for what is none (raw keeps the text, canonical counts it as coerced)."""
    if not isinstance(value, str):
        return None
    try:
        return _utc(datetime.fromisoformat(value))
    except ValueError:
        return None


def _utc(at: datetime) -> datetime | None:
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None


def _without(text: bytes, names: tuple[str, ...]) -> bytes:
    """Return the record without the named top-level fields; every other value keeps its text."""
    lowered = {name.lower() for name in names}
    try:
        fields = _FIELDS.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        if not text.startswith(b"{"):
            raise TypeError("the record is not a JSON object") from None
        kept = [member for member in pieces(text, b"{}") if _name(member) not in lowered]
        return b"{" + b",".join(kept) + b"}"
    kept_fields = {name: value for name, value in fields.items() if name.lower() not in lowered}
    return text if len(kept_fields) == len(fields) else msgspec.json.encode(kept_fields)


def _name(member: bytes) -> str:
    """Return the name of an object's member, in lower case."""
    found = _MARK.match(member)
    name = json.loads((found[0] if found else b"").decode("utf-8", "replace"), strict=False)
    return str(name).lower()


def _harmless(text: bytes, names: tuple[str, ...]) -> bytes:
    """Return what quarantine may keep of text whose fields cannot be told apart: nothing, if it may name a dropped one.

    A backslash may hide a name, letter by letter.
    """
    lowered = text.lower()
    is_harmless = not names or (b"\\" not in text and not any(name.lower().encode() in lowered for name in names))
    return text if is_harmless else b""


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "the record is not UTF-8"
    if isinstance(error, RecursionError):
        return "the record is nested too deeply"
    if isinstance(error, msgspec.MsgspecError | json.JSONDecodeError):
        return "the record is not valid JSON of an object"
    return str(error)
