"""The one place that knows what a version is: folds everything observed of a record into its versions.

A fold is a pure function of the *set* of observations and deletions of one key, so that extracting again, replaying
raw in another order and a state that arrives late all give the same rows. contracts.md section 3 is the law; this is
how its words become intervals.

    observed     A@1  A@3  B@5  A@9           (content@source time; any order of extraction)
    versions     [A 1......5)[B 5...9)[A 9...  (A@3 is a touch: it only moves last_updated of the first version)

A late state takes its place in the past, which is why joined touches must be kept in raw:

    observed     A@1  A@3, later B@2
    versions     [A 1..2)[B 2..3)[A 3...       (A is current)

Deletions cut the axis of *extraction* time; each piece, an epoch, is folded for itself and nothing joins across:

    seen         s1    s2       D       s3
    versions     [A ........... D)      [A s3...     the record came back as it was: open since it was found again
                                        [A 9 .....   or since its own source time, when that is not before D

Corners, and what was chosen:

* A version that begins after its record was found missing (a source time in the future) has no length:
  valid_to = valid_from. Whatever follows it begins a microsecond later at the earliest, so that valid_from stays unique
  per key and grows. If that instant is past the calendar, the version without length gives way to its follower.
* A record that came back begins no earlier than its closed version ended, even if that end lies in the future.
* Of what an epoch says about the time before the record was found missing, only the newest state counts: it stands at
  the time it was found again, and gives way to a state whose own source time lies before that:

    seen         D=10   A@5 at 12, B@11 at 13        versions  [.. 10)  [B 11...
    seen         D=10   A@5 at 12, B@13 at 14        versions  [.. 10)  [A 12.. 13)[B 13...
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.canonical.values import Value

_INSTANT: Final = timedelta(microseconds=1)
_LAST_INSTANT: Final = datetime.max.replace(tzinfo=UTC)
_LAST_UPDATED: Final = -2
"""Where `content` has last_updated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One extraction of one record. All times are aware and UTC."""

    seen_at: datetime
    """`ingested_at` of the raw row."""
    source_time: datetime | None
    """The record's own last-updated time: the same as in `content`."""
    content: tuple[Value, ...]
    """All columns of the mapping, so last_updated and last_updated_by at its end."""
    record_hash: str
    """A function of `content`."""
    order: tuple[str, ...] = ()
    """Job and chunk: tells apart, the same way every time, what was seen at one instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One row of a canonical table: the record had this content in [valid_from, valid_to)."""

    valid_from: datetime
    valid_to: datetime | None
    is_deleted: bool
    record_hash: str
    ingested_at: datetime
    content: tuple[Value, ...]

    @property
    def is_current(self) -> bool:
        """Whether the record has this content as far as is known."""
        return self.valid_to is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How many versions of a key a fold opened, closed and corrected."""

    opened: int = 0
    closed: int = 0
    corrected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """One content at one source time, however often it was extracted."""

    time: datetime
    content: tuple[Value, ...]
    record_hash: str
    first_seen: datetime
    last_seen: tuple[datetime, tuple[str, ...]]

    def recency(self) -> tuple[object, ...]:
        """Return what tells which of several states at one time was extracted last; the end only breaks ties."""
        return (*self.last_seen, self.record_hash, repr(self.content), self.first_seen)


def fold(observations: Sequence[Observation], deletions: Sequence[datetime] = ()) -> list[Version]:
    """Return the versions of one key, by ascending valid_from; any order and any repetition of the input gives them.

    `deletions` are the times at which the record was found missing. One before which nothing was observed since the
    deletion before it says nothing new and is ignored. At most the last version is current, and versions leave gaps
    only after deleted ones.
    """
    if len(observations) == 1 and not deletions:  # a first load is nothing else; what follows gives the same
        return [_only_version(observations[0])]
    versions: list[Version] = []
    for epoch, found_missing_at in _epochs(observations, sorted(set(deletions))):
        states = _states(epoch)
        if versions:
            states = _came_back(states, found_again_at=min(o.seen_at for o in epoch), not_before=_end(versions))
        versions += _versions(states, found_missing_at)
    return versions


def extend(current: Version, observations: Sequence[Observation]) -> list[Version] | None:
    """Return what replaces `current` after `observations`, or None when only the raw history can tell.

    `current` is the newest version of its key, and every deletion known is in it. It can tell when each observation is
    its own newest state again or strictly newer than it, and none was seen before it was: an observation seen earlier
    may belong before a deletion.
    """
    last_updated = current.content[_LAST_UPDATED]
    if not current.is_current or not isinstance(last_updated, datetime):
        return None
    newest = max(last_updated, current.valid_from)
    newer: list[Observation] = []
    for observation in observations:
        if observation.source_time is None or observation.seen_at < current.ingested_at:
            return None
        if observation.source_time > newest:
            newer.append(observation)
        elif observation.source_time != last_updated or observation.content != current.content:
            return None
    # One observation stands for all that `current` was made of: joining takes valid_from and the earliest
    # ingested_at from the first state of a version and everything else from the last.
    anchor = Observation(
        seen_at=current.ingested_at,
        source_time=current.valid_from,
        content=current.content,
        record_hash=current.record_hash,
    )
    return fold([anchor, *newer])


def diff(before: Sequence[Version], after: Sequence[Version]) -> Changes:
    """Return how the versions of one key changed.

    Opened: a version began, or is current again. Closed: a version ended, or began and ended, or was current and is
    gone. Corrected: a version has other content. A version whose beginning moved and nothing else is none of them: it
    is the same version. Opened less closed is always how many more rows are current.
    """
    predecessors, gone = _predecessors(before, after)
    opened = corrected = 0
    closed = sum(version.is_current for version in gone)
    for version in after:
        predecessor = predecessors.get(version.valid_from)
        was_current = predecessor is not None and predecessor.is_current
        if predecessor is None or (version.is_current and not was_current):
            opened += 1
        if predecessor is not None and predecessor.record_hash != version.record_hash:
            corrected += 1
        if (predecessor is None or was_current) and not version.is_current:
            closed += 1
    return Changes(opened=opened, closed=closed, corrected=corrected)


def _predecessors(before: Sequence[Version], after: Sequence[Version]) -> tuple[dict[datetime, Version], list[Version]]:
    """Return, by the new valid_from, the old version that each new one goes on from, and the old ones of none."""
    new_starts = {version.valid_from for version in after}
    found = {version.valid_from: version for version in before if version.valid_from in new_starts}
    moved = [version for version in before if version.valid_from not in new_starts]
    # One with the same content moved; one with other content, where no other is left, moved and was corrected.
    for is_same in (True, False):
        for version in after:
            if version.valid_from not in found:
                match = next((old for old in moved if not is_same or old.record_hash == version.record_hash), None)
                if match is not None:
                    moved.remove(match)
                    found[version.valid_from] = match
    return found, moved


def _only_version(observation: Observation) -> Version:
    return Version(
        valid_from=observation.source_time or observation.seen_at,
        valid_to=None,
        is_deleted=False,
        record_hash=observation.record_hash,
        ingested_at=observation.seen_at,
        content=observation.content,
    )


def _epochs(
    observations: Sequence[Observation], deletions: list[datetime]
) -> list[tuple[list[Observation], datetime | None]]:
    """Return the observations between effective deletions, each with the deletion that ends it, or None."""
    epochs: dict[int, list[Observation]] = {}
    for observation in observations:
        # Seen at the very time of a deletion is seen before it.
        epochs.setdefault(bisect_left(deletions, observation.seen_at), []).append(observation)
    ends: list[datetime | None] = [*deletions, None]
    return [(epochs[index], ends[index]) for index in sorted(epochs)]


def _states(epoch: list[Observation]) -> list[_State]:
    """Return the states that count, by ascending time: of several at one source time the one extracted last."""
    extractions: dict[tuple[datetime | None, tuple[Value, ...]], list[Observation]] = {}
    for observation in epoch:
        extractions.setdefault((observation.source_time, observation.content), []).append(observation)
    contents: dict[datetime, list[_State]] = {}
    for (source_time, content), same in extractions.items():
        first_seen = min(o.seen_at for o in same)
        state = _State(
            time=first_seen if source_time is None else source_time,
            content=content,
            record_hash=same[0].record_hash,
            first_seen=first_seen,
            last_seen=max((o.seen_at, o.order) for o in same),
        )
        contents.setdefault(state.time, []).append(state)
    return [max(states, key=_State.recency) if len(states) > 1 else states[0] for _, states in sorted(contents.items())]


def _came_back(states: list[_State], *, found_again_at: datetime, not_before: datetime) -> list[_State]:
    """Return the states of an epoch after a deletion, none of them before the end of what was closed."""
    past = [state for state in states if state.time < not_before]
    later = states[len(past) :]
    start = max(found_again_at, not_before)
    has_stand_in = bool(past) and (not later or later[0].time > start)
    return [replace(past[-1], time=start), *later] if has_stand_in else later


def _end(versions: list[Version]) -> datetime:
    """Return from when on a follower of the last, deleted version may begin; drop that version if there is no room."""
    closed = versions[-1]
    ended_at = closed.valid_to or closed.valid_from
    if ended_at > closed.valid_from:
        return ended_at
    if ended_at == _LAST_INSTANT:
        versions.pop()
        return ended_at
    return ended_at + _INSTANT


def _versions(states: list[_State], found_missing_at: datetime | None) -> list[Version]:
    """Return the versions of one epoch: neighbours of equal content joined, each ending where the next begins."""
    runs = [list(run) for _, run in groupby(states, key=attrgetter("record_hash"))]
    starts = [run[0].time for run in runs]
    end = None if found_missing_at is None else max(found_missing_at, starts[-1])
    return [
        Version(
            valid_from=start,
            valid_to=valid_to,
            is_deleted=found_missing_at is not None and run is runs[-1],
            record_hash=run[-1].record_hash,
            ingested_at=min(state.first_seen for state in run),
            content=run[-1].content,
        )
        for run, start, valid_to in zip(runs, starts, [*starts[1:], end], strict=True)
    ]
