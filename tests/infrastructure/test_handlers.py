"""The Lambda doors: an event names a step or is refused in words, and the step's own errors pass unchanged."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3", reason="the AWS extra is not installed: requirements/aws.txt")

from avesa import __version__
from avesa.application.pipeline import STEPS
from avesa.domain.errors import LeaseHeld, UsageError
from avesa.entrypoints.aws import connectwise_ingestion, events, pipeline_orchestrator, table_processor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STEP_MODULES = (
    "pipeline_orchestrator",
    "tenant_processor",
    "table_processor",
    "chunk_processor",
    "canonical_transform",
    "result_aggregator",
)


class Call:
    """A LambdaContext with a given time left."""

    function_name = "avesa-some-function-dev"

    def __init__(self, remaining_ms: int = 60_000) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


def test_the_functions_have_every_step_once() -> None:
    found: list[object] = []
    for name in STEP_MODULES:
        answer = importlib.import_module(f"avesa.entrypoints.aws.{name}").handler({"step": "check"}, Call())
        found += answer["steps"]

    # No function may erase: an operator does, with rights of their own.
    assert sorted(map(str, found)) == sorted(set(STEPS) - {"erase_record", "erase_tenant"})


def test_a_check_tells_what_is_deployed_and_does_nothing() -> None:
    answer = table_processor.handler({"step": "check"}, Call())

    assert (answer["function"], answer["version"]) == ("avesa-some-function-dev", __version__)


@pytest.mark.parametrize(
    "event", [{}, {"step": "process_chunk"}, {"step": "process_table", "payload": []}, {"step": 1}]
)
def test_an_event_for_no_step_of_the_function_is_refused_with_the_list(event: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="process_table, finish_table, check"):
        table_processor.handler(event, Call())


def test_a_step_is_given_its_payload_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def run(step: str, payload: Mapping[str, object], *, remaining_ms: Callable[[], int]) -> dict[str, object]:
        seen.extend([step, payload, remaining_ms()])
        return {"done": True}

    monkeypatch.setattr(events, "run_lambda_step", run)

    answer = table_processor.handler({"step": "finish_table", "payload": {"task": {}}}, Call(1234))

    assert answer == {"done": True}
    assert seen == ["finish_table", {"task": {}}, 1234]


def test_an_error_keeps_the_name_by_which_a_state_machine_catches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def held(*_: object, **__: object) -> dict[str, object]:
        raise LeaseHeld("held", holder="j", age_seconds=1.0)

    monkeypatch.setattr(events, "run_lambda_step", held)

    with pytest.raises(LeaseHeld):
        table_processor.handler({"step": "process_table", "payload": {}}, Call())


def test_the_orchestrator_called_by_hand_starts_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    def start(event: Mapping[str, object]) -> dict[str, str]:
        started.append(event)
        return {"job_id": "j", "execution_arn": "a"}

    monkeypatch.setattr(pipeline_orchestrator, "start_pipeline", start)

    assert pipeline_orchestrator.handler({"tenant_id": "acme"}, Call()) == {"job_id": "j", "execution_arn": "a"}
    assert started == [{"tenant_id": "acme"}]


@pytest.mark.parametrize(
    ("ended", "answer"),
    [
        ({"job_id": "j", "status": "completed"}, {"job_id": "j", "status": "completed"}),
        (None, {"job_id": "j", "execution_arn": "a", "status": "processing"}),
    ],
)
def test_an_ingestion_answers_what_the_run_came_to_or_where_to_look(
    monkeypatch: pytest.MonkeyPatch, ended: dict[str, object] | None, answer: dict[str, object]
) -> None:
    waited: list[Any] = []

    def wait(arn: str, *, timeout_seconds: float) -> dict[str, object] | None:
        waited.append((arn, timeout_seconds))
        return ended

    monkeypatch.setattr(connectwise_ingestion, "start_pipeline", lambda _: {"job_id": "j", "execution_arn": "a"})
    monkeypatch.setattr(connectwise_ingestion, "await_pipeline", wait)

    assert connectwise_ingestion.handler({"tenant_id": "acme"}, Call(60_000)) == answer
    # A caller's client gives up after a minute.
    assert waited == [("a", 48.0)]


def test_an_ingestion_needs_a_tenant() -> None:
    with pytest.raises(UsageError, match="tenant_id"):
        connectwise_ingestion.handler({}, Call())
