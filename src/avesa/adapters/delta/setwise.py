"""A fold as a few SQL statements over columns, for the keys of which one new observation tells everything.

    once      a key seen once in the batch and not found missing
    new       … of which the table has no row: its only version
    same      … its current version again, in every column: nothing to do
    touch     … strictly newer, same hash: the current version gets the new content
    change    … strictly newer, other hash: the current version ends, the next one begins
    unsure    every other key: left to avesa.canonical.merging, which is exact for all

This is `scd2.extend` and `scd2.fold` for a single observation, and nothing else: tests hold that both give the same
rows and the same counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from avesa.adapters.delta.rows import from_micros
from avesa.canonical.mapping import LAST_UPDATED, ColumnType
from avesa.canonical.observed import SYSTEM_WIDTH, observed_columns
from avesa.canonical.scd2 import Changes, Observation
from avesa.canonical.table import BUCKET_WIDTH, table_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.canonical.table import TableColumn

SQL_TYPES: Final = {
    ColumnType.STRING: "VARCHAR",
    ColumnType.INT64: "BIGINT",
    ColumnType.FLOAT64: "DOUBLE",
    ColumnType.BOOL: "BOOLEAN",
    ColumnType.TIMESTAMP: "TIMESTAMPTZ",
}
# Integer division rounds towards zero, buckets are cut towards minus infinity: hence two cases.
_BUCKET_MACRO: Final = (
    f"CREATE MACRO bucket_of(k) AS CASE WHEN k >= 0 THEN k // {BUCKET_WIDTH} "
    f"ELSE -((-k + {BUCKET_WIDTH - 1}) // {BUCKET_WIDTH}) END"
)


class Told(NamedTuple):
    """What the batch told, in numbers."""

    rows: int
    coerced: int
    unreadable: tuple[tuple[int, str], ...]


class SetwiseFold:
    """The tables of one group's fold in a DuckDB of its own: `seen` and `missing` are filled by the caller."""

    def __init__(self, database: duckdb.DuckDBPyConnection, mapping: CanonicalMapping) -> None:
        self._database = database
        self._mapping = mapping
        self._content = [_quoted(column.name) for column in mapping.columns]
        database.execute(_BUCKET_MACRO)
        database.execute(f"CREATE TABLE seen ({_definitions(observed_columns(mapping))})")
        database.execute("CREATE TABLE missing (_key BIGINT, found_at BIGINT)")
        database.execute("CREATE TABLE exact (_key BIGINT)")
        database.execute(f"CREATE TABLE fresh ({_definitions(table_columns(mapping))})")

    def told(self) -> Told:
        """Return the counts of the batch, and take out of it what no row can be made of."""
        counted = self._database.execute(
            "SELECT count(*), count(DISTINCT (_key, record_hash, last_updated)) "
            "FILTER (_is_coerced AND _unreadable IS NULL) FROM seen"
        ).fetchall()
        rows, coerced = counted[0]
        unreadable = self._database.execute(
            "SELECT _key, _unreadable FROM seen WHERE _unreadable IS NOT NULL ORDER BY ALL"
        ).fetchall()
        if unreadable:
            self._database.execute("DELETE FROM seen WHERE _unreadable IS NOT NULL")
        return Told(int(rows), int(coerced), tuple((int(key), str(reason)) for key, reason in unreadable))

    def sort_out(self, paths: list[str]) -> frozenset[int]:
        """Decide what becomes of each key, given the files of the group's buckets; return the keys left unsure."""
        self._database.execute(
            "CREATE TABLE once AS SELECT _key FROM seen GROUP BY _key "
            "HAVING count(*) = 1 AND bool_and(id = _key::VARCHAR) AND _key NOT IN (SELECT _key FROM missing)"
        )
        self._read_newest(paths)
        same = " AND ".join(f"s.{name} IS NOT DISTINCT FROM n.{name}" for name in self._content)
        self._database.execute(
            f"""
            CREATE TABLE kinds AS SELECT _key, CASE
                WHEN n._key IS NULL THEN 'new'
                WHEN NOT n.is_current OR n.last_updated IS NULL OR s.last_updated IS NULL
                    OR s._seen_at < n.ingested_at THEN 'unsure'
                WHEN s.last_updated > greatest(n.last_updated, n.valid_from) THEN
                    CASE WHEN s.record_hash = n.record_hash THEN 'touch' ELSE 'change' END
                WHEN s.last_updated = n.last_updated AND {same} THEN 'same'
                ELSE 'unsure' END AS kind
            FROM seen s SEMI JOIN once USING (_key) LEFT JOIN newest n USING (_key)
            """  # noqa: S608 - names are checked
        )
        rest = self._database.execute(
            "SELECT _key FROM seen WHERE _key NOT IN (SELECT _key FROM kinds WHERE kind <> 'unsure') "
            "UNION SELECT _key FROM missing"
        ).fetchall()
        return frozenset(int(key) for (key,) in rest)

    def observations(self, keys: frozenset[int]) -> dict[int, list[Observation]]:
        """Return what the batch saw of the keys."""
        found: dict[int, list[Observation]] = {}
        for row in self._rows_of("seen", observed_columns(self._mapping), keys):
            key, seen_at, job, chunk, _coerced, _unreadable, record_hash = row[:SYSTEM_WIDTH]
            content = row[SYSTEM_WIDTH:]
            observation = Observation(
                seen_at=seen_at,  # type: ignore[arg-type]
                source_time=content[-2],  # type: ignore[arg-type]
                content=content,  # type: ignore[arg-type]
                record_hash=str(record_hash),
                order=(str(job), str(chunk)),
            )
            found.setdefault(int(str(key)), []).append(observation)
        return found

    def deletions(self, keys: frozenset[int]) -> dict[int, list]:  # type: ignore[type-arg]
        """Return when the keys were found missing."""
        found: dict[int, list] = {}  # type: ignore[type-arg]
        for key, micros in self._database.execute("SELECT _key, found_at FROM missing").fetchall():
            if key in keys:
                found.setdefault(int(key), []).append(from_micros(micros))
        return found

    def make_rows(self, *, tenant_id: str, service: str) -> Changes:
        """Make the rows of the keys that are new, touched or changed; return how versions changed."""
        self._database.execute(f"INSERT INTO fresh {self._selects()}", {"tenant": tenant_id, "service": service})
        counted = self._database.execute(
            "SELECT count(*) FILTER (kind IN ('new', 'change')), count(*) FILTER (kind = 'change') FROM kinds"
        ).fetchall()
        opened, closed = counted[0]
        return Changes(opened=int(opened), closed=int(closed))

    def changed_buckets(self) -> list[int]:
        """Return the buckets that are not as they were."""
        found = self._database.execute(
            "SELECT id_bucket FROM fresh UNION SELECT bucket_of(_key) FROM exact ORDER BY 1"
        ).fetchall()
        return [int(bucket) for (bucket,) in found]

    def bucket_query(self, *, has_old: bool) -> str:
        """Return the SQL that gives a bucket's rows in order; its parameters are the bucket and, if any, old files."""
        fresh = "SELECT * EXCLUDE (id_bucket) FROM fresh WHERE id_bucket = ?"
        if not has_old:
            return f"{fresh} ORDER BY id::BIGINT, valid_from"
        # All rows of a key that was folded exactly are fresh; of a key touched or changed only the newest one was
        # replaced, which was current.
        old = (
            "SELECT * FROM read_parquet(?, hive_partitioning=false) "
            "WHERE id::BIGINT NOT IN (SELECT _key FROM exact) AND "
            "(NOT is_current OR id::BIGINT NOT IN (SELECT _key FROM kinds WHERE kind IN ('touch', 'change')))"
        )
        return f"SELECT * FROM ({fresh} UNION ALL BY NAME {old}) ORDER BY id::BIGINT, valid_from"  # noqa: S608

    def _read_newest(self, paths: list[str]) -> None:
        columns = ", ".join(_quoted(column.name) for column in table_columns(self._mapping)[:-1])
        if not paths:
            definitions = _definitions(table_columns(self._mapping)[:-1])
            self._database.execute(f"CREATE TABLE newest (_key BIGINT, {definitions})")
            return
        self._database.execute(
            f"CREATE TABLE newest AS SELECT id::BIGINT AS _key, {columns} "  # noqa: S608 - names are checked
            "FROM read_parquet(?, hive_partitioning=false) WHERE id::BIGINT IN (SELECT _key FROM once) "
            "QUALIFY row_number() OVER (PARTITION BY id ORDER BY valid_from DESC) = 1",
            [paths],
        )

    def _selects(self) -> str:
        def select(content: str, times: str, kind: str, *, joined: bool = True) -> str:
            values = ", ".join(f"{content}.{name}" for name in self._content)
            newest = " JOIN newest n USING (_key)" if joined else ""
            return (
                f"SELECT $tenant, $service, {values}, {times}, bucket_of(_key) "  # noqa: S608 - names are checked
                f"FROM seen s JOIN kinds USING (_key){newest} WHERE kind = '{kind}'"
            )

        current = "NULL::TIMESTAMPTZ, true, false, s.record_hash"
        began = f"s.{LAST_UPDATED}"
        return " UNION ALL ".join(
            (
                select("s", f"coalesce({began}, s._seen_at), {current}, s._seen_at", "new", joined=False),
                select("s", f"n.valid_from, {current}, n.ingested_at", "touch"),
                select("n", f"n.valid_from, {began}, false, false, n.record_hash, n.ingested_at", "change"),
                select("s", f"{began}, {current}, s._seen_at", "change"),
            )
        )

    def _rows_of(
        self, table: str, columns: tuple[TableColumn, ...], keys: frozenset[int]
    ) -> Iterator[tuple[object, ...]]:
        """Yield a table's rows of some keys, times as aware datetimes."""
        if not keys:
            return
        names = ", ".join(
            f"epoch_us({_quoted(column.name)})" if column.type is ColumnType.TIMESTAMP else _quoted(column.name)
            for column in columns
        )
        times = [index for index, column in enumerate(columns) if column.type is ColumnType.TIMESTAMP]
        query = f"SELECT {names} FROM {table} WHERE _key IN (SELECT unnest(?::BIGINT[]))"  # noqa: S608 - names are checked
        for found in self._database.execute(query, [sorted(keys)]).fetchall():
            row = list(found)
            for index in times:
                row[index] = None if row[index] is None else from_micros(row[index])
            yield tuple(row)


def _definitions(columns: tuple[TableColumn, ...]) -> str:
    return ", ".join(f"{_quoted(column.name)} {SQL_TYPES[column.type]}" for column in columns)


def _quoted(name: str) -> str:
    return f'"{name}"'
