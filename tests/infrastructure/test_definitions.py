"""What the state machines promise by themselves: no failure unseen, no wait without an end, nothing too large."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from avesa.application.payloads import RunRequest, TenantTask, to_json
from avesa.application.pipeline import STEPS
from avesa.application.steps import run
from avesa.domain.errors import AvesaError
from avesa.domain.model import Reconciled, Status, TableResult, TenantResult
from infrastructure.definitions import asl, retries
from infrastructure.definitions.pipeline_orchestrator import NO_TENANT, pipeline_orchestrator
from infrastructure.definitions.table_processor import table_processor
from infrastructure.definitions.tenant_processor import tenant_processor

State = dict[str, Any]
SLUGS = (
    "pipeline-orchestrator",
    "tenant-processor",
    "table-processor",
    "chunk-processor",
    "canonical-transform",
    "result-aggregator",
)
AT = asl.Addresses(
    functions={slug: f"arn:aws:lambda:us-east-2:123456789012:function:avesa-{slug}-dev" for slug in SLUGS},
    timeouts=dict.fromkeys(SLUGS, 900),
    machines={name: f"arn:aws:states:::{name}" for name in ("TenantProcessor", "TableProcessor")},
    bucket="data-storage-msp-dev",
)
MACHINES: dict[str, State] = {
    "PipelineOrchestrator": pipeline_orchestrator(AT),
    "TenantProcessor": tenant_processor(AT),
    "TableProcessor": table_processor(AT),
}


def states(machine: State) -> dict[str, State]:
    found: dict[str, State] = {}
    for name, state in machine["States"].items():
        found[name] = state
        found |= states(state["ItemProcessor"]) if "ItemProcessor" in state else {}
    return found


ALL = {name: state for machine in MACHINES.values() for name, state in states(machine).items()}
TASKS = {name: state for name, state in ALL.items() if state["Type"] == "Task"}
STEP_TASKS = {name: state for name, state in TASKS.items() if ":lambda:" in state["Resource"]}


def test_every_step_is_called_by_exactly_one_state_or_two_that_read_chunks() -> None:
    called = [(state.get("Arguments") or state["Parameters"])["step"] for state in STEP_TASKS.values()]

    # Upkeep is called by hand: no part of a run.
    of_a_run = set(STEPS) - {
        *("check_freshness", "verify_table", "retry_quarantine", "maintain_table", "erase_record", "erase_tenant")
    }
    assert set(called) == of_a_run
    assert sorted(called) == sorted([*of_a_run, "process_chunk"])  # inline, and of many


def test_a_fold_is_called_again_with_the_same_document_until_it_is_done() -> None:
    transform, ask = ALL["TransformCanonical"], ALL["IsFolded"]

    assert (transform["ResultPath"], transform["Next"]) == ("$.result", "IsFolded")
    assert transform["Parameters"]["payload.$"] == "$.work"  # what the first call was given, not what it answered
    assert ask["Choices"] == [
        {"Variable": "$.result.status", "StringEquals": Status.PROCESSING.value, "Next": "TransformCanonical"}
    ]
    assert ask["Default"] == "FinishTable"


def test_the_reason_of_a_chunk_comes_before_that_nothing_could_be_compared() -> None:
    caught = ALL["ReconcileTable"]["Catch"]

    assert {catch["Next"] for catch in caught} == {"WasAllRead"}
    assert [choice["Next"] for choice in ALL["WasAllRead"]["Choices"]] == ["TakeFirstFailure"]
    assert {ALL[name]["Next"] for name in ("ReadChunks", "ReadManyChunks")} == {"ReconcileTable"}


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_ends_after_all_that_it_waits_for(machine: str) -> None:
    assert MACHINES[machine]["TimeoutSeconds"] > 0
    assert asl.TABLE_TIMEOUT_SECONDS < asl.TENANT_TIMEOUT_SECONDS < asl.PIPELINE_TIMEOUT_SECONDS


def test_a_table_ends_before_its_lease_does() -> None:
    from avesa.bootstrap.aws import LEASE_SECONDS

    assert MACHINES["TableProcessor"]["TimeoutSeconds"] < LEASE_SECONDS


@pytest.mark.parametrize("name", STEP_TASKS)
def test_a_step_outlives_its_function_and_is_retried_with_jitter(name: str) -> None:
    state = STEP_TASKS[name]

    assert state["TimeoutSeconds"] > AT.timeouts["chunk-processor"]
    for retrier in state["Retry"]:
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["MaxAttempts"] <= 6
        assert "States.ALL" not in retrier["ErrorEquals"]
        assert "States.TaskFailed" not in retrier["ErrorEquals"]


def test_only_errors_that_may_pass_are_retried() -> None:
    tree = {error.__name__ for error in _below(AvesaError)}

    ours = {error for retrier in retries.COMMIT_STEP + retries.SOURCE_STEP for error in retrier["ErrorEquals"]} & tree  # type: ignore[attr-defined]
    assert ours == {"TransientSourceError", "WaitTooLong", "StorageError", "CommitConflict", "CommitOutcomeUnknown"}


def test_whatever_fails_in_a_table_lets_go_of_its_lease() -> None:
    machine = MACHINES["TableProcessor"]["States"]

    for name, state in machine.items():
        if state["Type"] in {"Task", "Map"} and name != "FinishTable":
            assert {"States.ALL"} in [set(catcher["ErrorEquals"]) for catcher in state["Catch"]]
            then = {catcher["Next"] for catcher in state["Catch"]}
            assert then == {"WasAllRead" if name == "ReconcileTable" else "FinishTable"}
    assert machine["WasAllRead"]["Default"] == machine["TakeFirstFailure"]["Next"] == "FinishTable"


def test_a_failed_neighbour_ends_nobody_elses_work() -> None:
    for name in ("RunTable", "RunTenant", "ProcessChunk", "ProcessChunkOfMany"):
        assert ALL[name]["Catch"][0]["ErrorEquals"] == ["States.ALL"]
        assert ALL[ALL[name]["Catch"][0]["Next"]]["Type"] == "Pass"


def test_many_chunks_are_read_from_a_manifest_and_none_may_be_lost() -> None:
    state = ALL["ReadManyChunks"]

    assert state["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert state["ItemReader"]["Parameters"]["Key.$"] == "$.work.manifest_key"
    assert state["ToleratedFailurePercentage"] == 0
    assert ALL["ReadChunks"]["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}


def test_a_redrive_means_the_same_job() -> None:
    request = STEP_TASKS["OrchestratePipeline"]["Arguments"]["payload"]

    # What an execution keeps when it is redriven; not the time of now, nothing random.
    assert "$states.context.Execution.StartTime" in request
    assert "$states.context.Execution.Name" in request
    assert "$now" not in request
    assert "$random" not in request
    assert "$uuid" not in request


def test_nobody_yet_is_told_by_the_words_that_the_step_says() -> None:
    assert f'"{NO_TENANT}' in inspect.getsource(run)


def test_tasks_of_as_many_tenants_as_may_be_fit_a_state() -> None:
    request = RunRequest(tenant_id=None, table_name="company/companies", full_sync=True, detect_deletes=True)
    task = TenantTask(job_id="20261123T150405Z-k3x9qa", tenant_id="t" * 40, service="connectwise", request=request)

    told = json.dumps({"job_id": "x", "tenants": [to_json(task)] * asl.MAX_TENANTS})

    assert len(told) < asl.STATE_LIMIT_BYTES


def test_a_run_of_more_tenants_than_may_be_is_refused_before_it_begins() -> None:
    from avesa.bootstrap.aws import LAMBDA_BOUNDS

    assert LAMBDA_BOUNDS.run_tenants == asl.MAX_TENANTS


def test_results_with_every_table_failed_fit_a_state() -> None:
    tables = [
        _slim(to_json(_failed(name))) for name in ("service/tickets", "time/entries", "company/companies", "c/cs")
    ]
    tenant = {"tenant_id": "t" * 40, "status": "failed", "tables": tables}

    told = json.dumps({"job_id": "x" * 24, "tenants": [tenant] * asl.MAX_DETAILED_TENANTS}, ensure_ascii=False)

    assert len(told.encode()) < asl.STATE_LIMIT_BYTES


def test_brief_results_of_as_many_tenants_as_may_be_fit_a_state() -> None:
    tenant = to_json(TenantResult(tenant_id="t" * 40, status=Status.FAILED, error="x" * asl.RUN_ERROR_CHARACTERS))

    told = json.dumps({"job_id": "x" * 24, "tenants": [_slim(tenant)] * asl.MAX_TENANTS})

    assert len(told) < asl.STATE_LIMIT_BYTES


def test_a_thousand_chunks_that_all_failed_fit_a_state() -> None:
    failure = {"Error": "TransientSourceError", "Cause": "x" * asl.CHUNK_ERROR_CHARACTERS}

    assert len(json.dumps([failure] * 1000)) < asl.STATE_LIMIT_BYTES


@pytest.mark.parametrize("name", MACHINES)
def test_a_definition_is_far_from_the_largest_that_is_taken(name: str) -> None:
    assert len(json.dumps(MACHINES[name])) < 100_000


def _failed(name: str) -> TableResult:
    return TableResult(
        table_name=name,
        canonical_table="time_entries",
        status=Status.FAILED,
        records_extracted=10**9,
        reconciled=Reconciled(source=10**9, lake=10**9),
        error="ä" * asl.RUN_ERROR_CHARACTERS,
    )


def _slim(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if value}


def _below(kind: type[Exception]) -> list[type[Exception]]:
    return [item for sub in kind.__subclasses__() for item in (sub, *_below(sub))]
