"""Puts whole files on this machine's disk: what a reader sees is complete, and what returned survives a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from avesa.domain.errors import StorageError
from avesa.domain.keys import UNFINISHED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    _FULL_SYNC: int | None = None
else:
    _FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)

_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EINVAL, errno.EACCES}
)
_WHAT_TO_DO: Final = {
    errno.ENOSPC: "free space on this disk, then run again",
    errno.EDQUOT: "your quota on this disk is used up: free some of it, then run again",
    errno.EFBIG: "the file system or a limit of this process allows no file of this size: raise it, then run again",
    errno.EROFS: "the file system is mounted read-only: mount it writable, or choose another folder with --home",
    errno.EACCES: "give this user the right to write there, or choose another folder with --home",
    errno.EPERM: "give this user the right to write there, or choose another folder with --home",
    errno.ENAMETOOLONG: "the name is too long for this file system: choose a shorter folder with --home",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n), then run again",
    errno.EIO: "the disk reports an error: check it before anything else is written",
}


@contextlib.contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn what the file system refuses into a StorageError that names `what`, the cause and what to do."""
    try:
        yield
    except OSError as error:
        advice = _WHAT_TO_DO.get(error.errno or 0, "mend the cause, then run again")
        raise StorageError(f"{what}: {error.strerror or error}; {advice}") from error


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Make the folder and its parents, each entered durably in the folder above it."""
    missing = [folder, *folder.parents]
    existing = next((place for place in missing if place.is_dir()), None)
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    for place in missing:
        if place == existing:
            break
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable; where a folder cannot be opened (Windows) the system does it by itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes, *, overwrite: bool, mode: int = 0o666) -> None:
    """Write the file whole and durably, in a folder that exists; `mode` is narrowed by the user's umask.

    Raises FileExistsError without `overwrite` when the name is taken, and OSError when the disk refuses; nothing
    half-written is left in either case, and of several writers without `overwrite` exactly one succeeds.
    """
    temporary = path.with_name(f"{UNFINISHED_PREFIX}{uuid.uuid4().hex}")
    try:
        _write_durably(temporary, data, mode)
        if overwrite:
            temporary.replace(path)
        else:
            _place_if_absent(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write_durably(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _place_if_absent(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename_if_absent(temporary, path)


def _rename_if_absent(temporary: Path, path: Path) -> None:
    # File systems without hard links (exFAT, some shares). Claiming the name with O_EXCL and copying into it would
    # leave half an object under its final name if the process died; a lock that ends with the process leaves none.
    with FileLock(path.with_name(f"{UNFINISHED_PREFIX}lock")):
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        temporary.replace(path)


def _sync(descriptor: int) -> None:
    # macOS: fsync only reaches the drive's cache.
    if _FULL_SYNC is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, _FULL_SYNC)
            return
    os.fsync(descriptor)
