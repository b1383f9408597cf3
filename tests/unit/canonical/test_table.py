"""The order of a canonical table's columns is what every reader and writer of its files relies on."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from avesa.canonical.mapping import RESERVED_NAMES, ColumnType, parse_mapping
from avesa.canonical.scd2 import Version
from avesa.canonical.table import LEADING, TRAILING, bucket_of, row, table_columns

MAPPING = parse_mapping(
    """{"table": "things", "service": "connectwise", "endpoint": "some/things", "columns": [
    {"name": "id", "type": "string", "source": "id"},
    {"name": "hours", "type": "float64", "source": "hours"},
    {"name": "last_updated", "type": "timestamp", "source": "at"},
    {"name": "last_updated_by", "type": "string", "source": "by"}]}""",
    file="things.json",
)
AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_key_comes_first_and_the_systems_columns_last() -> None:
    assert [(column.name, column.type.value) for column in table_columns(MAPPING)] == [
        ("tenant_id", "string"),
        ("service", "string"),
        ("id", "string"),
        ("hours", "float64"),
        ("last_updated", "timestamp"),
        ("last_updated_by", "string"),
        ("valid_from", "timestamp"),
        ("valid_to", "timestamp"),
        ("is_current", "bool"),
        ("is_deleted", "bool"),
        ("record_hash", "string"),
        ("ingested_at", "timestamp"),
        ("id_bucket", "int64"),
    ]


def test_a_mapping_may_use_none_of_the_systems_names() -> None:
    assert {name for name, _ in (*LEADING, *TRAILING)} == RESERVED_NAMES


def test_a_row_has_a_value_for_each_column_in_their_order() -> None:
    version = Version(
        valid_from=AT,
        valid_to=None,
        is_deleted=False,
        record_hash="ab",
        ingested_at=AT,
        content=("4097", 1.5, AT, "ann"),
    )

    values = row(version, tenant_id="acme", service="connectwise")

    assert values == ("acme", "connectwise", "4097", 1.5, AT, "ann", AT, None, True, False, "ab", AT, 1)
    for column, value in zip(table_columns(MAPPING), values, strict=True):
        assert value is None or isinstance(value, PYTHON_TYPES[column.type])


PYTHON_TYPES = {
    ColumnType.STRING: str,
    ColumnType.INT64: int,
    ColumnType.FLOAT64: float,
    ColumnType.BOOL: bool,
    ColumnType.TIMESTAMP: datetime,
}


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from([1, 10, 4096, 65536]))
def test_a_bucket_is_a_range_of_ids_as_wide_as_told(id: int, width: int) -> None:
    bucket = bucket_of(str(id), width)

    assert bucket * width <= id < (bucket + 1) * width
    assert bucket_of(id, width) == bucket
