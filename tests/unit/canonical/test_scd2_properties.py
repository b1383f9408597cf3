"""Laws of the fold over generated histories, corners of the calendar included."""

from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import assume, event, given
from hypothesis import strategies as st

from avesa.canonical.scd2 import Changes, Observation, Version, diff, extend, fold
from tests.unit.canonical.scd2_oracle import naive_fold

DAY = datetime(2026, 3, 1, tzinfo=UTC)
CORNERS = (
    datetime.min.replace(tzinfo=UTC),
    datetime(2099, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC) - timedelta(microseconds=1),
    datetime.max.replace(tzinfo=UTC),
)

hours = st.integers(0, 12).map(lambda hour: DAY + timedelta(hours=hour))
source_times = st.one_of(hours, hours, hours, hours, st.sampled_from(CORNERS), st.none())


@st.composite
def observations(draw: st.DrawFn, times: st.SearchStrategy[datetime | None] = source_times) -> Observation:
    source_time = draw(times)
    letter = draw(st.sampled_from("ABC"))
    return Observation(
        seen_at=draw(hours),
        source_time=source_time,
        content=("7", letter, source_time, draw(st.sampled_from(["ann", "bob"]))),
        record_hash=letter,
        order=(draw(st.sampled_from(["1", "2"])),),
    )


histories = st.lists(observations(), max_size=8)
sweeps = st.lists(hours, max_size=3)


@given(histories, sweeps)
def test_the_fold_is_its_law_read_naively(history: list[Observation], deletions: list[datetime]) -> None:
    assert [astuple(version) for version in fold(history, deletions)] == [
        (valid_from, valid_to, is_deleted, record_hash, ingested_at, content)
        for valid_from, valid_to, is_deleted, record_hash, ingested_at, content in naive_fold(history, deletions)
    ]


@given(histories, sweeps, st.data())
def test_order_and_repetition_change_nothing(
    history: list[Observation], deletions: list[datetime], data: st.DataObject
) -> None:
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=3) if history else st.just([]))
    shuffled = data.draw(st.permutations(repeated))

    assert fold(shuffled, data.draw(st.permutations(deletions * 2))) == fold(history, deletions)


@given(observations())
def test_the_shortcut_for_one_observation_gives_what_the_fold_gives(observation: Observation) -> None:
    assert fold([observation]) == fold([observation, observation])


@given(histories, sweeps)
def test_versions_never_overlap_and_leave_gaps_only_after_deletions(
    history: list[Observation], deletions: list[datetime]
) -> None:
    versions = fold(history, deletions)

    assert all(version.valid_to is not None for version in versions[:-1])
    for version in versions:
        assert version.valid_to is None or version.valid_to >= version.valid_from
        assert version.is_current is (version.valid_to is None)
        assert not (version.is_deleted and version.is_current)
    for earlier, later in pairwise(versions):
        assert earlier.valid_from < later.valid_from
        assert earlier.valid_to is not None
        assert earlier.valid_to <= later.valid_from
        assert earlier.is_deleted or earlier.valid_to == later.valid_from
        # At the end of the calendar the deleted version between the two had no length and gave way.
        is_after_lost_gap = later.valid_from == CORNERS[-1]
        assert earlier.is_deleted or earlier.record_hash != later.record_hash or is_after_lost_gap


@given(st.lists(observations(st.one_of(hours, st.sampled_from(CORNERS))), min_size=1, max_size=8))
def test_without_deletions_the_newest_source_time_is_current(history: list[Observation]) -> None:
    newest = max(observation.source_time for observation in history if observation.source_time)

    current = fold(history)[-1]

    assert current.is_current
    assert current.content[-2] == newest


@given(st.lists(observations(st.one_of(hours, st.none())), min_size=1, max_size=8))
def test_a_touch_opens_no_version(history: list[Observation]) -> None:
    before = fold(history)
    current = before[-1]
    touched_at = DAY + timedelta(days=2)
    content = (*current.content[:-2], touched_at, "touch")
    touch = Observation(seen_at=touched_at, source_time=touched_at, content=content, record_hash=current.record_hash)

    after = fold([*history, touch])

    assert diff(before, after) == Changes()
    assert [(v.valid_from, v.valid_to) for v in after] == [(v.valid_from, v.valid_to) for v in before]
    assert after[-1].content == content


@given(st.lists(observations(), min_size=1, max_size=6), sweeps, st.lists(observations(), min_size=1, max_size=3))
def test_extending_either_gives_the_fold_of_all_or_declines(
    history: list[Observation], deletions: list[datetime], batch: list[Observation]
) -> None:
    versions = fold(history, deletions)
    assume(versions[-1].is_current)

    replacing = extend(versions[-1], batch)

    event(f"declined: {replacing is None}")
    if replacing is not None:
        assert [*versions[:-1], *replacing] == fold([*history, *batch], deletions)


@given(st.lists(observations(hours), min_size=1, max_size=6), sweeps, st.data())
def test_extending_by_what_usually_comes_never_declines(
    history: list[Observation], deletions: list[datetime], data: st.DataObject
) -> None:
    versions = fold(history, deletions)
    current = versions[-1]
    assume(current.is_current)
    later = st.integers(13, 20).map(lambda hour: DAY + timedelta(hours=hour))
    newer = data.draw(st.lists(observations(later), max_size=3))
    again = [o for o in history if o.source_time == current.content[-2] and o.content == current.content]
    batch = [
        Observation(
            seen_at=max(o.seen_at, current.ingested_at), source_time=o.source_time, content=o.content,
            record_hash=o.record_hash, order=o.order,
        )
        for o in [*newer, *again]
    ]  # fmt: skip

    replacing = extend(current, batch)

    assert replacing is not None
    assert [*versions[:-1], *replacing] == fold([*history, *batch], deletions)


@given(st.lists(st.one_of(observations(), hours), max_size=9), st.lists(st.integers(1, 4), min_size=9, max_size=9))
def test_folding_batch_by_batch_gives_what_one_fold_gives(
    facts: list[Observation | datetime], sizes: list[int]
) -> None:
    raw: list[Observation] = []
    deletions: list[datetime] = []
    versions: list[Version] = []
    while facts:
        batch, facts = facts[: sizes[0]], facts[sizes[0] :]
        sizes = sizes[1:]
        seen = [fact for fact in batch if isinstance(fact, Observation)]
        missing = [fact for fact in batch if isinstance(fact, datetime)]
        raw += seen
        deletions += missing
        replacing = extend(versions[-1], seen) if versions and not missing else None
        before = versions
        versions = fold(raw, deletions) if replacing is None else [*versions[:-1], *replacing]

        assert versions == fold(raw, deletions)
        _assert_changes_balance(before, versions)


def _assert_changes_balance(before: list[Version], after: list[Version]) -> None:
    changes = diff(before, after)
    currents = sum(version.is_current for version in after) - sum(version.is_current for version in before)

    assert diff(after, after) == Changes()
    assert changes.opened - changes.closed == currents
