"""What the contract says about versions, one sentence a test. Times are hours of one day unless a test says else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from avesa.canonical.scd2 import Changes, Observation, Version, diff, extend, fold

DAY = datetime(2026, 3, 1, tzinfo=UTC)
FAR_FUTURE = datetime(2099, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def at(hour: int) -> datetime:
    return DAY + timedelta(hours=hour)


def seen(
    letter: str, source_time: datetime | None, seen_at: datetime, *, by: str = "ann", order: tuple[str, ...] = ("job",)
) -> Observation:
    return Observation(
        seen_at=seen_at,
        source_time=source_time,
        content=("7", letter, source_time, by),
        record_hash=letter,
        order=order,
    )


def drawn(versions: list[Version]) -> list[tuple[str, datetime, datetime | None]]:
    return [(version.record_hash, version.valid_from, version.valid_to) for version in versions]


def test_one_observation_is_one_current_version() -> None:
    (version,) = fold([seen("A", at(1), at(5))])

    assert version == Version(
        valid_from=at(1),
        valid_to=None,
        is_deleted=False,
        record_hash="A",
        ingested_at=at(5),
        content=("7", "A", at(1), "ann"),
    )
    assert version.is_current


def test_nothing_observed_is_no_version() -> None:
    assert fold([], [at(3)]) == []


def test_a_change_closes_the_version_where_the_next_begins() -> None:
    versions = fold([seen("A", at(1), at(5)), seen("B", at(2), at(6))])

    assert drawn(versions) == [("A", at(1), at(2)), ("B", at(2), None)]
    assert [version.is_deleted for version in versions] == [False, False]


def test_a_touch_opens_no_version_and_moves_last_updated() -> None:
    (version,) = fold([seen("A", at(1), at(5)), seen("A", at(3), at(6), by="bob")])

    assert (version.valid_from, version.ingested_at) == (at(1), at(5))
    assert version.content == ("7", "A", at(3), "bob")


def test_a_late_state_takes_its_place_between_joined_touches() -> None:
    early = [seen("A", at(1), at(5)), seen("A", at(3), at(6))]

    versions = fold([*early, seen("B", at(2), at(7))])

    assert drawn(versions) == [("A", at(1), at(2)), ("B", at(2), at(3)), ("A", at(3), None)]
    assert extend(fold(early)[-1], [seen("B", at(2), at(7))]) is None


def test_an_older_state_goes_into_the_past() -> None:
    versions = fold([seen("B", at(4), at(5)), seen("A", at(1), at(9))])

    assert drawn(versions) == [("A", at(1), at(4)), ("B", at(4), None)]


def test_a_silent_change_corrects_the_version_in_place() -> None:
    before = fold([seen("A", at(1), at(5))])
    after = fold([seen("A", at(1), at(5)), seen("B", at(1), at(6))])

    assert drawn(after) == [("B", at(1), None)]
    assert after[0].ingested_at == at(6)
    assert diff(before, after) == Changes(corrected=1)


def test_of_several_contents_at_one_time_the_one_extracted_last_counts_and_keeps_its_first_extraction() -> None:
    (version,) = fold([seen("A", at(1), at(5)), seen("B", at(1), at(6)), seen("A", at(1), at(7))])

    assert (version.record_hash, version.ingested_at) == ("A", at(5))


def test_what_was_extracted_at_one_instant_is_told_apart_by_job_and_chunk() -> None:
    (version,) = fold([seen("B", at(1), at(5), order=("1", "1")), seen("A", at(1), at(5), order=("1", "2"))])

    assert version.record_hash == "A"


def test_without_a_source_time_the_first_extraction_of_the_content_stands_in() -> None:
    versions = fold([seen("A", None, at(6)), seen("A", None, at(5)), seen("B", None, at(8))])

    assert drawn(versions) == [("A", at(5), at(8)), ("B", at(8), None)]
    assert versions[-1].content == ("7", "B", None, "ann")


def test_a_deletion_closes_the_last_version_when_it_was_found() -> None:
    (version,) = fold([seen("A", at(1), at(5))], [at(9)])

    assert (version.valid_to, version.is_deleted, version.is_current) == (at(9), True, False)


def test_what_was_seen_at_the_time_of_a_deletion_was_seen_before_it() -> None:
    (version,) = fold([seen("A", at(1), at(9))], [at(9)])

    assert version.is_deleted


def test_a_deletion_of_what_was_not_seen_again_is_ignored() -> None:
    (version,) = fold([seen("A", at(1), at(5))], [at(9), at(11), at(9)])

    assert version.valid_to == at(9)
    assert fold([seen("A", at(1), at(5))], [at(3)])[0].is_current


def test_a_record_that_comes_back_changed_opens_a_version_at_its_source_time() -> None:
    versions = fold([seen("A", at(1), at(5)), seen("A", at(10), at(12))], [at(9)])

    assert drawn(versions) == [("A", at(1), at(9)), ("A", at(10), None)]


def test_a_record_that_comes_back_as_it_was_opens_a_version_when_it_was_found_again() -> None:
    versions = fold([seen("A", at(1), at(5)), seen("A", at(1), at(12)), seen("A", at(1), at(13))], [at(9)])

    assert drawn(versions) == [("A", at(1), at(9)), ("A", at(12), None)]
    assert versions[-1].ingested_at == at(12)
    assert versions[-1].content == ("7", "A", at(1), "ann")


def test_a_source_time_at_the_end_of_the_closed_version_is_not_before_it() -> None:
    versions = fold([seen("A", at(1), at(5)), seen("A", at(9), at(12))], [at(9)])

    assert drawn(versions) == [("A", at(1), at(9)), ("A", at(9), None)]


def test_of_what_lies_before_a_gap_only_the_newest_state_counts_after_it() -> None:
    again = [seen("B", at(2), at(12)), seen("C", at(3), at(13)), seen("D", at(20), at(14))]

    versions = fold([seen("A", at(1), at(5)), *again], [at(9)])

    assert drawn(versions) == [("A", at(1), at(9)), ("C", at(12), at(20)), ("D", at(20), None)]


def test_a_stand_in_gives_way_to_a_state_whose_own_time_is_not_later() -> None:
    again = [seen("A", at(1), at(12)), seen("B", at(11), at(13))]

    versions = fold([seen("A", at(1), at(5)), *again], [at(9)])

    assert drawn(versions) == [("A", at(1), at(9)), ("B", at(11), None)]


def test_a_touch_after_a_gap_joins_the_stand_in() -> None:
    again = [seen("A", at(1), at(12)), seen("A", at(20), at(21))]

    versions = fold([seen("A", at(1), at(5)), *again], [at(9)])

    assert drawn(versions) == [("A", at(1), at(9)), ("A", at(12), None)]
    assert versions[-1].content[-2] == at(20)


def test_a_deleted_version_of_the_future_has_no_length_and_its_follower_begins_after_it() -> None:
    # valid_to = max(found missing, valid_from); the record came back while that is still to come.
    versions = fold([seen("A", FAR_FUTURE, at(5)), seen("A", FAR_FUTURE, at(12))], [at(9)])

    assert drawn(versions) == [("A", FAR_FUTURE, FAR_FUTURE), ("A", FAR_FUTURE + INSTANT, None)]


def test_a_record_that_came_back_begins_no_earlier_than_a_closed_version_that_ends_in_the_future() -> None:
    versions = fold([seen("A", at(1), at(5)), seen("B", FAR_FUTURE, at(6)), seen("C", at(10), at(12))], [at(9)])

    assert drawn(versions) == [
        ("A", at(1), FAR_FUTURE),
        ("B", FAR_FUTURE, FAR_FUTURE),
        ("C", FAR_FUTURE + INSTANT, None),
    ]


def test_at_the_end_of_the_calendar_a_version_without_length_gives_way() -> None:
    versions = fold([seen("A", at(1), at(5)), seen("B", END_OF_TIME, at(6)), seen("C", at(10), at(12))], [at(9)])

    assert drawn(versions) == [("A", at(1), END_OF_TIME), ("C", END_OF_TIME, None)]


def test_extending_by_the_same_state_changes_nothing() -> None:
    (current,) = fold([seen("A", at(1), at(5))])

    assert extend(current, [seen("A", at(1), at(6)), seen("A", at(1), at(5))]) == [current]


def test_extending_by_newer_states_closes_the_current_version() -> None:
    (current,) = fold([seen("A", at(1), at(5))])

    replaced = extend(current, [seen("B", at(2), at(6)), seen("A", at(1), at(6))])

    assert replaced is not None
    assert drawn(replaced) == [("A", at(1), at(2)), ("B", at(2), None)]


def test_extending_asks_for_history_whenever_the_current_version_cannot_tell() -> None:
    (current,) = fold([seen("A", at(3), at(5))])
    (deleted,) = fold([seen("A", at(3), at(5))], [at(6)])
    (timeless,) = fold([seen("A", None, at(5))])
    (found_again,) = fold([seen("A", at(3), at(5)), seen("A", at(3), at(12))], [at(9)])[1:]

    assert extend(current, [seen("B", at(2), at(6))]) is None  # late
    assert extend(current, [seen("B", at(3), at(6))]) is None  # silent
    assert extend(current, [seen("A", at(3), at(6), by="bob")]) is None  # silent, in last_updated_by alone
    assert extend(current, [seen("B", None, at(6))]) is None  # no source time
    assert extend(current, [seen("B", at(4), at(4))]) is None  # seen before: perhaps before a deletion
    assert extend(current, [seen("B", at(9), at(9)), seen("B", at(2), at(6))]) is None  # one is enough
    assert extend(deleted, [seen("B", at(9), at(9))]) is None
    assert extend(timeless, [seen("B", at(9), at(9))]) is None
    assert extend(found_again, [seen("B", at(11), at(13))]) is None  # newer than last_updated, not than valid_from


def test_a_record_found_again_is_extended_from_where_it_was_found() -> None:
    history = [seen("A", at(3), at(5)), seen("A", at(3), at(12))]
    current = fold(history, [at(9)])[-1]
    more = [seen("A", at(3), at(13)), seen("A", at(20), at(21))]

    assert extend(current, more) == fold([*history, *more], [at(9)])[1:]


def test_a_first_version_is_opened_and_a_deletion_closes() -> None:
    before = fold([seen("A", at(1), at(5))])
    after = fold([seen("A", at(1), at(5))], [at(9)])

    assert diff([], before) == Changes(opened=1)
    assert diff(before, after) == Changes(closed=1)
    assert diff([], after) == Changes(opened=1, closed=1)
    assert diff(after, after) == Changes()


def test_a_late_state_counts_as_opened_and_closed() -> None:
    before = fold([seen("A", at(1), at(5)), seen("A", at(3), at(6))])
    after = fold([seen("A", at(1), at(5)), seen("A", at(3), at(6)), seen("B", at(2), at(7))])

    assert diff(before, after) == Changes(opened=2, closed=2)


def test_a_version_that_began_earlier_with_other_content_is_corrected() -> None:
    # Found by history 9406: a record came back, and then showed a change from before it was seen again.
    back = [seen("A", at(1), at(5)), seen("A", at(1), at(12))]
    before = fold(back, [at(9)])
    after = fold([*back, seen("B", at(10), at(14))], [at(9)])

    assert (before[-1].valid_from, after[-1].valid_from) == (at(12), at(10))
    assert diff(before, after) == Changes(corrected=1)


def test_a_version_that_only_began_earlier_is_the_same_version() -> None:
    before = fold([seen("A", at(3), at(5)), seen("B", at(6), at(7))])
    after = fold([seen("A", at(3), at(5)), seen("B", at(6), at(7)), seen("A", at(1), at(8))])
    closed = fold([seen("B", at(6), at(7)), seen("B", at(2), at(8)), seen("A", at(1), at(9))], [at(10)])

    assert diff(before, after) == Changes()
    assert diff(fold([seen("B", at(6), at(7))]), closed) == Changes(opened=1, closed=2)
