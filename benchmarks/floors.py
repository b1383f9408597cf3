"""The floor of each stage: CPU of the least code, with the same libraries, that does its work on the same tickets."""

from __future__ import annotations

import gc
import io
import os
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.corpus import Corpus

PAGE: Final = 1000
FLOORS: Final = {
    "fetch": "http.client, one connection, bodies read and left",
    "split into records": "msgspec.Raw of each element",
    "raw write (Arrow, Parquet)": "payloads and ids as Arrow, Parquet with zstd 1, in memory",
    "make durable (write, sync, rename)": "one file a page: written, synced, renamed",
    "project (payload to columns)": "msgspec, typed decoding of the mapped fields",
    "canonical write (Arrow, DuckDB, Parquet)": "DuckDB, the mapped columns from Arrow to Parquet",
    "commit (manifest, Delta log)": "delta-rs, one commit that adds one file a bucket",
}
_REFERENCES: Final = ("status", "priority", "company", "contact", "board", "type", "subType", "item", "team", "owner")
_TEXTS: Final = ("summary", "initialDescription", "severity", "impact", "requiredDate", "closedDate", "closedBy")
_NUMBERS: Final = ("budgetHours", "actualHours")


class _Named(msgspec.Struct, gc=False):
    id: int | None = None
    name: str | None = None


class _Info(msgspec.Struct, gc=False):
    lastUpdated: str | None = None  # noqa: N815 - the service's name
    updatedBy: str | None = None  # noqa: N815
    dateEntered: str | None = None  # noqa: N815
    enteredBy: str | None = None  # noqa: N815


_TICKET: Final = msgspec.defstruct(
    "Ticket",
    [
        ("id", int),
        *((name, str | None, None) for name in _TEXTS),
        *((name, float | None, None) for name in _NUMBERS),
        *((name, _Named | None, None) for name in _REFERENCES),
        ("info", _Info | None, msgspec.field(name="_info", default=None)),
    ],
    gc=False,
)


def measured_floors(tickets: Corpus, url: str) -> dict[str, float]:
    """Return the CPU seconds that each stage's floor takes for all the tickets."""
    pages = _pages(tickets)
    raws = [msgspec.json.decode(page, type=list[msgspec.Raw]) for page in pages]
    decoder = msgspec.json.Decoder(list[_TICKET])  # type: ignore[valid-type]
    decoded = [decoder.decode(page) for page in pages]
    table = pa.concat_tables([_columns(page) for page in decoded])
    with tempfile.TemporaryDirectory(prefix="avesa-floor-") as name:
        folder = Path(name)
        files = [_parquet(raw) for raw in raws]
        work: dict[str, Callable[[], object]] = {
            "fetch": lambda: _fetch(url, len(pages)),
            "split into records": lambda: [msgspec.json.decode(page, type=list[msgspec.Raw]) for page in pages],
            "raw write (Arrow, Parquet)": lambda: [_parquet(raw) for raw in raws],
            "make durable (write, sync, rename)": lambda: _durable(folder, files),
            "project (payload to columns)": lambda: [decoder.decode(page) for page in pages],
            "canonical write (Arrow, DuckDB, Parquet)": lambda: _canonical(folder, table),
            "commit (manifest, Delta log)": lambda: _commit(folder, len(tickets) // 4096 + 1),
        }
        return {stage: _cpu_seconds(function) for stage, function in work.items()}


def _cpu_seconds(function: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    began = time.process_time()
    function()
    taken = time.process_time() - began
    gc.enable()
    return taken


def _pages(tickets: Corpus) -> list[bytes]:
    content, starts = tickets.path.read_bytes(), tickets.starts
    cuts = range(0, len(tickets), PAGE)
    return [b"[" + content[starts[at] : starts[min(at + PAGE, len(tickets))] - 1] + b"]" for at in cuts]


def _fetch(url: str, pages: int) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    for number in range(1, pages + 1):
        connection.request("GET", f"/v2025_1/apis/3.0/service/tickets?pageSize={PAGE}&page={number}")
        connection.getresponse().read()
    connection.close()


def _parquet(raw: list[msgspec.Raw]) -> bytes:
    payloads = pa.array([bytes(text) for text in raw], pa.binary()).cast(pa.string())
    sink = io.BytesIO()
    table = pa.table({"id": pa.array(range(len(raw)), pa.int64()), "payload": payloads})
    pq.write_table(table, sink, compression="zstd", compression_level=1, use_dictionary=False)
    return sink.getvalue()


def _durable(folder: Path, files: list[bytes]) -> None:
    for number, content in enumerate(files):
        path = folder / f"part-{number}"
        with path.with_suffix(".new").open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".new").rename(path)


def _columns(page: list[Any]) -> pa.Table:
    found: dict[str, pa.Array] = {"id": pa.array([ticket.id for ticket in page], pa.int64())}
    for name in _TEXTS:
        found[name] = pa.array([getattr(ticket, name) for ticket in page], pa.string())
    for name in _NUMBERS:
        found[name] = pa.array([getattr(ticket, name) for ticket in page], pa.float64())
    nobody = _Named()
    for name in _REFERENCES:
        things = [getattr(ticket, name) or nobody for ticket in page]
        found[f"{name}_id"] = pa.array([thing.id for thing in things], pa.int64())
        found[f"{name}_name"] = pa.array([thing.name for thing in things], pa.string())
    return pa.table(found)


def _canonical(folder: Path, table: pa.Table) -> None:
    with duckdb.connect(config={"threads": 1}) as database:
        database.register("tickets", table)
        target = (folder / "canonical.parquet").as_posix()
        query = "COPY (SELECT * FROM tickets ORDER BY id)"
        database.execute(f"{query} TO '{target}' (FORMAT parquet, COMPRESSION zstd)")


def _commit(folder: Path, files: int) -> None:
    schema = Schema([Field("id", PrimitiveType("string")), Field("id_bucket", PrimitiveType("long"))])
    table = DeltaTable.create(folder / "table", schema=schema, partition_by=["id_bucket"])
    added = [
        AddAction(
            path=f"id_bucket={number}/part.parquet",
            size=1,
            partition_values={"id_bucket": str(number)},
            modification_time=0,
            data_change=True,
            stats='{"numRecords": 4096}',
        )
        for number in range(files)
    ]
    table.create_write_transaction(list(added), mode="append", schema=schema, partition_by=["id_bucket"])
