"""dlt's Arrow path to DuckDB: pages are fetched and decoded for it, and it loads Arrow tables. No raw, no history."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

from common import HEADERS, PAGE, done, job

WORK = job()
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(WORK.folder / "dlt")}

import dlt  # noqa: E402 - it reads the settings above
import duckdb  # noqa: E402
import msgspec  # noqa: E402
import pyarrow as pa  # noqa: E402
import requests  # noqa: E402


class Named(msgspec.Struct, gc=False):
    """A reference to another record."""

    id: int | None = None
    name: str | None = None


class Info(msgspec.Struct, gc=False):
    """When and by whom a ticket was changed."""

    lastUpdated: str | None = None  # noqa: N815 - the service's name
    updatedBy: str | None = None  # noqa: N815
    dateEntered: str | None = None  # noqa: N815
    enteredBy: str | None = None  # noqa: N815


REFERENCES = ("status", "priority", "company", "contact", "board", "type", "subType", "item", "team", "owner")
PLAIN = {"summary": str, "severity": str, "impact": str, "requiredDate": str, "budgetHours": float,
         "actualHours": float, "approved": bool, "closedDate": str, "closedBy": str}  # fmt: skip
Ticket = msgspec.defstruct(
    "Ticket",
    [
        ("id", int),
        *((name, kind | None, None) for name, kind in PLAIN.items()),
        *((name, Named | None, None) for name in REFERENCES),
        ("info", Info | None, msgspec.field(name="_info", default=None)),
    ],
    gc=False,
)
DECODER = msgspec.json.Decoder(list[Ticket])
NOBODY, NEVER = Named(), Info()


def page(number: int) -> pa.Table:
    """Fetch one page and return the columns that AVESA's mapping of tickets has too."""
    params = {"page": number, "pageSize": PAGE, "orderBy": "id asc"}
    answer = requests.get(f"{WORK.api}service/tickets", params=params, headers=HEADERS, timeout=90)
    tickets = DECODER.decode(answer.content)
    columns = {name: pa.array([getattr(ticket, name) for ticket in tickets]) for name in ("id", *PLAIN)}
    for name in REFERENCES:
        found = [getattr(ticket, name) or NOBODY for ticket in tickets]
        columns[f"{name}_id"] = pa.array([item.id for item in found], pa.int64())
        columns[f"{name}_name"] = pa.array([item.name for item in found], pa.string())
    for name in Info.__struct_fields__:
        columns[name] = pa.array([getattr(ticket.info or NEVER, name) for ticket in tickets], pa.string())
    types = {str: pa.string(), float: pa.float64(), bool: pa.bool_()}
    return pa.table({name: column.cast(types[PLAIN[name]]) if name in PLAIN else column
                     for name, column in columns.items()})  # fmt: skip


@dlt.resource(name="tickets", write_disposition="replace")
def tickets() -> object:
    """Yield the pages as they come, as many at once as may be."""
    with ThreadPoolExecutor(WORK.in_flight) as pool:
        numbers = iter(range(1, WORK.pages + 1))
        # In batches: otherwise the pool would fetch ahead of the loading without an end.
        while batch := list(itertools.islice(numbers, WORK.in_flight * 2)):
            yield from pool.map(page, batch)


def main() -> None:
    """Load everything once."""
    database = WORK.folder / "tickets.duckdb"
    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.duckdb(str(database)), dataset_name="bench", pipelines_dir=WORK.folder
    )
    pipeline.run(tickets())
    with duckdb.connect(str(database)) as connection:
        done(connection.execute("SELECT count(*) FROM bench.tickets").fetchone()[0])


if __name__ == "__main__":
    main()
