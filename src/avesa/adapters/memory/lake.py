"""A lake in memory, with a temporary folder for what only a file system can serve."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from avesa.domain.keys import check_key, check_prefix
from avesa.ports.lake import ObjectExists, ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class MemoryLake:
    """Objects in a dict. A prefix whose `table_uri` was asked for lives in a temporary folder from then on.

    delta-rs keeps no table in memory that a second opener could see, so tables need files; they go with the lake.
    """

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._tables: tuple[str, ...] = ()
        self._folder: Path | None = None
        self._lock = threading.RLock()

    def put(self, key: str, data: bytes, *, overwrite: bool = False) -> None:
        check_key(key)
        with self._lock:
            path = self._file(key)
            if not overwrite and (key in self._objects or (path is not None and path.exists())):
                raise ObjectExists(key)
            if path is None:
                self._objects[key] = bytes(data)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    def get(self, key: str) -> bytes:
        check_key(key)
        with self._lock:
            path = self._file(key)
            if path is None:
                return self._objects[key]
            if not path.is_file():
                raise KeyError(key)
            return path.read_bytes()

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)
            with self._lock:
                path = self._file(key)
                if path is None:
                    self._objects.pop(key, None)
                else:
                    path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def local_copies(self, keys: Sequence[str]) -> Iterator[list[str]]:
        """Give copies in a temporary folder that goes with the context. Raises KeyError for one that is not there."""
        with tempfile.TemporaryDirectory(prefix="avesa-") as folder:
            paths = []
            for number, key in enumerate(keys):
                # The ending tells readers the format; the number keeps equal names apart.
                path = Path(folder, f"{number}-{key.rpartition('/')[2]}")
                path.write_bytes(self.get(key))
                paths.append(str(path))
            yield paths

    def table_uri(self, prefix: str) -> tuple[str, dict[str, str]]:
        check_key(prefix.removesuffix("/"))
        table = prefix.removesuffix("/") + "/"
        with self._lock:
            if not table.startswith(self._tables):
                self._tables = (*self._tables, table)
                moved = [key for key in self._objects if key.startswith(table)]
                for key in moved:
                    self.put(key, self._objects.pop(key))
            return str(self._root() / table.removesuffix("/")), {}

    def _root(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="avesa-lake-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def _file(self, key: str) -> Path | None:
        return self._root() / key if self._tables and key.startswith(self._tables) else None

    # Last, since its name hides the built-in type from the annotations that follow.
    def list(self, prefix: str) -> list[ObjectInfo]:
        check_prefix(prefix)
        with self._lock:
            found = [ObjectInfo(key=key, size_bytes=len(data)) for key, data in self._objects.items()]
            if self._tables:
                root = self._root()
                found += [_of_file(path, root) for path in root.rglob("*") if path.is_file()]
        return sorted((info for info in found if info.key.startswith(prefix)), key=lambda info: info.key)


def _of_file(path: Path, root: Path) -> ObjectInfo:
    found = path.stat()
    written_at = datetime.fromtimestamp(found.st_mtime, UTC)
    return ObjectInfo(key=path.relative_to(root).as_posix(), size_bytes=found.st_size, modified_at=written_at)
