"""What only a lake on a disk can get wrong: half files, full and read-only disks, leftovers of a crash."""

from __future__ import annotations

import errno
import os
import pickle
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from avesa.adapters.local.lake import LocalLake
from avesa.domain.errors import StorageError
from avesa.ports.lake import ObjectExists

if TYPE_CHECKING:
    from pathlib import Path

posix_only = pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")


def _refuse(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_object_is_a_file_of_the_same_name(tmp_path: Path) -> None:
    LocalLake(tmp_path / "lake").put("acme/raw/connectwise/service/tickets/part.parquet", b"1")

    assert _files(tmp_path) == ["lake/acme/raw/connectwise/service/tickets/part.parquet"]


def test_a_table_is_addressed_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert LocalLake("lake").table_uri("acme/canonical/tickets/") == (
        str(tmp_path / "lake" / "acme" / "canonical" / "tickets"),
        {},
    )


def test_a_lake_can_be_sent_to_another_process(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path / "lake")
    lake.put("acme/a", b"1")

    assert pickle.loads(pickle.dumps(lake)).get("acme/a") == b"1"  # noqa: S301 - pickled one line above


def test_leftovers_of_a_crash_are_not_listed(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path)
    lake.put("acme/a", b"1")
    (tmp_path / "acme" / ".tmp-0123").write_bytes(b"hal")

    assert [info.key for info in lake.list("acme/")] == ["acme/a"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_disk_that_fills_up_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, overwrite: bool
) -> None:
    lake = LocalLake(tmp_path)
    lake.put("acme/old", b"before")
    really_write = os.write
    writes: list[int] = []

    def write(descriptor: int, data: bytes) -> int:
        if writes:
            _refuse(errno.ENOSPC)
        writes.append(really_write(descriptor, data[:5]))
        return 5

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(StorageError, match=r"acme/new.*No space left.*free space"):
            lake.put("acme/new", b"more than five bytes", overwrite=overwrite)

    assert writes == [5]
    assert _files(tmp_path) == ["acme/old"]


@pytest.mark.parametrize("call", ["fsync", "link", "replace"])
def test_a_failure_at_any_step_keeps_the_earlier_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    lake = LocalLake(tmp_path)
    lake.put("acme/a", b"before")
    key, overwrite = ("acme/b", False) if call == "link" else ("acme/a", True)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, lambda *_: _refuse(errno.EIO))
        with pytest.raises(StorageError, match=rf"{key}.*check it"):
            lake.put(key, b"after", overwrite=overwrite)

    assert _files(tmp_path) == ["acme/a"]
    assert lake.get("acme/a") == b"before"


@posix_only
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_limit_of_file_size_is_told_and_leaves_nothing(tmp_path: Path, *, overwrite: bool) -> None:
    # A real refusal by the kernel, in a process of its own since the limit cannot be lifted again.
    program = f"""
import resource, sys
from avesa.adapters.local.lake import LocalLake
from avesa.domain.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    LocalLake(sys.argv[1]).put("acme/a", bytes(5000), overwrite={overwrite})
except StorageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "acme/a" in done.stdout
    assert "File too large" in done.stdout
    assert _files(tmp_path) == []


@posix_only
def test_a_read_only_folder_is_told_and_can_still_be_read(read_only_folder: Path) -> None:
    lake = LocalLake(read_only_folder)

    with pytest.raises(StorageError, match=r"acme/b.*Permission denied.*--home"):
        lake.put("acme/b", b"2")
    with pytest.raises(StorageError, match=r"new/b.*Permission denied.*--home"):
        lake.put("new/b", b"2")
    with pytest.raises(StorageError, match=r"acme/a.*Permission denied.*--home"):
        lake.delete(["acme/a"])

    assert lake.get("acme/a") == b"1"
    assert [info.key for info in lake.list("acme/")] == ["acme/a"]


def test_a_read_only_file_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = LocalLake(tmp_path)
    lake.put("acme/a", b"1")

    monkeypatch.setattr(os, "open", lambda *_: _refuse(errno.EROFS))
    with pytest.raises(StorageError, match=r"acme/b.*mounted read-only"):
        lake.put("acme/b", b"2")


def test_a_file_in_the_place_of_the_lake_is_told(tmp_path: Path) -> None:
    (tmp_path / "lake").write_bytes(b"")

    with pytest.raises(StorageError, match="acme/a"):
        LocalLake(tmp_path / "lake").put("acme/a", b"1")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_without_hard_links_a_put_is_still_whole_and_first_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lake = LocalLake(tmp_path)
    monkeypatch.setattr(os, "link", lambda *_: _refuse(number))

    lake.put("acme/a", b"first")
    with pytest.raises(ObjectExists):
        lake.put("acme/a", b"second")

    assert lake.get("acme/a") == b"first"
    assert [info.key for info in lake.list("acme/")] == ["acme/a"]


def test_a_folder_that_was_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path)
    lake.put("acme/raw/a", b"1")
    lake.delete(["acme/raw/a"])
    (tmp_path / "acme" / "raw").rmdir()

    lake.put("acme/raw/b", b"2")

    assert lake.get("acme/raw/b") == b"2"


@posix_only
def test_bytes_and_names_reach_the_disk_before_put_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    really_sync = os.fsync

    def fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append(kind)
        really_sync(descriptor)

    lake = LocalLake(tmp_path)
    lake.put("acme/raw/a", b"1")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr("avesa.adapters.local.files._FULL_SYNC", None)

    lake.put("acme/raw/b", b"2")
    assert synced == ["file", "folder"]

    synced.clear()
    lake.put("acme/new/c", b"3")
    # The new folder's own entry in "acme", and that one's in the lake, must last as well.
    assert synced == ["folder", "folder", "file", "folder"]
