"""What event sinks do: take everything, stop nothing."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from avesa.adapters.local.events import JsonLinesSink, TeeSink
from avesa.adapters.memory.clock import FakeClock
from avesa.adapters.memory.events import RecordingSink
from avesa.domain.model import Holder, Status

CLOCK = FakeClock(datetime(2026, 11, 23, 12, tzinfo=UTC))


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_an_event_is_one_line_with_time_name_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "events.jsonl"
    sink = JsonLinesSink(path, clock=CLOCK)

    sink.emit("chunk_checkpointed", tenant_id="acme", rows=3, text="two\nlines")
    sink.emit("run_ended")

    assert _lines(path) == [
        {
            "at": "2026-11-23T12:00:00Z",
            "event": "chunk_checkpointed",
            "tenant_id": "acme",
            "rows": 3,
            "text": "two\nlines",
        },
        {"at": "2026-11-23T12:00:00Z", "event": "run_ended"},
    ]


def test_values_of_the_domain_are_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    JsonLinesSink(path, clock=CLOCK).emit(
        "x", status=Status.FAILED, holder=Holder(job_id="j"), when=CLOCK.now(), where=Path("a"), error=ValueError("no")
    )

    (line,) = _lines(path)
    assert line["status"] == "failed"
    assert line["holder"] == {"job_id": "j", "host": "", "process": ""}
    assert (line["when"], line["where"], line["error"]) == ("2026-11-23T12:00:00Z", "a", "no")


def test_a_field_never_takes_the_place_of_the_time(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    JsonLinesSink(path, clock=CLOCK).emit("x", at="never")

    assert _lines(path) == [{"at": "2026-11-23T12:00:00Z", "event": "x", "at_": "never"}]


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLinesSink(path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: sink.emit("x", number=number, filling="y" * 5000), range(200)))

    assert sorted(str(line["number"]) for line in _lines(path)) == sorted(map(str, range(200)))
    assert sink.dropped == 0


def test_a_later_sink_appends(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    JsonLinesSink(path).emit("first")
    JsonLinesSink(path).emit("second")

    assert [line["event"] for line in _lines(path)] == ["first", "second"]


def _endless() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize("value", [_endless(), "\ud800"], ids=["endless", "half a character"])
def test_a_field_that_is_no_json_costs_that_event_only(tmp_path: Path, value: object) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLinesSink(path)

    sink.emit("lost", field=value)
    sink.emit("kept")

    assert [line["event"] for line in _lines(path)] == ["kept"]
    assert sink.dropped == 1


def test_a_full_disk_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonLinesSink(tmp_path / "events.jsonl")

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        sink.emit("lost")
    sink.emit("kept")

    assert [line["event"] for line in _lines(tmp_path / "events.jsonl")] == ["kept"]
    assert sink.dropped == 1


def test_a_tee_hands_every_event_to_every_sink() -> None:
    sinks = [RecordingSink(), RecordingSink()]
    tee = TeeSink(sinks)

    tee.emit("a", n=1)
    tee.emit("b")

    assert [sink.events for sink in sinks] == [[("a", {"n": 1}), ("b", {})]] * 2


def test_a_recording_finds_events_by_name() -> None:
    sink = RecordingSink()
    for number in range(3):
        sink.emit("odd" if number % 2 else "even", number=number)

    assert sink.named("even") == [{"number": 0}, {"number": 2}]
