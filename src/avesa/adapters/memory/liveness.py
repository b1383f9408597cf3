"""Holders that are dead when a test says so."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from avesa.domain.errors import LeaseLost
from avesa.domain.model import Holder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from avesa.domain.model import Lease


class MemoryLiveness:
    """Takes every holder for alive unless its job is in `gone`."""

    def __init__(self, gone: Iterable[str] = ()) -> None:
        self.gone = set(gone)

    def holder(self, job_id: str) -> Holder:
        return Holder(job_id=job_id, host="memory", process="1")

    def is_gone(self, holder: Holder) -> bool:
        return holder.job_id in self.gone

    @contextlib.contextmanager
    def keeping(self, lease: Lease, renew: Callable[[Lease], Lease]) -> Iterator[None]:
        """Renew the lease once, at the beginning: no time passes here that the work does not make pass itself."""
        with contextlib.suppress(LeaseLost):
            renew(lease)
        yield
