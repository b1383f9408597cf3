"""What is read: modes, windows, chunks. Pure decisions, so properties."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avesa.application import planning
from avesa.application.payloads import RunRequest, TableTask, parse_request
from avesa.connectors.settings import Endpoint, Limits
from avesa.domain.errors import UsageError
from avesa.domain.model import ReadMode, TablePlan, TableState, TenantService, Window

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2026, 11, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
TENANT = TenantService(
    tenant_id="acme",
    service="connectwise",
    company_name="Acme",
    created_at=NOW,
    updated_at=NOW,
    api_base_url="https://x",
    untrusted_filters=("time/entries",),
)


def task(table: str = "service/tickets", **request: object) -> TableTask:
    return TableTask(
        job_id="job", tenant_id="acme", service="connectwise", table_name=table, request=parse_request(request)
    )


def state(*, bookmark: datetime | None = NOW) -> TableState:
    return TableState(tenant_id="acme", table_name="service/tickets", bookmark_at=bookmark)


def endpoint(**fields: object) -> Endpoint:
    return Endpoint.model_validate({"enabled": True, "path": "service/tickets", **fields})


# -------------------------------------------------------------------------------------------------- modes


@pytest.mark.parametrize(
    ("work", "known", "of", "mode"),
    [
        (task(), state(), endpoint(), ReadMode.INCREMENT),
        (task(), state(bookmark=None), endpoint(), ReadMode.FULL),
        (task(full_sync=True), state(), endpoint(), ReadMode.FULL),
        (task(), state(), endpoint(incremental_field=None), ReadMode.FULL),
        (task("time/entries"), state(), endpoint(), ReadMode.FULL),
        (task(detect_deletes=True), state(), endpoint(), ReadMode.INCREMENT),
        (task(detect_deletes=True), state(), endpoint(reread_in_sweep=True), ReadMode.FULL),
        (task(since="2026-01-01T00:00:00Z"), state(), endpoint(), ReadMode.BACKFILL),
        (task(until="2026-01-01T00:00:00Z"), state(bookmark=None), endpoint(), ReadMode.BACKFILL),
    ],
)
def test_a_table_is_read_whole_unless_its_bookmark_and_filter_can_be_trusted(
    work: TableTask, known: TableState, of: Endpoint, mode: ReadMode
) -> None:
    assert planning.read_mode(work, known, of, TENANT) is mode


def test_an_increment_begins_the_overlap_before_the_bookmark_and_has_no_end() -> None:
    window = planning.window_of(ReadMode.INCREMENT, task(), state(), overlap_minutes=10, lookback=None)

    assert window == Window(since=NOW - timedelta(minutes=10), until=None)


def test_a_full_read_asks_for_all() -> None:
    assert planning.window_of(ReadMode.FULL, task(), state(), overlap_minutes=10, lookback=NOW) == Window()


def test_a_backfill_includes_its_first_second() -> None:
    work = task(since="2026-01-01T00:00:00Z", until="2026-02-01T00:00:00Z")

    window = planning.window_of(ReadMode.BACKFILL, work, state(), overlap_minutes=10, lookback=None)

    assert window == Window(
        since=datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), until=datetime(2026, 2, 1, tzinfo=UTC)
    )


def test_a_backfill_without_a_beginning_looks_back_as_configured() -> None:
    work = task(until="2026-02-01T00:00:00Z")

    window = planning.window_of(ReadMode.BACKFILL, work, state(), overlap_minutes=10, lookback=NOW)

    assert window.since == NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("mode", "since", "is_counted"),
    [
        (ReadMode.FULL, None, True),
        (ReadMode.INCREMENT, NOW - timedelta(hours=1), False),
        (ReadMode.INCREMENT, NOW - timedelta(hours=25), True),
        (ReadMode.BACKFILL, NOW, False),
    ],
)
def test_only_long_reads_pay_for_planning(mode: ReadMode, since: datetime | None, *, is_counted: bool) -> None:
    assert planning.needs_count(mode, Window(since=since), NOW, Limits()) is is_counted


# ---------------------------------------------------------------------------------------------- adoption

FULL, INCREMENT, BACKFILL = ReadMode.FULL, ReadMode.INCREMENT, ReadMode.BACKFILL
LAST_WEEK = Window(since=NOW - timedelta(days=7))


@pytest.mark.parametrize(
    ("planned", "asked", "window", "is_adopted"),
    [
        (FULL, FULL, Window(), True),
        (FULL, INCREMENT, LAST_WEEK, True),
        (INCREMENT, INCREMENT, LAST_WEEK, True),
        (INCREMENT, FULL, Window(), False),
        (FULL, BACKFILL, LAST_WEEK, False),
        (BACKFILL, FULL, Window(), False),
        (BACKFILL, INCREMENT, LAST_WEEK, False),
        (BACKFILL, BACKFILL, LAST_WEEK, True),
        (BACKFILL, BACKFILL, Window(), False),
    ],
)
def test_an_unfinished_plan_is_gone_on_with_when_it_reads_at_least_what_is_asked(
    planned: ReadMode, asked: ReadMode, window: Window, *, is_adopted: bool
) -> None:
    plan = TablePlan(job_id="old", mode=planned, window=LAST_WEEK if planned is BACKFILL else Window())

    assert planning.can_adopt(plan, asked, window) is is_adopted


@pytest.mark.parametrize(("asked", "is_adopted"), [(FULL, False), (INCREMENT, True)])
def test_an_old_plan_does_not_serve_who_asks_for_all_again(asked: ReadMode, *, is_adopted: bool) -> None:
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    plan = TablePlan(job_id="old", mode=FULL, source_now=begun)

    assert planning.can_adopt(plan, asked, Window(), not_before=begun + timedelta(seconds=1)) is is_adopted
    assert planning.can_adopt(plan, asked, Window(), not_before=begun) is True


# ------------------------------------------------------------------------------------------------- chunks


@given(
    ids=st.sets(st.integers(-50, 5_000), max_size=200).map(sorted),
    size=st.integers(1, 60),
    vanished=st.sets(st.integers(0, 200)),
)
def test_cut_covers_every_id_exactly_once(ids: list[int], size: int, vanished: set[int]) -> None:
    """Whatever rows come and go while positions are asked for."""

    def id_at(position: int) -> int | None:
        left = [record_id for place, record_id in enumerate(ids) if place not in vanished or place > position]
        return left[position - 1] if position <= len(left) else None

    ranges = planning.cut(len(ids), size, lambda positions: [id_at(position) for position in positions])

    for record_id in [*ids, -(10**9), 10**9]:
        holding = [
            one
            for one in ranges
            if (one.after is None or record_id > one.after) and (one.upto is None or record_id <= one.upto)
        ]
        assert len(holding) == 1
    assert ranges[0].after is None
    assert ranges[-1].upto is None


@given(count=st.integers(0, 5_000), size=st.integers(1, 700))
def test_cut_makes_chunks_of_the_size_asked_for(count: int, size: int) -> None:
    ranges = planning.cut(count, size, list)

    edges = [one.upto for one in ranges[:-1]]
    assert edges == list(range(size, count, size))


@pytest.mark.parametrize(
    ("count", "at_once", "rows"),
    [
        (100_000, 12, 9_000),  # as many chunks as may be under way
        (100_000, 36, 3_000),
        (5_000, 12, 2_000),  # one page is not worth the request that finds where it begins
        (5_000_000, 12, 20_000),  # what a chunk may have at most
    ],
)
def test_a_chunk_has_whole_pages_and_its_share(count: int, at_once: int, rows: int) -> None:
    assert planning.chunk_size(count, Limits(), at_once=at_once) == rows


def test_a_source_that_tells_no_ids_gives_one_chunk() -> None:
    assert len(planning.cut(10_000, 1_000, lambda positions: [None for _ in positions])) == 1


@given(since=TIMES, span_seconds=st.integers(1, 10**8), days=st.integers(1, 900), is_open=st.booleans())
def test_split_windows_tile_the_window(since: datetime, span_seconds: int, days: int, *, is_open: bool) -> None:
    end = since + timedelta(seconds=span_seconds)
    window = Window(since=since, until=None if is_open else end)

    parts = planning.split_window(window, now=end, days=days)

    assert parts[0].since == window.since
    assert parts[-1].until == window.until
    assert all(left.until == right.since for left, right in itertools.pairwise(parts))
    assert all((part.until or end) - (part.since or since) <= timedelta(days=days) for part in parts)
    assert len(parts) == max(1, -(-timedelta(seconds=span_seconds) // timedelta(days=days)))


def test_a_window_without_a_beginning_is_one_part() -> None:
    assert planning.split_window(Window(until=NOW), now=NOW, days=1) == [Window(until=NOW)]


def test_chunks_are_numbered_within_their_job() -> None:
    plan = TablePlan(job_id="job", mode=FULL)

    chunks = planning.chunks_of(task(), plan, [(Window(), one) for one in planning.cut(25, 10, list)])

    assert [chunk.chunk_id for chunk in chunks] == [f"job/service/tickets/{n:05d}" for n in (1, 2, 3)]
    assert [(chunk.after_id, chunk.upto_id) for chunk in chunks] == [(None, 10), (10, 20), (20, None)]


# ------------------------------------------------------------------------------------------------ requests


def test_unknown_keys_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown key 'tenant'.*known keys: tenant_id, table_name, full_sync"):  # noqa: RUF043
        parse_request({"tenant": "acme"})


@pytest.mark.parametrize(
    "request_",
    [
        {"full_sync": "yes"},
        {"tenant_id": 5},
        {"since": "last week"},
        {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"since": "2026-02-01T00:00:00Z", "full_sync": True},
        {"since": "2026-02-01T00:00:00Z", "detect_deletes": True},
        {"rebuild": True, "full_sync": True},
        {"rebuild": True, "detect_deletes": True},
    ],
)
def test_a_request_that_contradicts_itself_is_refused(request_: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        parse_request(request_)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"since": "0001-01-01T00:00:00+05:00"}, "since .* lies outside the years 1970 to 2999"),
        ({"until": "9999-12-31T00:00:00Z"}, "until .* lies outside the years"),
        ({"wait_seconds": math.nan}, "wait_seconds is a number of seconds"),
        ({"wait_seconds": math.inf}, "wait_seconds is a number of seconds"),
        ({"job_id": "../../x"}, "is not a job's id"),
    ],
)
def test_a_request_that_nothing_can_be_done_with_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_request(wrong)


def test_windows_end_now_also_when_more_was_asked_for() -> None:
    asked = Window(since=NOW - timedelta(days=3), until=NOW + timedelta(days=300_000))

    windows = planning.split_window(asked, now=NOW, days=2)

    assert [window.until for window in windows] == [NOW - timedelta(days=1), asked.until]


def test_nulls_in_a_request_count_as_absent_and_times_become_utc() -> None:
    found = parse_request({"tenant_id": None, "since": "2026-01-01T02:00:00+02:00", "until": "2026-01-02T00:00:00"})

    assert found == RunRequest(since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 1, 2, tzinfo=UTC))
