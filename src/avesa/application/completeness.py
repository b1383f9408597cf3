"""No success without a count from the source: comparing what it says it has with what is durable.

The counts decide when they agree, records in quarantine counted. When they differ, and where a whole read is small or a
read went on with what an earlier run left, ids decide: each missing one is fetched, or explained by its being gone, or
unreadable, when asked for by id. A table under live edits is agreed upon when the count lies between two listings
around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from avesa.application.source import IdRange
from avesa.domain.errors import IncompleteError
from avesa.domain.model import Reconciled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from avesa.application.source import Source
    from avesa.connectors.settings import Endpoint, Limits
    from avesa.domain.model import Window

_ROUNDS: Final = 5


class Repaired(NamedTuple):
    """Which of the ids asked for the source still had: made durable, or in quarantine since they cannot be read."""

    found: set[int]
    unreadable: set[int]


class Listing(NamedTuple):
    """What the source lists: ids, and how many records have none that can be read."""

    ids: set[int]
    nameless: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of the source a read was to bring: an endpoint's window, in the id ranges of the plan's chunks."""

    source: Source
    endpoint: Endpoint
    limits: Limits
    window: Window
    ranges: Sequence[IdRange]
    is_thorough: bool = False
    """Ids decide, whatever the counts say: for each record that a page lacked one may have gone since it was read."""

    def count(self, ids: IdRange | None = None) -> int:
        """Return the source's own count."""
        return self.source.count(self.endpoint, self.limits, window=self.window, ids=ids)[0]

    def list(self, ids: IdRange) -> Listing:
        """Return what the source lists."""
        found: set[int] = set()
        nameless = 0
        for page in self.source.ids(self.endpoint, self.limits, window=self.window, ids=ids):
            found.update(record.id for record in page.records)
            nameless += len(page.rejected)
        return Listing(found, nameless)


def reconcile(
    asked: Asked, durable: set[int], *, quarantined: int, repair: Callable[[list[int]], Repaired]
) -> Reconciled:
    """Return the agreed counts.

    `durable` are ids read from raw, `quarantined` records that the same read could not; `repair` makes missing ones
    durable. Raises IncompleteError when five rounds end without agreement.
    """
    present, nameless = set(durable), quarantined
    explained: set[int] = set()
    sizes: list[int] = []
    for _ in range(_ROUNDS):
        counted = asked.count()
        is_bracketed = len(sizes) > 1 and min(sizes[-2:]) <= counted <= max(sizes[-2:])
        size = len(present) + nameless
        is_believed = counted == size and (not asked.is_thorough or bool(sizes))
        if is_believed or is_bracketed:
            return Reconciled(source=size, lake=len(present & durable))
        present, nameless = _listed(asked, present)
        missing = sorted(present - durable - explained)
        if missing:
            found, unreadable = repair(missing)
            durable |= found
            explained |= unreadable
            # What is gone when asked for by id was deleted since it was listed.
            present -= set(missing) - found - unreadable
        sizes.append(len(present) + nameless)
    message = (
        f"{asked.endpoint.path}: the source counts {asked.count()} records and lists {len(present) + nameless}, of "
        f"which {len(present & durable)} are durable; they did not agree in {_ROUNDS} rounds. Nothing is lost and "
        "the bookmark stays: run again; "
        "if it stays so, compare the API member's rights and the server's health"
    )
    raise IncompleteError(message)


def _listed(asked: Asked, present: set[int]) -> Listing:
    """Return what the source lists now; ranges whose counts agree are not listed, unless only ids are believed."""
    if len(asked.ranges) <= 1:
        return asked.list(asked.ranges[0] if asked.ranges else IdRange())
    found: set[int] = set()
    nameless = 0
    for ids in asked.ranges:
        inside = {record_id for record_id in present if _contains(ids, record_id)}
        is_counted = not asked.is_thorough and asked.count(ids) == len(inside)
        listing = Listing(inside, 0) if is_counted else asked.list(ids)
        found |= listing.ids
        nameless += listing.nameless
    return Listing(found, nameless)


def _contains(ids: IdRange, record_id: int) -> bool:
    return (ids.after is None or record_id > ids.after) and (ids.upto is None or record_id <= ids.upto)
