"""Raw parts in a dict: what the Parquet store keeps in files, under the same keys."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avesa.application.plain_pages import PlainPages
from avesa.canonical.merging import DeletionRow, RawRow
from avesa.domain.names import deletions_prefix, raw_prefix
from avesa.domain.part_names import parse_part_file, part_file
from avesa.ports.lake import ObjectExists
from avesa.ports.tables import RawPart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from avesa.domain.model import RawRecord
    from avesa.ports.tables import PartName


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """A part's rows: extractions, or deletions found."""

    rows: tuple[RawRow, ...] = ()
    deletions: tuple[DeletionRow, ...] = ()


class MemoryRawStore(PlainPages):
    """A RawStore for as long as the object lives; threads may share it."""

    def __init__(self) -> None:
        self._parts: dict[str, _Content] = {}
        self._lock = threading.Lock()

    def write(self, name: PartName, records: Sequence[RawRecord], *, ingested_at: datetime) -> RawPart:
        rows = tuple(RawRow(record.id, ingested_at, name.job_id, name.chunk_id, record.payload) for record in records)
        prefix = raw_prefix(name.tenant_id, name.service, name.endpoint)
        return self._put(name, prefix, [row.id for row in rows], _Content(rows=rows))

    def write_deletions(self, name: PartName, ids: Sequence[int], *, found_missing_at: datetime) -> RawPart:
        deletions = tuple(DeletionRow(record_id, found_missing_at) for record_id in ids)
        prefix = deletions_prefix(name.tenant_id, name.service, name.endpoint)
        return self._put(name, prefix, list(ids), _Content(deletions=deletions))

    def projected(self, tenant_id: str, service: str, endpoint: str) -> Sequence[str]:  # noqa: ARG002 - as the port
        """Return none: reading a text again costs nothing that a test would notice."""
        return ()

    def drop_projected(self, keys: Sequence[str]) -> None:
        """There is nothing to delete."""

    def _put(self, name: PartName, prefix: str, ids: Sequence[int], content: _Content) -> RawPart:
        low, high = min(ids), max(ids)
        key = prefix + part_file(
            chunk_id=name.chunk_id, job_id=name.job_id, fence=name.fence, page=name.page, min_id=low, max_id=high
        )
        with self._lock:
            if key in self._parts:
                raise ObjectExists(key)
            self._parts[key] = content
        is_deletions = bool(content.deletions)
        return RawPart(key=key, job_id=name.job_id, min_id=low, max_id=high, is_deletions=is_deletions)

    def ids(self, parts: Sequence[RawPart]) -> set[int]:
        return {row.id for row in self.rows(parts)} | {row.id for row in self.deletions(parts)}

    def rows(self, parts: Sequence[RawPart]) -> list[RawRow]:
        """Return the extractions that the parts hold."""
        return [row for part in parts for row in self._content(part).rows]

    def deletions(self, parts: Sequence[RawPart]) -> list[DeletionRow]:
        """Return the deletions that the parts hold."""
        return [row for part in parts for row in self._content(part).deletions]

    def _content(self, part: RawPart) -> _Content:
        with self._lock:
            return self._parts[part.key]

    # Last, since its name hides the built-in type from the annotations that follow.
    def list(self, tenant_id: str, service: str, endpoint: str) -> list[RawPart]:
        prefix = raw_prefix(tenant_id, service, endpoint)
        with self._lock:
            keys = sorted(key for key in self._parts if key.startswith(prefix))
        found = []
        for key in keys:
            parsed = parse_part_file(key.removeprefix(prefix))
            if parsed is not None:
                part = RawPart(
                    key=key,
                    job_id=parsed.job_id,
                    min_id=parsed.min_id,
                    max_id=parsed.max_id,
                    is_deletions=parsed.is_deletions,
                )
                found.append(part)
        return found
