"""Erasing leaves nothing behind: not the object, not what a killed process left of it, not the state's rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import pytest

from avesa.adapters.local.database import SqliteDatabase
from avesa.adapters.local.erasing import LocalEraser
from avesa.adapters.local.lake import LocalLake
from avesa.adapters.local.state import SqliteJobLedger, SqliteTenantRegistry
from avesa.adapters.memory.erasing import MemoryEraser
from avesa.adapters.memory.lake import MemoryLake
from avesa.adapters.memory.state import MemoryState
from avesa.domain.errors import UsageError
from avesa.domain.model import Job, Status, TenantResult, TenantService
from avesa.domain.names import ALL_TENANTS

if TYPE_CHECKING:
    from pathlib import Path

    from avesa.ports.lake import Lake
    from avesa.ports.state import JobLedger, TenantRegistry
    from avesa.ports.upkeep import Eraser

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Place(NamedTuple):
    eraser: Eraser
    lake: Lake
    tenants: TenantRegistry
    jobs: JobLedger


@pytest.fixture(params=["memory", "local"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "memory":
        state, lake = MemoryState(), MemoryLake()
        return Place(MemoryEraser(lake, state), lake, state.tenants, state.jobs)
    database = SqliteDatabase(tmp_path / "state.sqlite3")
    local = LocalLake(tmp_path / "lake")
    return Place(
        LocalEraser(tmp_path / "lake", database), local, SqliteTenantRegistry(database), SqliteJobLedger(database)
    )


def tenant(tenant_id: str) -> TenantService:
    return TenantService(
        tenant_id=tenant_id,
        service="connectwise",
        company_name=f"Planted {tenant_id}",
        created_at=NOW,
        updated_at=NOW,
        api_base_url="https://x.example",
    )


def test_objects_named_are_erased_and_counted_and_others_stay(place: Place) -> None:
    for key in ("acme/a/1", "acme/a/11", "bolt/1"):
        place.lake.put(key, b"four")

    gone = place.eraser.objects(["acme/a/1", "acme/none"])

    assert (gone.keys, gone.size_bytes) == (("acme/a/1",), 4)
    assert [info.key for info in place.lake.list("")] == ["acme/a/11", "bolt/1"]


def test_everything_below_a_prefix_is_erased_but_what_is_kept(place: Place) -> None:
    for key in ("acme/a/1", "acme/b/2", "acme/b/3", "acmex/1"):
        place.lake.put(key, b"four")

    gone = place.eraser.below("acme/", keep=frozenset({"acme/b/3"}))

    assert (gone.keys, gone.size_bytes) == (("acme/a/1", "acme/b/2"), 8)
    assert [info.key for info in place.lake.list("")] == ["acme/b/3", "acmex/1"]
    assert place.eraser.below("nobody/").keys == ()


@pytest.mark.parametrize("key", ["../out", "/etc", "a//b", ""])
def test_a_key_that_leaves_the_lake_is_refused(tmp_path: Path, key: str) -> None:
    eraser = LocalEraser(tmp_path / "lake", SqliteDatabase(tmp_path / "state.sqlite3"))

    with pytest.raises(UsageError):
        eraser.objects([key])
    with pytest.raises(UsageError):
        eraser.below(f"{key}/")


def test_a_tenants_state_is_erased_and_counted_and_common_runs_lose_its_part(place: Place) -> None:
    for tenant_id in ("acme", "bolt"):
        place.tenants.put(tenant(tenant_id))
    results = tuple(TenantResult(tenant_id=name, status=Status.COMPLETED) for name in ("acme", "bolt"))
    place.jobs.put(Job(tenant_id=ALL_TENANTS, job_id="j", status=Status.COMPLETED, started_at=NOW, tenants=results))
    place.jobs.put(Job(tenant_id="acme", job_id="k", status=Status.COMPLETED, started_at=NOW))

    counts = place.eraser.state("acme")

    assert counts == {"TenantServices": 1, "LastUpdated": 0, "ProcessingJobs": 2, "ChunkProgress": 0}
    assert [item.tenant_id for item in place.tenants.list()] == ["bolt"]
    (job,) = place.jobs.list(limit=9)
    assert job.tenants == results[1:]
    assert not any(place.eraser.state("acme").values())


def test_what_a_killed_process_left_and_empty_folders_go_too(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path / "lake")
    lake.put("acme/raw/x/1", b"1")
    (tmp_path / "lake" / "acme" / "raw" / "x" / ".tmp-abc").write_bytes(b"half a part")

    LocalEraser(tmp_path / "lake", SqliteDatabase(tmp_path / "state.sqlite3")).below("acme/")

    assert list((tmp_path / "lake").iterdir()) == []
    lake.put("acme/raw/x/2", b"2")  # a folder that was known to be there is made again
    assert lake.get("acme/raw/x/2") == b"2"


def test_the_state_file_itself_forgets(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "state.sqlite3")
    SqliteTenantRegistry(database).put(tenant("acme"))
    assert any(b"Planted" in path.read_bytes() for path in tmp_path.glob("state.sqlite3*"))

    LocalEraser(tmp_path / "lake", database).state("acme")

    assert not any(b"Planted" in path.read_bytes() for path in tmp_path.glob("state.sqlite3*"))
