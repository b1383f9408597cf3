"""Renews a lease beside the work that it covers."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import LeaseLost, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avesa.domain.model import Lease

_RENEWALS_PER_LEASE: Final = 4


@contextlib.contextmanager
def renewing(lease: Lease, renew: Callable[[Lease], Lease], *, ttl_seconds: float) -> Iterator[None]:
    """Renew the lease from a thread of its own after each quarter of `ttl_seconds`.

    Stops quietly when the lease is lost. The last renewal has ended when the context has.
    """
    ended = threading.Event()
    pause_seconds = ttl_seconds / _RENEWALS_PER_LEASE
    thread = threading.Thread(
        target=_renew_until, args=(ended, lease, renew, pause_seconds), name="avesa-lease", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _renew_until(ended: threading.Event, lease: Lease, renew: Callable[[Lease], Lease], pause_seconds: float) -> None:
    while not ended.wait(pause_seconds):
        try:
            lease = renew(lease)
        except LeaseLost:
            return  # the work finds out at its next write
        except StorageError:
            continue  # three more tries before the lease ends
