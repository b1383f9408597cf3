"""Other people's engines read the canonical tables and raw as they lie, and count and add up the same.

Each engine runs in a process of its own: some bring native threads that do not end well beside another engine's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from avesa.simulator.site import Changes, CompanySpec, Site
from tests.flow.pipeline import PATHS, pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "reading-the-tables.md"
HOURS = ("tickets", "time_entries")

# Not by to_pyarrow_table: it reads through Python files, and then pyarrow's threads may abort the process as it ends.
DELTA_RS = """
import json, sys
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
lake, table, hours = sys.argv[1], sys.argv[2], sys.argv[3]
rows = QueryBuilder().register("rows", DeltaTable(f"{lake}/acme/canonical/{table}"))
counted = pa.table(rows.execute(
    f"SELECT count(*), count(*) FILTER (WHERE is_current), count(DISTINCT id), sum({hours}) FILTER (WHERE is_current), "
    "max(valid_from) FROM rows").read_all())
*counts, newest = [column[0].as_py() for column in counted.columns]
print(json.dumps([*counts, newest.timestamp()]))
"""
POLARS = """
import json, sys
import polars as pl
lake, table, hours = sys.argv[1], sys.argv[2], sys.argv[3]
rows = pl.scan_delta(f"{lake}/acme/canonical/{table}")
counted = rows.select(
    pl.len(), pl.col("is_current").sum().alias("current"), pl.col("id").n_unique().alias("ids"),
    pl.col(hours).filter(pl.col("is_current")).sum().alias("hours"),
    (pl.col("valid_from").max().dt.epoch("us") / 1e6).alias("newest"),
).collect()
print(json.dumps(list(counted.row(0))))
"""
CLICKHOUSE = """
import json, sys
import chdb
lake, table, hours = sys.argv[1], sys.argv[2], sys.argv[3]
counted = chdb.query(
    f"SELECT count(), sum(is_current), uniqExact(id), sumIf({hours}, is_current), toUnixTimestamp(max(valid_from)) "
    f"FROM deltaLakeLocal('{lake}/acme/canonical/{table}')", "JSONCompact"
)
print(json.dumps([float(value) for value in json.loads(str(counted))["data"][0]]))
"""
DUCKDB = """
import json, pathlib, sys
import duckdb, duckdb_extension_delta
lake, table, hours = sys.argv[1], sys.argv[2], sys.argv[3]
(extension,) = pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
# What is not packaged must not be fetched.
database = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
database.execute(f"LOAD '{extension}'")
print(json.dumps(database.execute(
    f"SELECT count(*), count(*) FILTER (is_current), count(DISTINCT id), sum({hours}) FILTER (is_current), "
    f"epoch(max(valid_from)) FROM delta_scan('{lake}/acme/canonical/{table}')").fetchone()))
"""
DUCKDB_QUERY = """
import json, pathlib, sys
import duckdb, duckdb_extension_delta
(extension,) = pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
database = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
database.execute(f"LOAD '{extension}'")
print(json.dumps(database.execute(sys.argv[1]).fetchone()))
"""
RAW = {
    "pyarrow": """
import json, pathlib, sys
import pyarrow.parquet as pq
rows = [row for file in sys.argv[1:] for row in pq.ParquetFile(file).read().to_pylist()]
length = sum(len(row["payload"]) for row in rows)
print(json.dumps([len(rows), len({row["id"] for row in rows}), length, list(rows[0])]))
""",
    "polars": """
import json, sys
import polars as pl
rows = pl.scan_parquet(sys.argv[1:])
counted = rows.select(pl.len(), pl.col("id").n_unique().alias("ids"), pl.col("payload").str.len_chars().sum()).collect()
print(json.dumps([*counted.row(0), rows.collect_schema().names()]))
""",
    "duckdb": """
import json, sys
import duckdb
files = sys.argv[1:]
rows = duckdb.read_parquet(files)
counted = rows.aggregate("count(*), count(DISTINCT id), sum(length(payload))::BIGINT").fetchall()
print(json.dumps([*counted[0], rows.columns]))
""",
}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Site]]:
    """A lake with versions, deletions and corrections in it, and the site that it was read from."""
    sizes = {"service/tickets": 1_500, "time/entries": 900, "company/companies": 60, "company/contacts": 200}
    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=sizes)])
    with pipeline(site, tmp_path_factory.mktemp("engines"), "acme") as made:
        made.run()
        for path in PATHS.values():
            site.company("acme").apply(path, Changes(edits=30, inserts=5, deletes=4, silent=3))
        assert made.run(detect_deletes=True)["status"] == "completed"
        assert made.run(full_sync=True)["status"] == "completed"
        yield made.lake, site


def told(python: Path | str, program: str, *arguments: str, folder: Path | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return what an engine's program prints. ClickHouse reads files below its working folder only."""
    done = subprocess.run(
        [str(python), "-c", program, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def by_delta_rs(read: tuple[Path, Site]) -> dict[str, list[Any]]:
    """What delta-rs, the library that wrote them, counts of the tables."""
    return {table: told(sys.executable, DELTA_RS, str(read[0]), table, "actual_hours") for table in HOURS}


def assert_counted(read: tuple[Path, Site], by_delta_rs: dict[str, list[Any]], counted: dict[str, list[Any]]) -> None:
    for table in HOURS:
        truth = read[1].company("acme").records(PATHS[table])
        rows, current, ids, hours, newest = counted[table]
        assert current == len(truth)
        assert hours == pytest.approx(sum(record.get("actualHours", 0.0) for record in truth.values()))
        assert [rows, current, ids, int(newest)] == [*by_delta_rs[table][:3], int(by_delta_rs[table][4])]
        assert rows > ids > current


def counted_by(read: tuple[Path, Site], python: Path | str, program: str) -> dict[str, list[Any]]:
    lake = read[0]
    return {table: told(python, program, str(lake), table, "actual_hours", folder=lake) for table in HOURS}


def test_delta_rs_counts_what_the_source_has(read: tuple[Path, Site], by_delta_rs: dict[str, list[Any]]) -> None:
    assert_counted(read, by_delta_rs, by_delta_rs)


@pytest.mark.engines
@pytest.mark.parametrize("program", [POLARS, CLICKHOUSE], ids=["polars", "clickhouse"])
def test_the_same_is_counted_by(read: tuple[Path, Site], by_delta_rs: dict[str, list[Any]], program: str) -> None:
    assert_counted(read, by_delta_rs, counted_by(read, sys.executable, program))


@pytest.mark.engines
def test_the_same_is_counted_by_duckdbs_own_delta_extension(
    read: tuple[Path, Site], by_delta_rs: dict[str, list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert_counted(read, by_delta_rs, counted_by(read, _duckdb_reader(tmp_path_factory), DUCKDB))


def _example(section: str) -> str:
    """Return the first block of code of a section of the page, as a reader would copy it."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.search(r"^```\w+\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, section
    return found[1]


def _home(read: tuple[Path, Site], tmp_path: Path) -> Path:
    """Return a folder in which the page's paths lead to the lake."""
    place = tmp_path / "avesa-data" / "data-storage-msp-local"
    shutil.copytree(read[0] / "acme" / "canonical", place / "acme" / "canonical")
    return tmp_path


def _hours(read: tuple[Path, Site]) -> float:
    records = read[1].company("acme").records(PATHS["tickets"])
    return float(sum(record.get("actualHours", 0.0) for record in records.values()))


@pytest.mark.engines
def test_the_pages_example_for_polars_counts_what_the_source_has(read: tuple[Path, Site], tmp_path: Path) -> None:
    hours = told(sys.executable, _example("Polars"), folder=_home(read, tmp_path))

    assert hours == pytest.approx(_hours(read))


@pytest.mark.engines
def test_the_pages_example_for_python_reads_every_version(
    read: tuple[Path, Site], by_delta_rs: dict[str, list[Any]], tmp_path: Path
) -> None:
    versions = told(sys.executable, _example("Python without an engine"), folder=_home(read, tmp_path))

    assert versions == by_delta_rs["tickets"][0]


@pytest.mark.engines
def test_the_pages_example_for_clickhouse_counts_what_the_source_has(read: tuple[Path, Site], tmp_path: Path) -> None:
    program = "import chdb, sys\nprint(str(chdb.query(sys.argv[1], 'JSONCompactEachRow')).strip())"

    home = _home(read, tmp_path)

    count, hours = told(sys.executable, program, _example("ClickHouse").replace("/srv", str(home)), folder=home)

    assert int(count) == len(read[1].company("acme").records(PATHS["tickets"]))
    assert hours == pytest.approx(_hours(read))


@pytest.mark.engines
def test_the_pages_example_for_duckdb_counts_what_the_source_has(
    read: tuple[Path, Site], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    installing, loading, query = _example("DuckDB").split(";\n", maxsplit=2)
    assert (installing, loading) == ("INSTALL delta", "LOAD delta")  # the test has the extension as a wheel

    count, hours = told(_duckdb_reader(tmp_path_factory), DUCKDB_QUERY, query, folder=_home(read, tmp_path))

    assert count == len(read[1].company("acme").records(PATHS["tickets"]))
    assert hours == pytest.approx(_hours(read))


@pytest.mark.engines
@pytest.mark.parametrize("engine", RAW)
def test_raw_is_read_by(read: tuple[Path, Site], engine: str) -> None:
    folder = read[0] / "acme/raw/connectwise/service/tickets"
    files = [file for file in sorted(folder.rglob("*.parquet")) if "deletions" not in file.parts]
    payloads = [row["payload"] for file in files for row in pq.ParquetFile(file).read().to_pylist()]

    counted = told(sys.executable, RAW[engine], *map(str, files))

    columns = ["id", "last_updated", "ingested_at", "job_id", "chunk_id", "payload"]
    ids = {json.loads(payload)["id"] for payload in payloads}
    assert counted == [len(payloads), len(ids), sum(map(len, payloads)), columns]


def _duckdb_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment with DuckDB and its extension as wheels; made once per cache."""
    named = os.environ.get("AVESA_TEST_CACHE")
    folder = (Path(named) if named else tmp_path_factory.mktemp("reader")) / "duckdb-reader"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        requirements = ROOT / "requirements" / "duckdb-reader.txt"
        installed = subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(requirements)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert installed.returncode == 0, installed.stderr
        (folder / "complete").touch()
    return python
