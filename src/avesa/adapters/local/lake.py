"""The lake as a folder: what a person can look at with `ls` is what a run has made durable."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from avesa.adapters.local.files import make_folder, refusals, sync_folder, write_file
from avesa.domain.keys import UNFINISHED_PREFIX, check_key
from avesa.ports.lake import ObjectExists, ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class LocalLake:
    """Objects as files below `root`, which is made when the first one is put. Can be pickled and used by threads."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root).absolute()
        self._durable_folders: set[Path] = set()

    def __repr__(self) -> str:
        return f"LocalLake({str(self._root)!r})"

    def __reduce__(self) -> tuple[type[LocalLake], tuple[str]]:
        return LocalLake, (str(self._root),)

    def put(self, key: str, data: bytes, *, overwrite: bool = False) -> None:
        path = self._path(key)
        with refusals(f"lake object {key} in {self._root}"):
            self._ensure_folder(path.parent)
            try:
                write_file(path, data, overwrite=overwrite)
            except FileExistsError as error:
                raise ObjectExists(key) from error

    def get(self, key: str) -> bytes:
        path = self._path(key)
        with refusals(f"lake object {key} in {self._root}"):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise KeyError(key) from None

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            path = self._path(key)
            with refusals(f"lake object {key} in {self._root}"):
                _unlink(path)

    @contextlib.contextmanager
    def local_copies(self, keys: Sequence[str]) -> Iterator[list[str]]:
        """Give the files themselves; nothing is copied. Raises KeyError for one that is not there."""
        paths = [self._path(key) for key in keys]
        for key, path in zip(keys, paths, strict=True):
            if not path.is_file():
                raise KeyError(key)
        yield [str(path) for path in paths]

    def table_uri(self, prefix: str) -> tuple[str, dict[str, str]]:
        return str(self._path(prefix.removesuffix("/"))), {}

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _ensure_folder(self, folder: Path) -> None:
        if folder in self._durable_folders and folder.is_dir():
            return
        make_folder(self._root)
        folder.mkdir(parents=True, exist_ok=True)
        # Not only the folders made here: another process may have made one a moment ago and not have synced it yet.
        for place in [folder, *folder.parents]:
            if place == self._root:
                break
            sync_folder(place.parent)
        self._durable_folders.add(folder)

    # Last, since its name hides the built-in type from the annotations that follow.
    def list(self, prefix: str) -> list[ObjectInfo]:
        folder = self._path(prefix.removesuffix("/")) if prefix else self._root
        with refusals(f"lake folder {prefix} in {self._root}"):
            found = _files_below(folder, prefix)
            return sorted(found, key=lambda info: info.key)


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def _files_below(folder: Path, prefix: str) -> Iterator[ObjectInfo]:
    with contextlib.ExitStack() as stack:
        try:
            entries = stack.enter_context(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if entry.name.startswith(UNFINISHED_PREFIX):
                continue
            if entry.is_dir():
                yield from _files_below(Path(entry.path), f"{prefix}{entry.name}/")
                continue
            # Deleted since the folder was read: then it is not there.
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat()
                written_at = datetime.fromtimestamp(found.st_mtime, UTC)
                yield ObjectInfo(key=f"{prefix}{entry.name}", size_bytes=found.st_size, modified_at=written_at)
