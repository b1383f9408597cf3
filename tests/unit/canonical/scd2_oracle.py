"""The fold once more, written as naively as its law reads, for the model test: no shared code, no shared shape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.canonical.scd2 import Observation

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def naive_fold(observations: Sequence[Observation], deletions: Sequence[datetime]) -> list[tuple[Any, ...]]:
    """Return (valid_from, valid_to, is_deleted, record_hash, ingested_at, content) of each version."""
    rows: list[list[Any]] = []
    rest = list(observations)
    for found_missing_at in [*sorted(deletions), None]:
        epoch = [o for o in rest if found_missing_at is None or o.seen_at <= found_missing_at]
        if not epoch:
            continue
        rest = [o for o in rest if o not in epoch]
        states = _naive_states(epoch)
        if rows:
            states = _after_a_gap(rows, states, min(o.seen_at for o in epoch))
        chain: list[list[Any]] = []
        for time, first_seen, record_hash, content in states:
            if chain and chain[-1][3] == record_hash:
                chain[-1][4] = min(chain[-1][4], first_seen)
                chain[-1][5] = content
            else:
                if chain:
                    chain[-1][1] = time
                chain.append([time, None, False, record_hash, first_seen, content])
        if found_missing_at is not None:
            chain[-1][1] = max(found_missing_at, chain[-1][0])
            chain[-1][2] = True
        rows += chain
    return [tuple(row) for row in rows]


def _naive_states(epoch: list[Observation]) -> list[tuple[datetime, datetime, str, Any]]:
    def time_of(observation: Observation) -> datetime:
        if observation.source_time is not None:
            return observation.source_time
        return min(o.seen_at for o in epoch if o.source_time is None and o.content == observation.content)

    states = []
    for time in sorted({time_of(o) for o in epoch}):
        at_this_time = [o for o in epoch if time_of(o) == time]
        last = max(at_this_time, key=lambda o: (o.seen_at, o.order, o.record_hash, repr(o.content)))
        first_seen = min(o.seen_at for o in at_this_time if o.content == last.content)
        states.append((time, first_seen, last.record_hash, last.content))
    return states


def _after_a_gap(
    rows: list[list[Any]], states: list[tuple[datetime, datetime, str, Any]], found_again_at: datetime
) -> list[tuple[datetime, datetime, str, Any]]:
    begun, ended = rows[-1][0], rows[-1][1]
    if begun == ended == END_OF_TIME:
        rows.pop()
    elif begun == ended:
        ended += timedelta(microseconds=1)
    kept = [state for state in states if state[0] >= ended]
    stale = [state for state in states if state[0] < ended]
    found_again_at = max(found_again_at, ended)
    if stale and all(state[0] > found_again_at for state in kept):
        kept.insert(0, (found_again_at, *stale[-1][1:]))
    return kept
