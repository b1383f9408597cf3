"""A home that the growth benchmark lays down is one that a load could have made: a rebuild gives the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from avesa.application.setup import setup_service
from avesa.bootstrap.local import LocalSettings, local_application
from benchmarks import corpus, seeded
from benchmarks.source import listen
from tests.flow.calling import avesa

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_seeded_table_equals_a_fresh_fold_of_its_raw_parts(tmp_path: Path) -> None:
    tickets = corpus.make(tmp_path / "tickets.bytes", 4096)
    home = tmp_path / "home"
    login = {"company_id": "acme", "public_key": "public", "private_key": "private", "client_id": "benchmark"}
    values = login | {"api_base_url": f"http://127.0.0.1:{listen(tickets)}"}
    with local_application(LocalSettings(home=home)) as application:
        setup_service(
            application.context,
            tenant_id=seeded.TENANT,
            service=seeded.SERVICE,
            company_name="Acme",
            values=values,
        )

    seeded.seed(home, 9_000, tickets)

    before = rows(home)
    assert avesa("rebuild", "--home", home).status == 0
    assert len(before) == 9_000
    assert rows(home) == before
    assert avesa("verify", "--table-name", "tickets", "--home", home).status == 0


def rows(home: Path) -> list[dict[str, object]]:
    """Return the table's rows, less the one column that seeding copies."""
    files = DeltaTable(home / "data-storage-msp-local" / "acme" / "canonical" / "tickets").file_uris()
    found = [row for path in files for row in pq.ParquetFile(path).read().drop(["record_hash"]).to_pylist()]
    return sorted(found, key=lambda row: int(str(row["id"])))
