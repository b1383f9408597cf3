"""`avesa maintain` on a real home: it says what it would do, does it, and the tables read as before."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from avesa.simulator.site import CompanySpec, Site
from tests.flow.calling import avesa
from tests.flow.pipeline import PATHS, pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flow.calling import Called

TABLE = "data-storage-msp-local/acme/canonical/tickets"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one tenant, and what a fold left that died a month ago."""
    home = tmp_path / "home"
    site = Site(seed=5, companies=[CompanySpec(login="acme", sizes=dict.fromkeys(PATHS.values(), 10))])
    with pipeline(site, home, "acme") as made:
        assert made.run()["status"] == "completed"
    stray = home / TABLE / "id_bucket=24" / "part-dead.parquet"
    stray.write_bytes(b"half a fold")
    month_ago = stray.stat().st_mtime - 30 * 86_400
    os.utime(stray, (month_ago, month_ago))
    return home


def called(home: Path, *arguments: str) -> Called:
    return avesa(*arguments, "--home", home)


def test_a_dry_run_then_a_maintenance_then_nothing_is_left_to_do(home: Path) -> None:
    stray = home / TABLE / "id_bucket=24" / "part-dead.parquet"

    told = called(home, "maintain", "--table-name", "tickets", "--dry-run")
    was_kept = stray.exists()
    done = json.loads(called(home, "maintain", "--output", "json").out)
    again = json.loads(called(home, "maintain", "--output", "json").out)

    assert told.status == 0, told.err
    assert "nothing was, because of --dry-run" in told.out
    assert was_kept
    assert not stray.exists()
    assert sum(item["files_deleted"] for item in done["tables"]) == 1
    assert sum(item["files_deleted"] for item in again["tables"]) == 0
    assert called(home, "verify").status == 0


def test_a_retention_that_the_log_does_not_keep_is_a_wrong_call(home: Path) -> None:
    assert called(home, "maintain", "--retention-days", "31").status == 2
    assert called(home, "maintain", "--retention-days", "0").status == 2
