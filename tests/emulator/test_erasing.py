"""Erasing on AWS takes the versions that a bucket keeps of what is deleted, and a tenant's items in all four tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from avesa.adapters.aws.erasing import AwsEraser
from avesa.adapters.aws.lake import S3Lake
from avesa.adapters.aws.ledgers import DynamoChunkLedger, DynamoJobLedger
from avesa.adapters.aws.records import StateTables
from avesa.adapters.aws.state import DynamoTableStates, DynamoTenantRegistry
from avesa.domain.model import Chunk, Holder, Job, Status, TenantResult, TenantService
from avesa.domain.names import ALL_TENANTS, Environment
from tests.emulator.servers import fresh_access, make_bucket, make_tables, open_emulator

if TYPE_CHECKING:
    from avesa.adapters.aws.access import AwsAccess
    from rehearsal.emulator import Emulator

__all__ = ["open_emulator"]  # a fixture, found here by name
pytestmark = pytest.mark.emulator
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def access(open_emulator: Emulator) -> AwsAccess:
    made = fresh_access(open_emulator.url)
    make_tables(made)
    return made


def test_earlier_versions_of_objects_go_too_and_neighbours_stay(access: AwsAccess) -> None:
    bucket = make_bucket(access, f"erase-{access.credentials().access_key_id}")
    access.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    lake = S3Lake(bucket, access)
    for key in ("acme/a/1", "acme/a/2", "acme/a/22", "acmex/1"):
        lake.put(key, b"once")
        lake.put(key, b"twice", overwrite=True)
    lake.delete(["acme/a/1"])
    eraser = AwsEraser(bucket, access, StateTables(access.dynamodb(), Environment.DEV))

    one = eraser.objects(["acme/a/2", "acme/a/none"])
    rest = eraser.below("acme/", keep=frozenset({"acme/a/22"}))

    assert (one.keys, one.size_bytes) == (("acme/a/2",), 9)
    assert rest.keys == ("acme/a/1",)
    left = access.s3().list_object_versions(Bucket=bucket)
    assert {version["Key"] for version in left["Versions"]} == {"acme/a/22", "acmex/1"}
    assert left.get("DeleteMarkers", []) == []


def test_a_tenants_items_go_and_runs_over_all_tenants_stay_without_it(access: AwsAccess) -> None:
    tables = StateTables(access.dynamodb(), Environment.DEV)
    registry, states = DynamoTenantRegistry(tables), DynamoTableStates(tables)
    jobs, chunks = DynamoJobLedger(tables), DynamoChunkLedger(tables)
    for tenant in ("acme", "bolt"):
        registry.put(
            TenantService(
                tenant_id=tenant,
                service="connectwise",
                company_name="Planted",
                created_at=NOW,
                updated_at=NOW,
                api_base_url="https://x.example",
            )
        )
        lease = states.acquire(tenant, "t", holder=Holder(job_id="j"), now=NOW, ttl_seconds=60, is_gone=lambda _: False)
        chunks.add(lease, [Chunk(tenant_id=tenant, table_name="t", chunk_id="j/t/1", job_id="j")])
    results = tuple(TenantResult(tenant_id=name, status=Status.COMPLETED) for name in ("acme", "bolt"))
    common = Job(tenant_id=ALL_TENANTS, job_id="j", status=Status.COMPLETED, started_at=NOW, tenants=results)
    jobs.put(common)
    jobs.put(Job(tenant_id="acme", job_id="k", status=Status.COMPLETED, started_at=NOW))

    counts = AwsEraser("no-bucket", access, tables).state("acme")

    assert counts == {"TenantServices": 1, "LastUpdated": 1, "ProcessingJobs": 2, "ChunkProgress": 1}
    assert [item.tenant_id for item in registry.list()] == ["bolt"]
    assert [state.tenant_id for state in states.list()] == ["bolt"]
    assert jobs.get("j") == replace(common, tenants=results[1:])
    assert jobs.get("k") is None
    assert chunks.get("acme", "j/t/1") is None
    assert chunks.get("bolt", "j/t/1") is not None
    assert set(AwsEraser("no-bucket", access, tables).state("acme").values()) == {0}
