"""Whether the holder of a lease still runs: it holds a lock on a file, which the system drops when the process dies."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from filelock import FileLock, Timeout

from avesa.adapters.local.files import make_folder, refusals
from avesa.adapters.machine.renewal import renewing
from avesa.domain.errors import StorageError
from avesa.domain.model import Holder

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from avesa.domain.model import Lease

# Somebody who asks whether we live holds the lock for a moment; both sides wait that moment out.
_ASKING_SECONDS: Final = 0.1
_HOLDING_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01

# A lock is let go when its object is collected; these live as long as the process, whoever forgets the adapter.
_kept: Final[set[FileLock]] = set()


class ProcessLiveness:
    """Locks a file per job in `folder` for as long as this process lives, and renews leases in time.

    `ttl_seconds` is how long a lease lasts: each is renewed after a quarter of it.
    `host` tells machines apart that share the folder; the default is this machine's network name.
    """

    def __init__(self, folder: str | os.PathLike[str], *, ttl_seconds: float, host: str | None = None) -> None:
        self._folder = Path(folder).absolute()
        self._ttl_seconds = ttl_seconds
        self._host = host or platform.node() or "localhost"
        self._held: dict[str, FileLock] = {}
        self._lock = threading.Lock()

    def holder(self, job_id: str) -> Holder:
        """Return this process as the job's holder, known as alive until `close` or the end of the process.

        Raises StorageError when the lock's file cannot be written, or another process already works as this job.
        """
        with self._lock:
            if job_id not in self._held:
                self._held[job_id] = self._hold(job_id)
        return Holder(job_id=job_id, host=self._host, process=str(os.getpid()))

    def is_gone(self, holder: Holder) -> bool:
        if holder.host != self._host or holder.job_id in self._held:
            return False
        path = self._path(holder.job_id)
        if not path.exists():
            return True
        with refusals(f"lock file {path}"):
            try:
                with self._file_lock(path).acquire(timeout=_ASKING_SECONDS, poll_interval=_POLL_SECONDS):
                    return True
            except Timeout:
                return False

    def keeping(self, lease: Lease, renew: Callable[[Lease], Lease]) -> AbstractContextManager[None]:
        return renewing(lease, renew, ttl_seconds=self._ttl_seconds)

    def close(self) -> None:
        """Be known as ended for every job held so far, and leave no files."""
        with self._lock:
            held, self._held = self._held, {}
        for job_id, lock in held.items():
            # Before the lock is let go, so that nobody locks a file that is about to vanish. Windows refuses: it stays.
            with contextlib.suppress(OSError):
                self._path(job_id).unlink(missing_ok=True)
            lock.release()
            _kept.discard(lock)

    def _hold(self, job_id: str) -> FileLock:
        path = self._path(job_id)
        with refusals(f"lock file {path}"):
            make_folder(self._folder)
            lock = self._file_lock(path)
            try:
                lock.acquire(timeout=_HOLDING_SECONDS, poll_interval=_POLL_SECONDS)
            except Timeout:
                raise StorageError(
                    f"lock file {path}: another process of this machine works as job {job_id}; wait for its end"
                ) from None
        _kept.add(lock)
        return lock

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{quote(job_id, safe='')}.lock"

    def _file_lock(self, path: Path) -> FileLock:
        # A thread of the executor may ask and another one hold: the lock belongs to the process.
        return FileLock(path, thread_local=False)
