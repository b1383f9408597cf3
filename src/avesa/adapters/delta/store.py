"""Canonical tables: opened at one version, folded in groups, committed in one go against the version that was read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import duckdb
from arro3.core import Table
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from avesa.adapters.delta.folding import GroupFold
from avesa.adapters.delta.manifests import FoldManifests, Manifest
from avesa.canonical.mapping import ColumnType
from avesa.canonical.table import BUCKET_WIDTH, table_columns
from avesa.domain.errors import CommitConflict, CommitOutcomeUnknown, StorageError
from avesa.domain.names import canonical_prefix
from avesa.ports.tables import TableFile, TableSnapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.ports.lake import Lake
    from avesa.ports.tables import FoldedGroup, FoldGroup, RawPart
    from avesa.ports.time import Clock

FOLD_TRANSACTION: Final = "avesa-fold"
"""The application transaction in which every commit of ours carries the number of its fold."""
PARTITION: Final = "id_bucket"
_DELTA_TYPES: Final = {
    ColumnType.STRING: "string",
    ColumnType.INT64: "long",
    ColumnType.FLOAT64: "double",
    ColumnType.BOOL: "boolean",
    ColumnType.TIMESTAMP: "timestamp",
}


class DeltaCanonicalStore:
    """A CanonicalStore on any Lake. Can be pickled, so that groups may be folded in other processes."""

    def __init__(self, lake: Lake, clock: Clock) -> None:
        self._lake = lake
        self._clock = clock

    def open(self, tenant_id: str, service: str, mapping: CanonicalMapping) -> TableSnapshot:
        """Return the newest version of the table; see the port."""
        table = self._table(tenant_id, mapping)
        if table is None:
            return TableSnapshot(tenant_id=tenant_id, service=service, mapping=mapping)
        number = table.transaction_version(FOLD_TRANSACTION)
        manifest = self._manifests(tenant_id, mapping).read(number) if number is not None else None
        return TableSnapshot(
            tenant_id=tenant_id,
            service=service,
            mapping=mapping,
            version=table.version(),
            fold_number=number or 0,
            mapping_digest=manifest.mapping_digest if manifest is not None else None,
            folded=manifest.folded if manifest is not None else frozenset(),
            files=_files(table),
        )

    def touched(self, parts: Sequence[RawPart]) -> dict[int, int]:
        """Return the rows that the parts have for each bucket, from their id columns alone."""
        if not parts:
            return {}
        # Integer division rounds towards zero, buckets are cut towards minus infinity: hence two cases.
        query = (
            "SELECT CASE WHEN key >= 0 THEN key // $width ELSE -((-key + $width - 1) // $width) END, count(*) "
            "FROM (SELECT id::BIGINT AS key FROM read_parquet($paths, union_by_name=true)) GROUP BY 1"
        )
        with self._lake.local_copies([part.key for part in parts]) as paths, duckdb.connect() as database:
            found = database.execute(query, {"width": BUCKET_WIDTH, "paths": paths}).fetchall()
            return {int(bucket): int(count) for bucket, count in found}

    def fold(self, group: FoldGroup) -> FoldedGroup:
        """Fold a group and write its files; see the port."""
        return GroupFold(self._lake, group).run()

    def commit(
        self,
        snapshot: TableSnapshot,
        groups: Sequence[FoldedGroup],
        *,
        folded: frozenset[str],
        fence: int,
        is_rebuild: bool,
    ) -> TableSnapshot:
        """Make the groups visible at once; see the port."""
        mapping = snapshot.mapping
        manifests = self._manifests(snapshot.tenant_id, mapping)
        base = None
        if snapshot.fold_number and not is_rebuild:
            base = manifests.read(snapshot.fold_number).base
        manifest = Manifest(mapping_digest=mapping.digest, folded=folded, base=base)
        number = manifests.write(manifest, after=snapshot.fold_number, fence=fence)
        try:
            self._commit(snapshot, groups, number, is_rebuild=is_rebuild)
        except CommitFailedError as error:
            raise CommitConflict(
                f"{snapshot.tenant_id}/{mapping.table}: another commit came first ({error})"
            ) from error
        except (DeltaError, OSError) as error:
            if self._landed(snapshot, number):
                return self.open(snapshot.tenant_id, snapshot.service, mapping)
            raise CommitOutcomeUnknown(
                f"{snapshot.tenant_id}/{mapping.table}: the commit did not answer ({error})"
            ) from error
        return self.open(snapshot.tenant_id, snapshot.service, mapping)

    def current_ids(self, snapshot: TableSnapshot) -> set[int]:
        """Return the ids whose record is current."""
        prefix = canonical_prefix(snapshot.tenant_id, snapshot.mapping.table)
        if not snapshot.files:
            return set()
        query = "SELECT id::BIGINT FROM read_parquet(?, hive_partitioning=false) WHERE is_current"
        with (
            self._lake.local_copies([prefix + file.path for file in snapshot.files]) as paths,
            duckdb.connect() as database,
        ):
            return {int(record_id) for (record_id,) in database.execute(query, [paths]).fetchall()}

    def _table(self, tenant_id: str, mapping: CanonicalMapping, version: int | None = None) -> DeltaTable | None:
        uri, options = self._lake.table_uri(canonical_prefix(tenant_id, mapping.table))
        try:
            return DeltaTable(uri, version=version, storage_options=options or None)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            message = (
                f"{tenant_id}/{mapping.table}: the table's log cannot be read ({error}); raw is whole: run `avesa "
                "rebuild`"
            )
            raise StorageError(message) from error

    def _commit(self, snapshot: TableSnapshot, groups: Sequence[FoldedGroup], number: int, *, is_rebuild: bool) -> None:
        table = (
            self._table(snapshot.tenant_id, snapshot.mapping, snapshot.version)
            if snapshot.version is not None
            else None
        )
        if table is None:
            table = self._created(snapshot)
        properties = CommitProperties(
            app_transactions=[Transaction(FOLD_TRANSACTION, number)],
            custom_metadata={"avesaFold": str(number), "avesaMapping": snapshot.mapping.digest},
            # A commit that was not made against the newest version is refused, whatever the two of them touch.
            max_commit_retries=0,
        )
        at = int(self._clock.now().timestamp() * 1000)
        actions: list[AddAction | RemoveAction] = [] if is_rebuild else _removals(groups, at)
        actions += _additions(groups, at)
        # An overwrite replaces every file and the schema; an append only what its actions name.
        table.create_write_transaction(
            actions,
            mode="overwrite" if is_rebuild else "append",
            schema=_schema(snapshot.mapping),
            partition_by=[PARTITION],
            commit_properties=properties,
        )

    def _created(self, snapshot: TableSnapshot) -> DeltaTable:
        """Return the new, empty table; raise CommitFailedError when another writer made it first."""
        uri, options = self._lake.table_uri(canonical_prefix(snapshot.tenant_id, snapshot.mapping.table))
        try:
            return DeltaTable.create(
                uri,
                schema=_schema(snapshot.mapping),
                mode="error",
                partition_by=[PARTITION],
                name=snapshot.mapping.table,
                storage_options=options or None,
            )
        except DeltaError as error:
            if self._table(snapshot.tenant_id, snapshot.mapping) is not None:
                raise CommitFailedError("the table was made by another writer") from error
            raise

    def _landed(self, snapshot: TableSnapshot, number: int) -> bool:
        table = self._table(snapshot.tenant_id, snapshot.mapping)
        return table is not None and table.transaction_version(FOLD_TRANSACTION) == number

    def _manifests(self, tenant_id: str, mapping: CanonicalMapping) -> FoldManifests:
        return FoldManifests(self._lake, canonical_prefix(tenant_id, mapping.table))


def _schema(mapping: CanonicalMapping) -> Schema:
    return Schema([Field(column.name, PrimitiveType(_DELTA_TYPES[column.type])) for column in table_columns(mapping)])


def _files(table: DeltaTable) -> tuple[TableFile, ...]:
    actions = Table.from_arrow(table.get_add_actions(flatten=True))
    paths, sizes, buckets = (
        actions.column(name).to_pylist() for name in ("path", "size_bytes", f"partition.{PARTITION}")
    )
    return tuple(
        TableFile(path=path, bucket=int(bucket), size_bytes=int(size))
        for path, size, bucket in sorted(zip(paths, sizes, buckets, strict=True))
    )


def _additions(groups: Sequence[FoldedGroup], at: int) -> list[AddAction]:
    return [
        AddAction(
            path=file.path,
            size=file.size_bytes,
            partition_values={PARTITION: str(file.bucket)},
            modification_time=at,
            data_change=True,
            stats=json.dumps({"numRecords": rows}),
        )
        for group in groups
        for file, rows in zip(group.added, group.added_rows, strict=True)
    ]


def _removals(groups: Sequence[FoldedGroup], at: int) -> list[AddAction | RemoveAction]:
    return [
        RemoveAction(file.path, True, at, file.size_bytes, {PARTITION: str(file.bucket)})  # noqa: FBT003 - data_change
        for group in groups
        for file in group.replaced
    ]
