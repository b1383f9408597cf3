"""Raw parts: the record's own JSON in one string column, so that a schema drift can break no reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from avesa.adapters.parquet.packing import PackedPage, pack_page, parquet_bytes, raw_bytes
from avesa.adapters.parquet.projected import ProjectedParts, projected_key
from avesa.adapters.parquet.schemas import DELETIONS_SCHEMA, text_array, time_array
from avesa.domain.names import deletions_prefix, raw_prefix
from avesa.domain.part_names import parse_part_file, part_file
from avesa.ports.tables import PageOrigin, RawPart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from avesa.domain.model import RawRecord
    from avesa.ports.tables import PartName, SplitPage


class ParquetRawStore(ProjectedParts):
    """A RawStore on any Lake. Can be pickled when the lake can."""

    def pack(self, body: bytes, origin: PageOrigin) -> SplitPage:
        """Make what can be stored of a page; see the port."""
        return pack_page(body, origin)

    def put_page(self, name: PartName, page: SplitPage) -> RawPart:
        """Make a packed page durable, then its columns: a crash in between leaves the fold the texts."""
        if not isinstance(page, PackedPage) or page.raw is None:
            raise TypeError("this page was packed by another store, or has no records")
        part = self._put(name, raw_prefix(name.tenant_id, name.service, name.endpoint), page.ids, page.raw)
        if page.projected is not None and page.digest is not None:
            self._lake.put(projected_key(name, part, page.digest), page.projected)
        return part

    def write(self, name: PartName, records: Sequence[RawRecord], *, ingested_at: datetime) -> RawPart:
        """Make one part durable; see the port."""
        origin = PageOrigin(job_id=name.job_id, chunk_id=name.chunk_id, ingested_at=ingested_at)
        ids = [record.id for record in records]
        prefix = raw_prefix(name.tenant_id, name.service, name.endpoint)
        return self._put(name, prefix, ids, raw_bytes(records, origin))

    def write_deletions(self, name: PartName, ids: Sequence[int], *, found_missing_at: datetime) -> RawPart:
        """Make the ids found missing durable; see the port."""
        table = pa.table(
            [
                text_array([b"%d" % record_id for record_id in ids]),
                time_array([found_missing_at] * len(ids)),
                text_array([name.job_id.encode()] * len(ids)),
            ],
            schema=DELETIONS_SCHEMA,
        )
        prefix = deletions_prefix(name.tenant_id, name.service, name.endpoint)
        return self._put(name, prefix, ids, parquet_bytes(table, compression="zstd", compression_level=1))

    def _put(self, name: PartName, prefix: str, ids: Sequence[int], content: bytes) -> RawPart:
        low, high = min(ids), max(ids)
        key = prefix + part_file(
            chunk_id=name.chunk_id, job_id=name.job_id, fence=name.fence, page=name.page, min_id=low, max_id=high
        )
        self._lake.put(key, content)
        return RawPart(key=key, job_id=name.job_id, min_id=low, max_id=high, is_deletions="/deletions/" in key)

    def list(self, tenant_id: str, service: str, endpoint: str) -> list[RawPart]:
        """Return every part by key; objects that are not parts of ours are left alone."""
        prefix = raw_prefix(tenant_id, service, endpoint)
        found = []
        for info in self._lake.list(prefix):
            parsed = parse_part_file(info.key.removeprefix(prefix))
            if parsed is not None:
                found.append(
                    RawPart(
                        key=info.key,
                        job_id=parsed.job_id,
                        min_id=parsed.min_id,
                        max_id=parsed.max_id,
                        is_deletions=parsed.is_deletions,
                    )
                )
        return found

    def ids(self, parts: Sequence[RawPart]) -> set[int]:
        """Return the distinct ids, from the id columns alone."""
        found: set[int] = set()
        with self._lake.local_copies([part.key for part in parts]) as paths:
            for path in paths:
                column = pq.ParquetFile(path).read(columns=["id"]).column(0).cast(pa.int64())
                found.update(column.to_pylist())
        return found
