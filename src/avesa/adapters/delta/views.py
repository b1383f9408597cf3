"""Canonical tables as SQL: one view for each table over all tenants, on one consistent snapshot, read-only.

A view is a branch for each tenant with the tenant as a constant, so that a filter on `tenant_id` leaves out the other
tenants' files before one is read.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb
from arro3.core import RecordBatchReader, Table
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from avesa.domain.errors import StorageError, UsageError
from avesa.domain.names import canonical_prefix, check_tenant_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from avesa.ports.lake import Lake

_HIDDEN: Final = frozenset({"tenant_id", "id_bucket"})
"""The tenant is the branch's constant; the partition is how the table lies on the disk, not what it says."""
_TABLE_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_SQL_TYPES: Final = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
}
_EXPLAIN: Final = re.compile(r"\s*explain(?:\s+analyze)?\s+(?P<query>.*)", re.IGNORECASE | re.DOTALL)
# These reach Python as text: Arrow has no exact counterpart that every reader takes.
_TOLD_AS_TEXT: Final = re.compile(r"INTERVAL|TIME WITH TIME ZONE|BIT|BIGNUM|VARIANT|UNION")
_READABLE: Final = "SELECT (also WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE) and EXPLAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    """One tenant's share of a view."""

    tenant_id: str
    columns: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlResult:
    """Columns, and rows as they come; read them once, before the session ends. Timestamps are aware datetimes."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[object, ...]]


class SqlSession:
    """A DuckDB connection that can read the views and nothing else, and write nothing."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: tuple[str, ...]) -> None:
        self._connection = connection
        self.tables = tables

    def run(self, sql: str) -> SqlResult:
        """Return what one reading statement gives. Raises UsageError with the engine's message for any other SQL."""
        with _told(self.tables):
            _check_reads(self._connection, sql)
            relation = self._connection.sql(sql)
            if relation is None:
                raise UsageError(f"the statement gives no rows; `avesa query` reads: {_READABLE}")
            relation = _as_readable(relation)
            reader = RecordBatchReader.from_arrow(relation)
        return SqlResult(columns=tuple(relation.columns), rows=_rows(reader))


@contextmanager
def sql_session(lake: Lake, tenant_ids: Iterable[str], *, spill_folder: str) -> Iterator[SqlSession]:
    """Give a session over the tables that these tenants have at this moment; `spill_folder` takes what memory cannot.

    A tenant without a table is not in its view. Raises UsageError when none of them has any table.
    """
    views = _views(lake, tenant_ids)
    if not views:
        raise UsageError("there is no canonical table yet: load some with `avesa run`")
    keys = [key for branches in views.values() for branch in branches for key in branch.keys]
    with _copies(lake, keys) as paths, duckdb.connect() as connection:
        with _told():
            for name, branches in views.items():
                connection.execute(_view(name, branches, paths))
            _lock(connection, sorted(paths.values()), spill_folder)
        yield SqlSession(connection, tuple(views))


def _views(lake: Lake, tenant_ids: Iterable[str]) -> dict[str, list[_Branch]]:
    views: dict[str, list[_Branch]] = {}
    for tenant_id in tenant_ids:
        folder = f"{check_tenant_id(tenant_id)}/canonical/"
        names = {info.key.removeprefix(folder).partition("/")[0] for info in lake.list(folder)}
        for name in sorted(names):
            branch = _branch(lake, tenant_id, name) if _TABLE_NAME.fullmatch(name) else None
            if branch is not None:
                views.setdefault(name, []).append(branch)
    return dict(sorted(views.items()))


def _branch(lake: Lake, tenant_id: str, name: str) -> _Branch | None:
    """Return the table's newest commit as a branch; None when nothing was committed yet."""
    prefix = canonical_prefix(tenant_id, name)
    uri, options = lake.table_uri(prefix)
    try:
        table = DeltaTable(uri, storage_options=options or None)
        actions = Table.from_arrow(table.get_add_actions(flatten=True))
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        message = f"{tenant_id}/{name}: the table's log cannot be read ({error}); raw is whole: run `avesa rebuild`"
        raise StorageError(message) from error
    columns = tuple(
        (field.name, _SQL_TYPES.get(str(getattr(field.type, "type", "")), "VARCHAR"))
        for field in table.schema().fields
        if field.name not in _HIDDEN
    )
    paths = sorted(str(path) for path in actions.column("path").to_pylist())
    return _Branch(tenant_id=tenant_id, columns=columns, keys=tuple(prefix + path for path in paths))


@contextmanager
def _copies(lake: Lake, keys: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Give the path of each key; raise StorageError for a file that its table names and that is gone."""
    with ExitStack() as stack:
        try:
            paths = stack.enter_context(lake.local_copies(keys))
        except KeyError as error:
            message = f"{error.args[0]} is missing from the lake; the raw parts are whole: run `avesa rebuild`"
            raise StorageError(message) from None
        yield dict(zip(keys, paths, strict=True))


def _view(name: str, branches: Sequence[_Branch], paths: Mapping[str, str]) -> str:
    selects = [_select(branch, paths) for branch in branches]
    return f'CREATE VIEW "{name}" AS {" UNION ALL BY NAME ".join(selects)}'


def _select(branch: _Branch, paths: Mapping[str, str]) -> str:
    tenant = f'{_text(branch.tenant_id)} AS "tenant_id"'
    if not branch.keys:
        columns = ", ".join(f"NULL::{kind} AS {_name(name)}" for name, kind in branch.columns)
        return f"SELECT {tenant}, {columns} WHERE false"
    columns = ", ".join(_name(name) for name, _ in branch.columns)
    files = ", ".join(_text(paths[key]) for key in branch.keys)
    return f"SELECT {tenant}, {columns} FROM read_parquet([{files}], hive_partitioning=false)"  # noqa: S608 - quoted


def _lock(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], spill_folder: str) -> None:
    """From here on the engine reads these files, spills to that folder, and can be told nothing else."""
    connection.execute("SET python_enable_replacements = false")
    connection.execute(f"SET temp_directory = {_text(spill_folder)}")
    connection.execute(f"SET allowed_paths = [{', '.join(map(_text, paths))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _check_reads(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise UsageError(f"one statement at a time, please; there are {len(statements)}")
    kind: duckdb.StatementType | None = statements[0].type
    explained = _EXPLAIN.fullmatch(sql)
    if kind == duckdb.StatementType.EXPLAIN and explained is not None:
        # EXPLAIN ANALYZE carries out what it explains, and a COPY could overwrite a file that may be read.
        kind = _kind(connection, explained["query"])
    if kind != duckdb.StatementType.SELECT:
        raise UsageError(f"`avesa query` only reads: {_READABLE}")


def _kind(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.StatementType | None:
    """Return the kind of what EXPLAIN would explain; None for what cannot be told, such as an option of EXPLAIN."""
    try:
        statements = connection.extract_statements(sql)
    except duckdb.ParserException:
        return None
    return statements[0].type if len(statements) == 1 else None


def _as_readable(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    odd = [
        name
        for name, kind in zip(relation.columns, relation.types, strict=True)
        if _TOLD_AS_TEXT.search(str(kind)) is not None
    ]
    if not odd:
        return relation
    quoted = [_name(name) for name in odd]
    return relation.project(f"* REPLACE ({', '.join(f'{name}::VARCHAR AS {name}' for name in quoted)})")


def _rows(reader: RecordBatchReader) -> Iterator[tuple[object, ...]]:
    with _told():
        while (batch := next(reader, None)) is not None:
            columns = [column.to_pylist() for column in batch.columns]
            yield from zip(*columns, strict=True)


@contextmanager
def _told(tables: Sequence[str] = ()) -> Iterator[None]:
    try:
        yield
    except duckdb.CatalogException as error:
        raise UsageError(f"{error}\nThe tables are: {', '.join(tables)}") from None
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise StorageError(f"the query could not be carried out: {error}") from None
    except duckdb.Error as error:
        raise UsageError(str(error)) from None


def _name(value: str) -> str:
    """Return a SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def _text(value: str) -> str:
    """Return a SQL text literal."""
    return "'" + value.replace("'", "''") + "'"
