"""What Glue is told of a canonical table, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from avesa.adapters.aws.glue import GlueTableCatalog, table_entry
from avesa.application.catalog import parse_catalog
from avesa.bootstrap.packaged import packaged_mappings
from avesa.domain.errors import StorageError
from avesa.domain.names import Environment

if TYPE_CHECKING:
    from types_boto3_glue import GlueClient

TICKETS = parse_catalog(packaged_mappings()).canonical["tickets"]
LOCATION = "s3://data-storage-msp-dev/acme-it/canonical/tickets/"
DATABASE = "avesa_acme_it_dev"


class MemoryGlue:
    """The calls of Glue that the catalog makes, on a dict; `refused` answers a call with a code."""

    def __init__(self, **refused: str) -> None:
        self.databases: dict[str, dict[str, dict[str, Any]]] = {}
        self.called: list[str] = []
        self.refused = refused

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._begin("get_table")
        return {"Table": self._database(DatabaseName, Name)[Name]}

    def create_table(self, *, DatabaseName: str, TableInput: dict[str, Any]) -> None:  # noqa: N803
        self._begin("create_table")
        self._database(DatabaseName)[TableInput["Name"]] = TableInput

    def update_table(self, *, DatabaseName: str, TableInput: dict[str, Any]) -> None:  # noqa: N803
        self._begin("update_table")
        self._database(DatabaseName)[TableInput["Name"]] = TableInput

    def create_database(self, *, DatabaseInput: dict[str, Any]) -> None:  # noqa: N803
        self.databases.setdefault(DatabaseInput["Name"], {})
        self._begin("create_database")

    def delete_database(self, *, Name: str) -> None:  # noqa: N803
        self._begin("delete_database")
        self._database(Name)
        del self.databases[Name]

    def _begin(self, call: str) -> None:
        self.called.append(call)
        if call in self.refused:
            raise _refusal(self.refused[call])

    def _database(self, name: str, table: str | None = None) -> dict[str, dict[str, Any]]:
        if name not in self.databases or (table is not None and table not in self.databases[name]):
            raise _refusal("EntityNotFoundException")
        return self.databases[name]


def _refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Glue")


def _catalog(glue: MemoryGlue) -> GlueTableCatalog:
    return GlueTableCatalog(lambda: cast("GlueClient", glue), Environment.DEV, "data-storage-msp-dev")


def test_the_first_table_of_a_tenant_makes_its_database() -> None:
    glue = MemoryGlue()
    _catalog(glue).register("acme-it", TICKETS)

    assert glue.databases == {DATABASE: {"tickets": table_entry(LOCATION, TICKETS)}}


def test_registering_again_writes_nothing() -> None:
    glue = MemoryGlue()
    _catalog(glue).register("acme-it", TICKETS)
    glue.called.clear()
    _catalog(glue).register("acme-it", TICKETS)

    assert glue.called == ["get_table"]


@pytest.mark.parametrize("part", ["column", "type", "location", "parameter", "path", "partition"])
def test_an_entry_that_no_longer_fits_is_corrected(part: str) -> None:
    glue = MemoryGlue()
    _catalog(glue).register("acme-it", TICKETS)
    entry = glue.databases[DATABASE]["tickets"]
    storage = entry["StorageDescriptor"]
    if part == "column":
        storage["Columns"].pop()
    elif part == "type":
        storage["Columns"][0]["Type"] = "int"
    elif part == "location":
        storage["Location"] = "s3://elsewhere/"
    elif part == "parameter":
        entry["Parameters"]["table_type"] = "ICEBERG"
    elif part == "path":
        storage["SerdeInfo"]["Parameters"]["path"] = "s3://elsewhere/"
    else:
        entry["PartitionKeys"] = []
    _catalog(glue).register("acme-it", TICKETS)

    assert glue.databases[DATABASE]["tickets"] == table_entry(LOCATION, TICKETS)


def test_what_others_wrote_into_an_entry_stays() -> None:
    glue = MemoryGlue()
    _catalog(glue).register("acme-it", TICKETS)
    entry = glue.databases[DATABASE]["tickets"]
    entry["Parameters"] |= {"owner_team": "reports", "table_type": "ICEBERG"}
    _catalog(glue).register("acme-it", TICKETS)

    assert glue.databases[DATABASE]["tickets"]["Parameters"]["owner_team"] == "reports"
    assert glue.databases[DATABASE]["tickets"]["Parameters"]["table_type"] == "DELTA"


@pytest.mark.parametrize("call", ["create_table", "create_database"])
def test_whoever_registers_at_the_same_time_is_no_error(call: str) -> None:
    glue = MemoryGlue(**{call: "AlreadyExistsException"})

    _catalog(glue).register("acme-it", TICKETS)


def test_what_glue_refuses_is_told_with_database_and_table() -> None:
    glue = MemoryGlue(create_database="AccessDeniedException")

    with pytest.raises(StorageError, match=r"Glue table avesa_acme_it_dev\.tickets: AWS answered AccessDenied"):
        _catalog(glue).register("acme-it", TICKETS)


def test_forgetting_takes_the_tenants_entries_and_leaves_the_others() -> None:
    glue = MemoryGlue()
    for tenant_id in ("acme", "acme-it"):
        _catalog(glue).register(tenant_id, TICKETS)
    for _ in range(2):
        _catalog(glue).forget("acme-it")

    assert set(glue.databases) == {"avesa_acme_dev"}


def test_no_client_is_made_before_it_is_needed() -> None:
    made: list[MemoryGlue] = []
    GlueTableCatalog(lambda: cast("GlueClient", made.append(MemoryGlue())), Environment.DEV, "lake")

    assert made == []


def test_the_entry_says_delta_in_every_way_that_a_reader_asks_for() -> None:
    entry = table_entry(LOCATION, TICKETS)
    storage = entry["StorageDescriptor"]
    names = [column["Name"] for column in storage["Columns"]]

    assert entry["Parameters"]["table_type"] == "DELTA"
    assert entry["Parameters"]["spark.sql.sources.provider"] == "delta"
    assert storage["Location"] == storage["SerdeInfo"]["Parameters"]["path"] == LOCATION
    assert names[:3] == ["tenant_id", "service", "id"]
    assert names[-1] == "ingested_at"
    assert entry["PartitionKeys"] == [{"Name": "id_bucket", "Type": "bigint"}]
