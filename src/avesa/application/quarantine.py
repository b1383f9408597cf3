"""What lies in quarantine, and bringing back what can be read by now.

A quarantine object is never changed: beside it, an object of its own says which of its lines have been brought back.

    service-tickets-f3-p00002.jsonl                       records with their bytes and the reason, one JSON a line
    service-tickets-f3-p00002.resolved-20261123….json     lines of it that a later release could read
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from avesa.canonical.projection import Projection
from avesa.connectors.pages import split_page
from avesa.domain.errors import DataError, StorageError, TransientSourceError
from avesa.domain.names import quarantine_prefix
from avesa.ports.decoding import decoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from avesa.application.catalog import Catalog
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.domain.model import RawRecord
    from avesa.ports.lake import Lake
    from avesa.ports.tables import RawPart
    from avesa.ports.upkeep import RawReader

_LINES: Final = ".jsonl"
_RESOLVED: Final = ".resolved-"
_NAMED_BY_REASON: Final = re.compile(r"record (-?\d{1,19}): ")
"""How the fold names a record whose bytes are in raw and that no row can be made of."""
_FIRST_FIELD: Final = re.compile(rb'\s*\{\s*"id"\s*:\s*"?(-?\d{1,19})"?\s*[,}]')
_SHOWN_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedLine:
    """One record in quarantine."""

    key: str
    """The lake's object that holds it."""
    number: int
    """Its line in the object, from 0."""
    reason: str
    content: bytes
    """Its bytes less the dropped fields; empty when they are in raw, or could not be kept."""
    quarantined_at: datetime
    job_id: str
    record_id: int | None
    is_resolved: bool = False

    @property
    def is_in_raw(self) -> bool:
        """Whether raw has its payload, and only the fold could not read it."""
        return not self.content and self.record_id is not None


class _Line(msgspec.Struct):
    reason: str
    content_base64: str
    quarantined_at: datetime
    job_id: str
    chunk_id: str = ""


class _Resolution(msgspec.Struct):
    resolved_at: datetime
    job_id: str
    lines: list[int]


def quarantined(lake: Lake, tenant_id: str, service: str, table_name: str) -> Iterator[QuarantinedLine]:
    """Yield the records of one table that lie in quarantine, object after object, those brought back too.

    Raises StorageError with the key of an object that is damaged.
    """
    keys = [info.key for info in lake.list(quarantine_prefix(tenant_id, service, table_name))]
    for key in keys:
        if key.endswith(_LINES):
            mark = key.removesuffix(_LINES) + _RESOLVED
            resolved = {number for other in keys if other.startswith(mark) for number in _resolution(lake, other).lines}
            for line in _lines(lake, key):
                yield replace(line, is_resolved=line.number in resolved)


def record_id_of(content: bytes, reason: str = "") -> int | None:
    """Return the id of a record that cannot be read as a whole, where its text or the reason still tells it."""
    named = _NAMED_BY_REASON.match(reason)
    if named is not None:
        return int(named[1])
    try:
        found = json.loads(content)["id"]
        return int(found) if isinstance(found, int | str) and not isinstance(found, bool) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        first = _FIRST_FIELD.match(content)
        return None if first is None else int(first[1])


def fingerprint(content: bytes) -> str:
    """Return what tells two contents apart and shows nothing of either."""
    return hashlib.sha256(content).hexdigest()[:_SHOWN_DIGITS]


def read_again(content: bytes, drop_fields: tuple[str, ...]) -> RawRecord | None:
    """Return the record if today's code can read it, else None."""
    try:
        records = split_page(b"[" + content + b"]", drop_fields=drop_fields).records
    except TransientSourceError:
        return None
    return records[0] if len(records) == 1 else None


def resolve(lake: Lake, key: str, lines: Sequence[int], *, job_id: str, at: datetime) -> None:
    """Say, durably and beside it, which lines of a quarantine object a job has brought back."""
    content = msgspec.json.encode(_Resolution(resolved_at=at, job_id=job_id, lines=sorted(lines)))
    lake.put(f"{key.removesuffix(_LINES)}{_RESOLVED}{job_id}.json", content, overwrite=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoercedRecord:
    """A record of which raw has a value that its column cannot hold."""

    table_name: str
    record_id: int
    columns: tuple[str, ...]
    """Null in canonical; raw has what came. `last_updated` is among them when the record had no source time."""
    last_updated: datetime | None
    part: str
    """The raw part that has the record's own text."""


def coerced_records(raw: RawReader, parts: Sequence[RawPart], mapping: CanonicalMapping) -> Iterator[CoercedRecord]:
    """Yield each state that does not fit its columns, once, part after part: nothing but what was yielded is kept."""
    projection = Projection(mapping)
    known: set[tuple[int, str]] = set()
    for part in parts:
        for row in raw.read(part).records:
            try:
                found = projection.project(row.payload)
            except DataError:
                continue  # no row can be made of it at all: it is in quarantine
            state = (row.id, f"{found.record_hash} {found.source_time}")
            if found.coerced and state not in known:
                known.add(state)
                yield CoercedRecord(
                    table_name=mapping.endpoint,
                    record_id=row.id,
                    columns=found.coerced,
                    last_updated=found.source_time,
                    part=part.key,
                )


def asked_tables(catalog: Catalog, table_name: str | None) -> list[str]:
    """Return the endpoints that a command is asked for. Raises UsageError for one that there is not."""
    return list(catalog.endpoints.enabled()) if table_name is None else [catalog.resolve(table_name)]


def without_lines(lake: Lake, key: str, lines: set[int]) -> bytes:
    """Return a quarantine object's content less some of its lines; their places stay, empty, so that the numbers of
    the others hold.
    """
    kept = lake.get(key).split(b"\n")
    return b"\n".join(b"" if number in lines else text for number, text in enumerate(kept))


def _lines(lake: Lake, key: str) -> Iterator[QuarantinedLine]:
    for number, text in enumerate(lake.get(key).split(b"\n")):
        if not text.strip():
            continue
        try:
            line = decoder(_Line).decode(text)
            content = base64.b64decode(line.content_base64, validate=True)
        except (msgspec.DecodeError, binascii.Error):
            raise StorageError(
                f"quarantine object {key}: line {number + 1} is damaged; put the object back from a copy"
            ) from None
        yield QuarantinedLine(
            key=key,
            number=number,
            reason=line.reason,
            content=content,
            quarantined_at=line.quarantined_at,
            job_id=line.job_id,
            record_id=record_id_of(content, line.reason),
        )


def _resolution(lake: Lake, key: str) -> _Resolution:
    try:
        return decoder(_Resolution).decode(lake.get(key))
    except msgspec.DecodeError:
        raise StorageError(
            f"quarantine object {key} is damaged; delete it, then call `avesa quarantine retry`"
        ) from None
