"""A worker narrowed to one tenant is refused another's data when the policies are evaluated, not by our code.

The emulator enforces the role's policy, the session's policy and, corrected by its launcher, leading keys.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import deltalake
import pyarrow as pa
import pytest

from avesa.adapters.aws.access import AwsAccess, AwsCredentials
from avesa.adapters.aws.glue import GlueTableCatalog
from avesa.adapters.aws.lake import S3Lake
from avesa.adapters.aws.ledgers import DynamoChunkLedger, DynamoJobLedger
from avesa.adapters.aws.records import StateTables
from avesa.adapters.aws.secrets import SecretsManagerStore
from avesa.adapters.aws.state import DynamoTableStates, DynamoTenantRegistry
from avesa.adapters.aws.tenancy import TENANT_OF_SESSION, scope_of_role, tenant_policy, tenant_session
from avesa.application.catalog import parse_catalog
from avesa.bootstrap.packaged import packaged_mappings
from avesa.domain.errors import StorageError
from avesa.domain.model import Chunk, Holder, Lease, TableState, TenantService
from avesa.domain.names import Environment
from rehearsal.emulator import ACCOUNT, REGION
from tests.emulator.servers import (
    ROOT,
    client_for,
    enforcing_emulator,
    make_bucket,
    make_function,
    make_role,
    make_tables,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.emulator import Emulator

__all__ = ["enforcing_emulator"]  # a fixture, found here by name
pytestmark = pytest.mark.emulator

BUCKET = "data-storage-msp-dev"
MINE, THEIRS = "acme", "acme-it"
TABLE = "service/tickets"
TICKETS = parse_catalog(packaged_mappings()).canonical["tickets"]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "dynamodb:*", "secretsmanager:*", "glue:*"], "Resource": "*"}],
}
SCOPE = scope_of_role(f"arn:aws:iam::{ACCOUNT}:role/x", environment=Environment.DEV, bucket=BUCKET, region=REGION)


class Worker(NamedTuple):
    """What one set of credentials opens."""

    lake: S3Lake
    registry: DynamoTenantRegistry
    tables: DynamoTableStates
    chunks: DynamoChunkLedger
    jobs: DynamoJobLedger
    secrets: SecretsManagerStore
    catalog: GlueTableCatalog


def _worker(url: str, credentials: AwsCredentials) -> Worker:
    access = AwsAccess(region=REGION, endpoint_url=url, credentials=credentials)
    tables = StateTables(access.dynamodb(), Environment.DEV)
    return Worker(
        S3Lake(BUCKET, access),
        DynamoTenantRegistry(tables),
        DynamoTableStates(tables),
        DynamoChunkLedger(tables),
        DynamoJobLedger(tables),
        SecretsManagerStore(access.secretsmanager()),
        GlueTableCatalog(access.glue, Environment.DEV, BUCKET),
    )


def _lease(root: Worker, tenant_id: str) -> Lease:
    return root.tables.acquire(
        tenant_id, TABLE, holder=Holder(job_id="job-1"), now=NOON, ttl_seconds=60, is_gone=lambda _: True
    )


def _chunk(tenant_id: str) -> Chunk:
    return Chunk(tenant_id=tenant_id, table_name=TABLE, chunk_id="job-1-0001", job_id="job-1")


@pytest.fixture(scope="module")
def root(enforcing_emulator: Emulator) -> Worker:
    """The owner of the account, who has set two tenants up."""
    access = AwsAccess(region=REGION, endpoint_url=enforcing_emulator.url, credentials=ROOT)
    make_tables(access)
    make_bucket(access, BUCKET)
    worker = _worker(enforcing_emulator.url, ROOT)
    worker.lake.put("mappings/backfill_config.json", b"{}")
    for tenant_id in (MINE, THEIRS):
        worker.lake.put(f"{tenant_id}/raw/part", tenant_id.encode())
        worker.secrets.put(f"{tenant_id}/connectwise-dev", {"company_id": tenant_id})
        worker.registry.put(
            TenantService(
                tenant_id=tenant_id,
                service="connectwise",
                company_name=tenant_id,
                created_at=NOON,
                updated_at=NOON,
                api_base_url="https://api-na.example.com",
            )
        )
    return worker


@pytest.fixture(scope="module", params=["role that may do everything", "role by tag"])
def narrowed(request: pytest.FixtureRequest, enforcing_emulator: Emulator, root: Worker) -> Worker:
    """A worker of MINE, under a role that opens all data (the session's policy alone narrows it) and under our own."""
    policy = tenant_policy(SCOPE, TENANT_OF_SESSION) if request.param == "role by tag" else EVERYTHING
    name = request.param.replace(" ", "-")
    role = make_role(enforcing_emulator, name, policy)
    function = AwsAccess(
        region=REGION,
        endpoint_url=enforcing_emulator.url,
        credentials=make_function(enforcing_emulator, f"user-{name}"),
    )
    return _worker(enforcing_emulator.url, tenant_session(function.sts(), role, SCOPE, MINE))


def test_a_worker_reads_and_writes_its_own_tenant(narrowed: Worker, root: Worker) -> None:
    lease = _lease(narrowed, MINE)
    narrowed.chunks.add(lease, [_chunk(MINE)])
    narrowed.chunks.checkpoint(lease, _chunk(MINE))
    narrowed.tables.save(lease, TableState(tenant_id=MINE, table_name=TABLE, last_job_id="job-1"))
    narrowed.tables.release(lease)
    narrowed.lake.put(f"{MINE}/raw/new", b"1", overwrite=True)
    narrowed.lake.delete([f"{MINE}/raw/new"])

    assert narrowed.chunks.list(MINE, TABLE, "job-1") == [_chunk(MINE)]
    assert [info.key for info in narrowed.lake.list(f"{MINE}/")] == [f"{MINE}/raw/part"]
    assert narrowed.lake.get("mappings/backfill_config.json") == b"{}"
    assert narrowed.secrets.get(f"{MINE}/connectwise-dev") == {"company_id": MINE}
    assert narrowed.registry.get(MINE, "connectwise") is not None


def test_a_worker_enters_its_own_tables_in_the_catalog(narrowed: Worker, root: Worker) -> None:
    narrowed.catalog.register(MINE, TICKETS)
    narrowed.catalog.register(MINE, TICKETS)

    root.catalog.forget(MINE)


def test_a_worker_writes_its_own_delta_table(narrowed: Worker, root: Worker) -> None:
    uri, options = narrowed.lake.table_uri(f"{MINE}/canonical/tickets/")

    deltalake.write_deltalake(uri, pa.table({"id": ["1"]}), storage_options=options, mode="overwrite")

    assert deltalake.DeltaTable(uri, storage_options=options).to_pyarrow_table().num_rows == 1
    root.lake.delete([info.key for info in root.lake.list(f"{MINE}/canonical/")])


REFUSED: dict[str, Callable[[Worker, Worker], object]] = {
    "object read": lambda me, _: me.lake.get(f"{THEIRS}/raw/part"),
    "object written": lambda me, _: me.lake.put(f"{THEIRS}/raw/new", b"1"),
    "object deleted": lambda me, _: me.lake.delete([f"{THEIRS}/raw/part"]),
    "prefix listed": lambda me, _: me.lake.list(f"{THEIRS}/"),
    "bucket listed": lambda me, _: me.lake.list(""),
    "mapping written": lambda me, _: me.lake.put("mappings/new.json", b"1"),
    "registration read": lambda me, _: me.registry.get(THEIRS, "connectwise"),
    "registrations scanned": lambda me, _: me.registry.list(),
    "table state read": lambda me, _: me.tables.get(THEIRS, TABLE),
    "table states scanned": lambda me, _: me.tables.list(),
    "table leased": lambda me, _: _lease(me, THEIRS),
    "chunks listed": lambda me, _: me.chunks.list(THEIRS, TABLE, "job-1"),
    "chunk written": lambda me, root: me.chunks.checkpoint(_lease(root, THEIRS), _chunk(THEIRS)),
    "jobs listed": lambda me, _: me.jobs.list(limit=1),
    "secret read": lambda me, _: me.secrets.get(f"{THEIRS}/connectwise-dev"),
    "table entered in the catalog": lambda me, _: me.catalog.register(THEIRS, TICKETS),
    "catalog emptied": lambda me, _: me.catalog.forget(MINE),
    "secret written": lambda me, _: me.secrets.put(f"{THEIRS}/connectwise-dev", {}),
}


@pytest.mark.parametrize("attempt", REFUSED)
def test_a_worker_is_refused_another_tenants_data(narrowed: Worker, root: Worker, attempt: str) -> None:
    with pytest.raises(StorageError, match="AWS answered AccessDenied"):
        REFUSED[attempt](narrowed, root)


def test_a_worker_is_refused_another_tenants_delta_table(narrowed: Worker, root: Worker) -> None:
    uri, options = narrowed.lake.table_uri(f"{THEIRS}/canonical/tickets/")

    with pytest.raises(OSError, match=r"403|AccessDenied|privileges"):
        deltalake.write_deltalake(uri, pa.table({"id": ["1"]}), storage_options=options)

    assert root.lake.list(f"{THEIRS}/canonical/") == []


def test_a_session_without_a_policy_of_its_own_is_narrowed_by_its_tag(
    enforcing_emulator: Emulator, root: Worker
) -> None:
    role = make_role(enforcing_emulator, "tag-only", tenant_policy(SCOPE, TENANT_OF_SESSION))
    sts = client_for(enforcing_emulator.url, "sts", make_function(enforcing_emulator, "user-tag-only"))
    given = sts.assume_role(RoleArn=role, RoleSessionName=MINE, Tags=[{"Key": "tenant", "Value": MINE}])["Credentials"]
    worker = _worker(
        enforcing_emulator.url,
        AwsCredentials(
            access_key_id=given["AccessKeyId"],
            secret_access_key=given["SecretAccessKey"],
            session_token=given["SessionToken"],
        ),
    )

    assert worker.lake.get(f"{MINE}/raw/part") == MINE.encode()
    with pytest.raises(StorageError, match="AWS answered AccessDenied"):
        worker.lake.get(f"{THEIRS}/raw/part")
