"""dlt, rest_api source to DuckDB with history (scd2), pages in parallel.

The documented way to ask for pages of one endpoint at once: a resource that lists the pages, and a dependent resource
with `parallelized`, whose requests run in the extract pool. Extracted files are rotated so that normalising uses both
cores; Parquet is the faster of the two file formats for DuckDB; nested lists stay JSON, which spares it child tables.
"""

from __future__ import annotations

import os

from common import HEADERS, PAGE, done, job

WORK = job()
os.environ |= {
    "EXTRACT__WORKERS": str(WORK.in_flight),
    "EXTRACT__MAX_PARALLEL_ITEMS": str(WORK.in_flight * 2),
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "20000",
    "NORMALIZE__WORKERS": str(os.cpu_count()),
    "NORMALIZE__START_METHOD": "spawn",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "DLT_DATA_DIR": str(WORK.folder / "dlt"),
}

import dlt  # noqa: E402 - it reads the settings above
import duckdb  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402


@dlt.resource(name="pages", selected=False)
def pages() -> object:
    """List the numbers of the pages."""
    yield [{"number": number} for number in range(1, WORK.pages + 1)]


def main() -> None:
    """Load everything once."""
    tickets = {
        "name": "tickets",
        "parallelized": WORK.in_flight > 1,
        "max_table_nesting": 0,
        "write_disposition": {"disposition": "merge", "strategy": "scd2"},
        "endpoint": {
            "path": "service/tickets",
            "paginator": "single_page",
            "params": {"page": "{resources.pages.number}", "pageSize": PAGE, "orderBy": "id asc"},
        },
    }
    source = rest_api_source({"client": {"base_url": WORK.api, "headers": HEADERS}, "resources": [pages(), tickets]})
    database = WORK.folder / "tickets.duckdb"
    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.duckdb(str(database)), dataset_name="bench", pipelines_dir=WORK.folder
    )
    pipeline.run(source, loader_file_format="parquet")
    with duckdb.connect(str(database)) as connection:
        done(connection.execute("SELECT count(*) FROM bench.tickets WHERE _dlt_valid_to IS NULL").fetchone()[0])


if __name__ == "__main__":
    main()
