"""Raw parts read back whole, by DuckDB: the package that has the table engines has no pyarrow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import duckdb

from avesa.domain.errors import StorageError
from avesa.ports.upkeep import RawContent, StoredDeletion, StoredRecord

if TYPE_CHECKING:
    from avesa.ports.lake import Lake
    from avesa.ports.tables import RawPart

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RECORDS: Final = (
    "SELECT id::BIGINT, epoch_us(last_updated), epoch_us(ingested_at), job_id, chunk_id, encode(payload) "
    "FROM read_parquet(?, hive_partitioning=false)"
)
_DELETIONS: Final = (
    "SELECT id::BIGINT, epoch_us(found_missing_at), job_id FROM read_parquet(?, hive_partitioning=false)"
)


class ParquetRawReader:
    """A RawReader on any Lake. Can be pickled when the lake can."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def read(self, part: RawPart) -> RawContent:
        try:
            with self._lake.local_copies([part.key]) as paths, duckdb.connect(config={"threads": 1}) as database:
                rows = database.execute(_DELETIONS if part.is_deletions else _RECORDS, [paths[0]]).fetchall()
        except KeyError:
            raise StorageError(f"raw part {part.key} is not there") from None
        except duckdb.Error as error:
            # The engine's own words may quote a value.
            raise StorageError(f"raw part {part.key} cannot be read ({type(error).__name__})") from None
        if part.is_deletions:
            return RawContent(deletions=tuple(StoredDeletion(key, _time(at), job_id) for key, at, job_id in rows))
        return RawContent(
            records=tuple(
                StoredRecord(key, None if updated is None else _time(updated), _time(ingested), job, chunk, payload)
                for key, updated, ingested, job, chunk, payload in rows
            )
        )


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
