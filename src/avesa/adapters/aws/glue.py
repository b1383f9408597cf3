"""Canonical tables in the Glue Data Catalog, where Athena looks them up.

Athena (engine version 3) reads a Delta table's columns and files from its log; of the catalog it needs where the log is
and the parameters that say Delta. Columns are told too: Lake Formation, views and consoles take them from the catalog.
A tenant has a database of its own, so that a policy can confine a worker, and an analyst, to it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from avesa.adapters.aws.refusals import code_of, refusals
from avesa.canonical.mapping import ColumnType
from avesa.canonical.table import table_columns
from avesa.domain.names import canonical_prefix, catalog_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from types_boto3_glue import GlueClient
    from types_boto3_glue.type_defs import ColumnTypeDef, TableInputTypeDef, TableTypeDef

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.domain.names import Environment

PARTITION: Final = "id_bucket"
_MISSING: Final = "EntityNotFoundException"
_TAKEN: Final = "AlreadyExistsException"
_TYPES: Final = {
    ColumnType.STRING: "string",
    ColumnType.INT64: "bigint",
    ColumnType.FLOAT64: "double",
    ColumnType.BOOL: "boolean",
    ColumnType.TIMESTAMP: "timestamp",
}
_IS_DELTA: Final = {
    "EXTERNAL": "TRUE",
    "classification": "delta",
    # Athena's own mark, and the one that Spark, Trino and Glue's crawler know.
    "table_type": "DELTA",
    "spark.sql.sources.provider": "delta",
}


class GlueTableCatalog:
    """Entries of one environment; `client` makes the client when it is first needed, since its model is large."""

    def __init__(self, client: Callable[[], GlueClient], environment: Environment, bucket: str) -> None:
        self._make_client = client
        self._made: GlueClient | None = None
        self._environment = environment
        self._bucket = bucket

    def register(self, tenant_id: str, mapping: CanonicalMapping) -> None:
        database = catalog_database(tenant_id, self._environment)
        wanted = table_entry(f"s3://{self._bucket}/{canonical_prefix(tenant_id, mapping.table)}", mapping)
        with refusals(f"Glue table {database}.{mapping.table}"):
            known = self._known(database, mapping.table)
            if known is None:
                self._create(database, wanted)
            elif not _agrees(known, wanted):
                # What others wrote there (a crawler's statistics, an owner's notes) stays.
                kept = {**known.get("Parameters", {}), **wanted.get("Parameters", {})}
                self._client.update_table(DatabaseName=database, TableInput={**wanted, "Parameters": kept})

    def forget(self, tenant_id: str) -> None:
        database = catalog_database(tenant_id, self._environment)
        with refusals(f"Glue database {database}"), _unless(_MISSING):
            # Takes its tables with it.
            self._client.delete_database(Name=database)

    @property
    def _client(self) -> GlueClient:
        if self._made is None:
            self._made = self._make_client()
        return self._made

    def _known(self, database: str, table: str) -> TableTypeDef | None:
        try:
            return self._client.get_table(DatabaseName=database, Name=table)["Table"]
        except ClientError as error:
            if code_of(error) == _MISSING:
                return None
            raise

    def _create(self, database: str, wanted: TableInputTypeDef) -> None:
        try:
            self._create_table(database, wanted)
        except ClientError as error:
            if code_of(error) != _MISSING:
                raise
            self._create_database(database)
            self._create_table(database, wanted)

    def _create_table(self, database: str, wanted: TableInputTypeDef) -> None:
        with _unless(_TAKEN):
            self._client.create_table(DatabaseName=database, TableInput=wanted)

    def _create_database(self, database: str) -> None:
        # A tenant's tables are registered side by side, and each may find that there is no database yet.
        with _unless(_TAKEN):
            self._client.create_database(
                DatabaseInput={"Name": database, "Description": "Canonical tables that AVESA keeps for one tenant"}
            )


def table_entry(location: str, mapping: CanonicalMapping) -> TableInputTypeDef:
    """Return the entry of a canonical table at `location` as Glue takes it."""
    columns: list[ColumnTypeDef] = [
        {"Name": column.name, "Type": _TYPES[column.type]} for column in table_columns(mapping)
    ]
    return {
        "Name": mapping.table,
        "Description": "Every version of each record; current ones have is_current",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": dict(_IS_DELTA),
        "PartitionKeys": [column for column in columns if column["Name"] == PARTITION],
        "StorageDescriptor": {
            "Columns": [column for column in columns if column["Name"] != PARTITION],
            "Location": location,
            # Nobody reads through these; an entry without them is shown as broken by Hive's tools.
            "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                # Where Spark looks, and Athena when the entry was not made by its own DDL.
                "Parameters": {"path": location, "serialization.format": "1"},
            },
        },
    }


def _agrees(known: TableTypeDef, wanted: TableInputTypeDef) -> bool:
    """Whether all that we say is said already; what others say beside it does not count."""
    ours, theirs = wanted.get("Parameters", {}), known.get("Parameters", {})
    return _shape(known) == _shape(wanted) and all(theirs.get(name) == value for name, value in ours.items())


def _shape(entry: TableTypeDef | TableInputTypeDef) -> tuple[object, ...]:
    storage: Mapping[str, Any] = entry.get("StorageDescriptor", {})
    path = storage.get("SerdeInfo", {}).get("Parameters", {}).get("path")
    return _types(storage.get("Columns", [])), _types(entry.get("PartitionKeys", [])), storage.get("Location"), path


def _types(columns: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(column["Name"], column.get("Type", "")) for column in columns]


@contextlib.contextmanager
def _unless(code: str) -> Iterator[None]:
    """Go on when AWS answers with this code: somebody else has done the same just now."""
    try:
        yield
    except ClientError as error:
        if code_of(error) != code:
            raise
