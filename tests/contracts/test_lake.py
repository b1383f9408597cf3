"""What every lake does: objects that are whole or not there, under keys that stay inside."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import deltalake
import pyarrow as pa
import pytest

from avesa.domain.errors import UsageError
from avesa.ports.lake import ObjectExists, ObjectInfo

if TYPE_CHECKING:
    from avesa.ports.lake import Lake

WRITERS = 8


def test_an_object_comes_back_as_it_was(lake: Lake) -> None:
    lake.put("acme/raw/a.parquet", b"\x00\xff\r\n")
    lake.put("acme/raw/empty", b"")

    assert lake.get("acme/raw/a.parquet") == b"\x00\xff\r\n"
    assert lake.get("acme/raw/empty") == b""


def test_an_object_that_is_not_there_is_a_key_error(lake: Lake) -> None:
    lake.put("acme/raw/a", b"1")

    for key in ("acme/raw/b", "acme/raw", "acme/raw/a/b", "nobody/x"):
        with pytest.raises(KeyError, match=key):
            lake.get(key)


def test_a_taken_key_is_refused_and_keeps_its_object(lake: Lake) -> None:
    lake.put("acme/a", b"first")

    with pytest.raises(ObjectExists, match="acme/a"):
        lake.put("acme/a", b"second")

    assert lake.get("acme/a") == b"first"


def test_overwrite_replaces_and_also_creates(lake: Lake) -> None:
    lake.put("acme/a", b"first", overwrite=True)
    lake.put("acme/a", b"second", overwrite=True)

    assert lake.get("acme/a") == b"second"


def test_of_many_threads_exactly_one_puts_a_key(lake: Lake) -> None:
    start = threading.Barrier(WRITERS)

    def put(number: int) -> bytes | None:
        data = bytes([number]) * 10_000
        start.wait()
        try:
            lake.put("acme/raw/new/folder/part", data)
        except ObjectExists:
            return None
        return data

    with ThreadPoolExecutor(WRITERS) as pool:
        landed = [data for data in pool.map(put, range(WRITERS)) if data is not None]

    assert landed == [lake.get("acme/raw/new/folder/part")]
    assert [info.key for info in lake.list("acme/")] == ["acme/raw/new/folder/part"]


def test_a_list_is_sorted_by_key_and_tells_sizes(lake: Lake) -> None:
    # As text "a-b" sorts before "a/b" and "a0": a walk of folders would tell them in another order.
    for key in ("t/a0", "t/a/b", "t/a-b", "t/a/B", "t/z"):
        lake.put(key, key.encode())

    assert lake.list("t/") == [
        ObjectInfo(key=key, size_bytes=len(key)) for key in ("t/a-b", "t/a/B", "t/a/b", "t/a0", "t/z")
    ]


def test_a_list_holds_what_begins_with_the_prefix_only(lake: Lake) -> None:
    for key in ("acme/raw/a", "acme-it/raw/a", "acme/canonical/a"):
        lake.put(key, b"")

    assert [info.key for info in lake.list("acme/raw/")] == ["acme/raw/a"]
    assert [info.key for info in lake.list("acme/")] == ["acme/canonical/a", "acme/raw/a"]
    assert lake.list("nobody/") == []
    assert lake.list("acme/raw/a/") == []


def test_deleting_is_done_once_and_quiet_ever_after(lake: Lake) -> None:
    lake.put("acme/a", b"")
    lake.put("acme/b", b"")

    lake.delete(["acme/a", "acme/never"])
    lake.delete(["acme/a"])

    assert [info.key for info in lake.list("acme/")] == ["acme/b"]


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../x", "a/../b", "a/..", "./a", "a//b", "a\\b", "a/\x00", "C:/x", "a/.tmp-1", ".tmp-f/a"],
)
def test_a_key_that_could_leave_the_lake_or_hide_in_it_is_refused(lake: Lake, key: str) -> None:
    with pytest.raises(UsageError, match="not allowed"):
        lake.put(key, b"", overwrite=True)
    with pytest.raises(UsageError, match="not allowed"):
        lake.get(key)
    with pytest.raises(UsageError, match="not allowed"):
        lake.delete([key])
    with pytest.raises(UsageError, match="not allowed"):
        lake.table_uri(f"{key}/")


def test_a_prefix_that_leaves_the_lake_is_refused(lake: Lake) -> None:
    with pytest.raises(UsageError, match="not allowed"):
        lake.list("../")


def test_local_copies_are_files_with_the_objects_bytes_and_ending(lake: Lake) -> None:
    lake.put("acme/raw/x/a.parquet", b"1")
    lake.put("acme/raw/y/a.parquet", b"2")

    with lake.local_copies(["acme/raw/y/a.parquet", "acme/raw/x/a.parquet"]) as paths:
        assert [Path(path).read_bytes() for path in paths] == [b"2", b"1"]
        assert all(path.endswith("a.parquet") for path in paths)


def test_a_missing_object_has_no_local_copy(lake: Lake) -> None:
    with pytest.raises(KeyError, match="acme/a"), lake.local_copies(["acme/a"]):
        pytest.fail("the context began without the object")


def test_delta_rs_opens_the_table_that_it_wrote_and_the_lake_lists_it(lake: Lake) -> None:
    lake.put("acme/canonical/tickets/note.txt", b"put before")
    uri, options = lake.table_uri("acme/canonical/tickets/")
    deltalake.write_deltalake(uri, pa.table({"id": ["1", "2"]}), storage_options=options)

    again, _ = lake.table_uri("acme/canonical/tickets/")

    keys = [info.key for info in lake.list("acme/canonical/tickets/")]
    assert deltalake.DeltaTable(again, storage_options=options).version() == 0
    assert "acme/canonical/tickets/_delta_log/00000000000000000000.json" in keys
    assert lake.get("acme/canonical/tickets/note.txt") == b"put before"


def test_objects_put_below_a_table_are_files_of_that_table(lake: Lake) -> None:
    uri, _ = lake.table_uri("acme/canonical/tickets/")

    lake.put("acme/canonical/tickets/id_bucket=0/part.parquet", b"rows")

    if uri.startswith("s3://"):
        assert uri.endswith("/acme/canonical/tickets")
        assert [info.size_bytes for info in lake.list("acme/canonical/tickets/id_bucket=0/")] == [len(b"rows")]
    else:
        assert Path(uri, "id_bucket=0", "part.parquet").read_bytes() == b"rows"
    lake.delete(["acme/canonical/tickets/id_bucket=0/part.parquet"])
    assert lake.list("acme/canonical/") == []
