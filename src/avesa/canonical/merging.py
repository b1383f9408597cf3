"""How a batch of raw rows meets the versions that a table has: which keys can be extended, which are folded anew.

The decision is the same whatever holds the rows, so it lives here: the store on files and the store in memory (on which
random histories run) share it, and what the histories prove of one holds for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from avesa.canonical.scd2 import Changes, Observation, Version, diff, extend, fold
from avesa.domain.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from avesa.canonical.projection import Projection


class RawRow(NamedTuple):
    """One extraction of one record, as a raw part holds it."""

    id: int
    seen_at: datetime
    job_id: str
    chunk_id: str
    payload: str | bytes


class DeletionRow(NamedTuple):
    """One record that a sweep found missing."""

    id: int
    found_missing_at: datetime


class Seen(NamedTuple):
    """What raw rows tell of each key."""

    observations: dict[int, list[Observation]]
    deletions: dict[int, list[datetime]]
    rows: int
    coerced: int
    """States with a value that does not fit its column; a state extracted twice counts once."""
    unreadable: list[tuple[int, str]]
    """Ids of which no row can be made, and why."""

    @property
    def keys(self) -> set[int]:
        """The keys of which anything is told."""
        return self.observations.keys() | self.deletions.keys()


class Merged(NamedTuple):
    """The keys whose versions are others than before, each with all its versions, and how they changed."""

    changed: dict[int, list[Version]]
    changes: Changes


def see(rows: Iterable[RawRow], deletions: Iterable[DeletionRow], projection: Projection) -> Seen:
    """Return what the rows tell of each key; a row that cannot be read is told apart and ends nothing."""
    observations: dict[int, list[Observation]] = {}
    missing: dict[int, list[datetime]] = {}
    unreadable: list[tuple[int, str]] = []
    coerced: set[tuple[int, str, datetime | None]] = set()
    count = 0
    for row in rows:
        count += 1
        try:
            found = projection.project(row.payload)
        except DataError as error:
            unreadable.append((row.id, str(error)))
            continue
        if found.coerced:
            coerced.add((row.id, found.record_hash, found.source_time))
        observations.setdefault(row.id, []).append(
            Observation(
                seen_at=row.seen_at,
                source_time=found.source_time,
                content=found.values,
                record_hash=found.record_hash,
                order=(row.job_id, row.chunk_id),
            )
        )
    for deletion in deletions:
        missing.setdefault(deletion.id, []).append(deletion.found_missing_at)
    return Seen(observations, missing, count, len(coerced), unreadable)


def merge(seen: Seen, before: Mapping[int, list[Version]], history: Callable[[frozenset[int]], Seen]) -> Merged:
    """Return what becomes of the keys seen: from the batch alone where that is exact, else from all of raw.

    `before` has every version that the table has of these keys; `history(keys)` tells all that raw holds of them,
    the batch included.
    """
    after = _extended(seen, before)
    unsure = frozenset(seen.keys - after.keys())
    if unsure:
        # Late states, silent changes, deletions: rare, and only the past can tell.
        past = history(unsure)
        after |= {key: fold(past.observations.get(key, []), past.deletions.get(key, ())) for key in unsure}
    changed = {key: versions for key, versions in after.items() if versions != before.get(key, [])}
    return Merged(changed, _summed([diff(before.get(key, []), versions) for key, versions in changed.items()]))


def _extended(seen: Seen, before: Mapping[int, list[Version]]) -> dict[int, list[Version]]:
    """Return the versions of the keys for which the batch, and the newest version known, are enough."""
    after: dict[int, list[Version]] = {}
    for key in seen.keys:
        known = before.get(key)
        observations = seen.observations.get(key, [])
        if not known:
            # No row of this key: no earlier part had it, so the batch is all there is.
            after[key] = fold(observations, seen.deletions.get(key, ()))
        elif key not in seen.deletions:
            extended = extend(known[-1], observations)
            if extended is not None:
                after[key] = [*known[:-1], *extended]
    return after


def _summed(changes: list[Changes]) -> Changes:
    return Changes(
        opened=sum(change.opened for change in changes),
        closed=sum(change.closed for change in changes),
        corrected=sum(change.corrected for change in changes),
    )
