"""A target on singer-sdk that writes Parquet in batches of 10,000 records; no history."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from common import done, job
from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.sinks import BatchSink

WORK = job()


class ParquetSink(BatchSink):
    """Writes a batch as one file, the nested values as JSON."""

    max_size = 10_000

    def process_batch(self, context: dict[str, object]) -> None:
        """Write the batch."""
        records = context["records"]
        names = sorted({name for record in records for name in record})
        columns = {
            name: [None if record.get(name) is None else _text(record[name]) for record in records] for name in names
        }
        path = WORK.folder / f"tickets-{context['batch_id']}.parquet"
        pq.write_table(pa.table(columns), path, compression="zstd")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


class ParquetTarget(Target):
    """The target."""

    name = "target-parquet"
    config_jsonschema = th.PropertiesList().to_dict()
    default_sink_class = ParquetSink


if __name__ == "__main__":
    ParquetTarget(config={}, parse_env_config=False).listen()
    done(sum(pq.ParquetFile(path).metadata.num_rows for path in Path(WORK.folder).glob("tickets-*.parquet")))
