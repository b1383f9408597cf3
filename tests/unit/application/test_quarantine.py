"""Quarantine tells what it holds, gives back what can be read by now, and is itself never changed."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from avesa.application.catalog import load_catalog
from avesa.application.payloads import RunRequest, TableTask, from_json, to_json
from avesa.application.quarantine import coerced_records, quarantined, read_again, record_id_of, without_lines
from avesa.application.steps.retry import RetryResult
from avesa.domain.errors import LeaseHeld, StorageError, UsageError
from avesa.domain.model import Holder
from tests.unit.application.world import NOW, TICKETS, World

if TYPE_CHECKING:
    from avesa.application.quarantine import QuarantinedLine

PREFIX = f"acme/quarantine/connectwise/{TICKETS}/"
PLACE = {"tenant_id": "acme", "service": "connectwise", "table_name": TICKETS}
READABLE = b'{"id":100500,"summary":"once too odd","_info":{"lastUpdated":"2026-11-20T08:00:00Z"}}'
HOPELESS = b'{"summary":"no id"}'


def put_lines(world: World, *contents: bytes, reason: str = "the record is not UTF-8", name: str = "j-1-f1-p1") -> str:
    lines = [
        {
            "reason": reason,
            "content_base64": base64.b64encode(content).decode(),
            "quarantined_at": "2026-11-21T09:00:00Z",
            "job_id": "an-old-job",
            "chunk_id": "1",
        }
        for content in contents
    ]
    key = f"{PREFIX}{name}.jsonl"
    world.lake.put(key, "".join(json.dumps(line) + "\n" for line in lines).encode())
    return key


def lines_of(world: World) -> list[QuarantinedLine]:
    return list(quarantined(world.lake, "acme", "connectwise", TICKETS))


def retry(world: World, job_id: str = "retry-1") -> RetryResult:
    task = TableTask(job_id=job_id, tenant_id="acme", service="connectwise", table_name=TICKETS, request=RunRequest())
    return from_json(RetryResult, world.application.run_step("retry_quarantine", to_json(task)))


def row(world: World, record_id: int) -> list[dict[str, Any]]:
    import io

    import pyarrow.parquet as pq

    mapping = load_catalog(world.lake).canonical["tickets"]
    files = world.context.canonical.open("acme", "connectwise", mapping).files
    found = [pq.read_table(io.BytesIO(world.lake.get(f"acme/canonical/tickets/{file.path}"))) for file in files]
    return [item for table in found for item in table.to_pylist() if item["id"] == str(record_id)]


@pytest.fixture
def world() -> World:
    made = World(sizes={TICKETS: 20})
    made.run()
    return made


def test_what_a_run_puts_there_is_told_with_reason_id_time_and_job() -> None:
    world = World(sizes={TICKETS: 20})
    record_id = sorted(world.truth())[3]
    world.site.company("acme").put_body(TICKETS, record_id, b'{"summary":"x"}')
    job_id = world.run()["job_id"]

    (line,) = lines_of(world)

    assert (line.reason, line.content) == ("the record has no integer id", b'{"summary":"x"}')
    assert (line.job_id, line.record_id, line.is_resolved) == (job_id, None, False)
    assert line.quarantined_at == world.clock.now()


@pytest.mark.parametrize(
    ("content", "reason", "expected"),
    [
        (b'{"id":7,"x":1}', "", 7),
        (b'{"id":"7","x":1}', "", 7),
        (b'{"id": 7, "x": "\xff"}', "", 7),
        (b'{ "id" : "-7" , "x": ', "", -7),
        (b'{"summary":"\xff","company":{"id":9}}', "", None),
        (b'{"id":true}', "", None),
        (b'{"id":null}', "", None),
        (b"5", "", None),
        (b"", "record 41: the record is nested too deeply (its payload is in raw)", 41),
        (b"", "", None),
        (b"[" * 100_000, "", None),
    ],
)
def test_an_id_is_told_where_text_or_reason_still_has_it(content: bytes, reason: str, expected: int | None) -> None:
    assert record_id_of(content, reason) == expected


def test_what_can_be_read_by_now_becomes_raw_and_a_row_and_the_rest_stays(world: World) -> None:
    key = put_lines(world, HOPELESS, READABLE)
    before = world.lake.get(key)

    result = retry(world)

    assert (result.readable, result.unreadable, result.versions_opened) == (1, 1, 1)
    assert [found["summary"] for found in row(world, 100_500)] == ["once too odd"]
    assert [(line.number, line.is_resolved) for line in lines_of(world)] == [(0, False), (1, True)]
    assert world.lake.get(key) == before
    assert world.application.run_step("verify_table", PLACE)["is_sound"]


def test_a_record_brought_back_was_seen_when_it_came_not_when_it_was_brought_back(world: World) -> None:
    put_lines(world, READABLE)

    retry(world)

    (found,) = row(world, 100_500)
    assert found["ingested_at"].isoformat() == "2026-11-21T09:00:00+00:00"
    world.run(rebuild=True)
    assert row(world, 100_500) == [found]


def test_a_second_retry_brings_nothing_back_twice(world: World) -> None:
    put_lines(world, HOPELESS, READABLE)
    retry(world)
    parts = len(world.lake.list("acme/raw/"))

    again = retry(world, "retry-2")

    assert (again.readable, again.unreadable) == (0, 1)
    assert len(world.lake.list("acme/raw/")) == parts


def test_a_retry_that_died_before_its_mark_changes_no_row_when_repeated(world: World) -> None:
    key = put_lines(world, READABLE)
    retry(world)
    before = row(world, 100_500)
    world.lake.delete([info.key for info in world.lake.list(PREFIX) if info.key != key])

    assert retry(world, "retry-2").readable == 1

    assert row(world, 100_500) == before


def test_a_field_that_is_never_stored_is_dropped_on_the_way_back() -> None:
    assert read_again(b'{"id":1,"portalPassword":"secret"}', ("portalPassword",)) is not None
    found = read_again(b'{"id":1,"portalPassword":"secret"}', ("portalPassword",))
    assert found is not None
    assert b"secret" not in found.payload


@pytest.mark.parametrize("content", [b"", b"5", b'{"id":1},{"id":2}', b"{", b'{"id":1'])
def test_what_is_no_single_record_cannot_be_read_again(content: bytes) -> None:
    assert read_again(content, ()) is None


def test_a_record_whose_payload_is_in_raw_is_folded_again_when_it_can_be(world: World) -> None:
    record_id = sorted(world.truth())[2]
    put_lines(world, b"", reason=f"record {record_id}: it was too odd (its payload is in raw)")
    before = row(world, record_id)

    result = retry(world)

    assert (result.readable, result.unreadable) == (1, 0)
    assert row(world, record_id) == before  # today's code could read it all along
    put_lines(world, b"", reason="record 999999: it was too odd (its payload is in raw)", name="other")
    assert retry(world, "retry-2").unreadable == 1


def test_a_table_that_a_run_holds_is_left_alone(world: World) -> None:
    put_lines(world, READABLE)
    world.context.tables.acquire(
        "acme", TICKETS, holder=Holder(job_id="a-run"), now=NOW, ttl_seconds=600, is_gone=lambda _: False
    )

    with pytest.raises(LeaseHeld, match="a-run"):
        retry(world)

    assert not lines_of(world)[0].is_resolved


def test_a_retry_lets_go_of_the_table(world: World) -> None:
    put_lines(world, READABLE)

    retry(world)

    assert world.context.tables.get("acme", TICKETS).lease is None
    assert world.run()["status"] == "completed"


def test_a_tenant_that_there_is_not_is_refused(world: World) -> None:
    task = TableTask(job_id="j", tenant_id="nobody", service="connectwise", table_name=TICKETS, request=RunRequest())

    with pytest.raises(UsageError, match="unknown tenant"):
        world.application.run_step("retry_quarantine", to_json(task))


@pytest.mark.parametrize("damage", [b"{]\n", b'{"reason":"x"}\n', b'{"reason":"x","content_base64":"%%"}\n'])
def test_a_damaged_object_is_named(world: World, damage: bytes) -> None:
    world.lake.put(f"{PREFIX}x.jsonl", damage)

    with pytest.raises(StorageError, match=r"x\.jsonl"):
        lines_of(world)


def test_lines_are_taken_out_without_moving_the_others(world: World) -> None:
    key = put_lines(world, b'{"id":1,', b'{"id":2,', b'{"id":3,')

    world.lake.put(f"{PREFIX}less.jsonl", without_lines(world.lake, key, {1}))

    assert [(line.number, line.record_id) for line in lines_of(world) if "less" in line.key] == [(0, 1), (2, 3)]


def test_values_that_do_not_fit_are_found_with_id_and_columns_once_for_each_state() -> None:
    world = World(sizes={TICKETS: 20})
    ids = sorted(world.truth())
    company = world.site.company("acme")
    company.edit(TICKETS, ids[4], {"actualHours": "a while", "budgetHours": {"no": 1}}, at=world.clock.now())
    world.run()
    world.clock.advance(60)
    world.run(full_sync=True)

    parts = world.context.raw.list("acme", "connectwise", TICKETS)
    mapping = load_catalog(world.lake).canonical["tickets"]
    assert world.context.upkeep is not None
    found = list(coerced_records(world.context.upkeep.raw, parts, mapping))

    assert [(item.record_id, set(item.columns)) for item in found] == [(ids[4], {"actual_hours", "budget_hours"})]
    assert found[0].part == parts[0].key
