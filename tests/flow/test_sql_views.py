"""SQL over canonical tables: one view for all tenants, which a filter on the tenant narrows before a file is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from arro3.core import Table
from deltalake import DeltaTable, write_deltalake

from avesa.adapters.delta.views import sql_session
from avesa.adapters.local.lake import LocalLake
from avesa.domain.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

TENANTS = ("acme", "birch", "cedar")


def _write(root: Path, tenant: str, sql: str) -> None:
    with duckdb.connect() as database:
        rows = Table.from_arrow(database.sql(sql))
    write_deltalake(str(root / tenant / "canonical" / "tickets"), rows, mode="append")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    # Two files for each tenant: the engine prunes a single file by its statistics, whatever the view says.
    for tenant in TENANTS:
        for batch in (0, 100):
            _write(
                tmp_path,
                tenant,
                f"SELECT '{tenant}' AS tenant_id, i::VARCHAR AS id FROM range({batch}, {batch} + 5) t(i)",
            )
    return tmp_path


def _asked(root: Path, sql: str, tmp_path: Path) -> list[tuple[object, ...]]:
    with sql_session(LocalLake(root), TENANTS, spill_folder=str(tmp_path)) as session:
        return list(session.run(sql).rows)


def _scans(root: Path, sql: str, tmp_path: Path) -> int:
    ((_, plan),) = _asked(root, f"EXPLAIN {sql}", tmp_path)
    return str(plan).count("READ_PARQUET")


def test_a_filter_on_the_tenant_leaves_the_other_tenants_out_of_the_plan(root: Path, tmp_path: Path) -> None:
    assert _scans(root, "SELECT max(id) FROM tickets", tmp_path) == 3
    assert _scans(root, "SELECT max(id) FROM tickets WHERE tenant_id IN ('acme', 'birch')", tmp_path) == 2
    assert _scans(root, "SELECT max(id) FROM tickets WHERE tenant_id = 'birch'", tmp_path) == 1


def test_the_view_is_one_snapshot_without_files_that_a_commit_took_away(root: Path, tmp_path: Path) -> None:
    DeltaTable(str(root / "acme" / "canonical" / "tickets")).delete("id = '3'")

    rows = _asked(root, "SELECT tenant_id, count(*) FROM tickets GROUP BY ALL ORDER BY ALL", tmp_path)

    assert rows == [("acme", 9), ("birch", 10), ("cedar", 10)]


def test_a_column_that_one_tenant_lacks_is_null_there(root: Path, tmp_path: Path) -> None:
    _write(root, "dune", "SELECT 'dune' AS tenant_id, '1' AS id, 'new' AS \"odd \"\"name\"")
    with sql_session(LocalLake(root), ["acme", "dune"], spill_folder=str(tmp_path)) as session:
        rows = list(session.run('SELECT DISTINCT tenant_id, "odd ""name" FROM tickets ORDER BY ALL').rows)

    assert rows == [("acme", None), ("dune", "new")]


def test_a_table_without_rows_is_there_with_its_columns(root: Path, tmp_path: Path) -> None:
    for tenant in TENANTS:
        DeltaTable(str(root / tenant / "canonical" / "tickets")).delete()

    assert _asked(root, "SELECT id, tenant_id FROM tickets", tmp_path) == []


def test_without_any_table_the_way_to_one_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="load some with `avesa run`"),
        sql_session(LocalLake(tmp_path), TENANTS, spill_folder=str(tmp_path)),
    ):
        pass
