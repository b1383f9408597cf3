"""How many requests a read sends, from how many records it finds: the same arithmetic as the steps', done beforehand.

A test holds this to what the steps really send. What cannot be known beforehand (retries, records that differ and are
fetched by id) is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from avesa.application import planning
from avesa.domain.model import ReadMode

if TYPE_CHECKING:
    from avesa.connectors.settings import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What is known of a table's read before it begins."""

    mode: ReadMode
    records: int
    """What the source counts of the window asked for."""
    is_counted: bool
    """Whether planning asks for the count; short increments go without."""
    windows: int = 1
    """Ranges of time that a backfill is cut into."""
    is_swept: bool = False
    table_records: int = 0
    """What a sweep lists: all of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Requests by what they are for, and the chunks that send them."""

    chunks: int
    plan_requests: int
    page_requests: int
    compare_requests: int
    sweep_requests: int

    @property
    def requests(self) -> int:
        """All of them."""
        return self.plan_requests + self.page_requests + self.compare_requests + self.sweep_requests

    def rounds(self, at_once: int) -> int:
        """Return how many answers are waited for one after the other when `at_once` requests may be under way."""
        side_by_side = max(1, min(at_once, self.chunks))
        planned = ceil(max(0, self.plan_requests - 1) / at_once) + min(1, self.plan_requests)
        swept = ceil(max(0, self.sweep_requests - 1) / at_once) + min(1, self.sweep_requests)
        return planned + ceil(self.page_requests / side_by_side) + self.compare_requests + swept


def demand_of(read: Read, limits: Limits, *, chunks_at_once: int) -> Demand:
    """Return what a read sends when nothing has to be asked twice."""
    size = planning.chunk_size(read.records, limits, at_once=chunks_at_once)
    cuts = len(range(size, read.records, size)) if read.is_counted else 0
    chunks = read.windows if read.mode is ReadMode.BACKFILL else cuts + 1
    pages = _pages(read.records, chunks, size if read.is_counted else None, limits)
    # Small tables that are read whole are compared id by id; the others by the source's count.
    is_thorough = read.mode is ReadMode.FULL and not read.is_swept and read.records <= limits.chunk_records
    return Demand(
        chunks=chunks,
        plan_requests=1 + cuts if read.is_counted else 0,
        page_requests=pages,
        compare_requests=2 + pages if is_thorough else 1,
        sweep_requests=_swept(read.table_records, limits, chunks_at_once) if read.is_swept else 0,
    )


def _swept(records: int, limits: Limits, chunks_at_once: int) -> int:
    """A count, the ids at which the ranges are cut, and the lists of the ranges."""
    size = planning.chunk_size(records, limits, at_once=chunks_at_once)
    cuts = len(range(size, records, size))
    return 1 + cuts + _pages(records, cuts + 1, size, limits)


def _pages(records: int, chunks: int, size: int | None, limits: Limits) -> int:
    """Return the pages of all chunks; a chunk without records is asked once, too."""
    per_chunk = size if size is not None else ceil(records / chunks)
    full = min(chunks - 1, records // per_chunk) if per_chunk else 0
    rest = records - full * per_chunk
    pages = full * ceil(per_chunk / limits.page_size) if per_chunk else 0
    return pages + max(1, ceil(rest / limits.page_size)) + (chunks - full - 1)
