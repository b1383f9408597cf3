"""The page on cost and scale says what the model says, and the model uses the definitions' own bounds."""

from __future__ import annotations

from pathlib import Path

from avesa.application.demand import Read, demand_of
from avesa.application.operations import MEMORY_GB, run_operations, table_operations, tenant_operations
from avesa.application.scale import Profile, month_of, parts_of, quotas_of
from avesa.bootstrap.prices import load_prices
from avesa.connectors.settings import Limits
from avesa.domain.model import ReadMode
from avesa.domain.prices import Operations
from avesa.entrypoints.scale_page import MAX_TENANTS, TENANTS_AT_ONCE, page
from infrastructure.definitions import asl, pipeline_orchestrator, table_processor, tenant_processor

ROOT = Path(__file__).resolve().parents[2]
AT = asl.Addresses(
    functions=dict.fromkeys(
        (
            *("pipeline-orchestrator", "tenant-processor", "table-processor", "chunk-processor"),
            *("canonical-transform", "result-aggregator"),
        ),
        "arn",
    ),
    timeouts=dict.fromkeys(
        (
            *("pipeline-orchestrator", "tenant-processor", "table-processor", "chunk-processor"),
            *("canonical-transform", "result-aggregator"),
        ),
        900,
    ),
    machines={"TableProcessor": "arn", "TenantProcessor": "arn"},
    bucket="b",
)
SMALL_READ = Read(mode=ReadMode.INCREMENT, records=10, is_counted=False)


def entered(definition: dict[str, object], branch: dict[str, str]) -> int:
    """Return how many states an execution enters; `branch` says where its choices lead, maps have one item."""
    states = definition["States"]
    assert isinstance(states, dict)
    name, count = definition["StartAt"], 0
    while name is not None:
        state = states[str(name)]
        count += 1
        if "ItemProcessor" in state:
            count += entered(state["ItemProcessor"], branch)
        name = branch.get(str(name), state.get("Next"))
    return count


def test_the_page_is_the_one_that_the_model_makes() -> None:
    assert (ROOT / "docs" / "scale.md").read_text(encoding="utf-8") == page(), (
        "make it again: python -m avesa.entrypoints.scale_page > docs/scale.md"
    )


def test_the_bounds_are_those_of_the_definitions() -> None:
    assert (TENANTS_AT_ONCE, MAX_TENANTS) == (asl.TENANTS_AT_ONCE, asl.MAX_TENANTS)


def test_transitions_are_the_states_that_the_definitions_enter() -> None:
    branch = {"HowManyChunks": "ReadChunks", "IsChunkDone": "ChunkRead", "IsFolded": "FinishTable"}
    table = entered(table_processor.table_processor(AT), branch)
    tenant = entered(tenant_processor.tenant_processor(AT), branch)
    run = entered(pipeline_orchestrator.pipeline_orchestrator(AT), branch)

    own = table_operations(demand_of(SMALL_READ, Limits(), chunks_at_once=8), records=10, answer_seconds=0.1)
    # A tenant's map starts a table's machine in one state, a run's map a tenant's in two.
    assert own.transitions == table + 1
    assert tenant_operations().transitions == (tenant - 1) + 2
    assert run_operations().transitions == run - 2


def test_more_chunks_and_records_take_more_of_everything() -> None:
    small = table_operations(demand_of(SMALL_READ, Limits(), chunks_at_once=8), records=10, answer_seconds=0.1)
    whole = Read(mode=ReadMode.FULL, records=100_000, is_counted=True)
    large = table_operations(demand_of(whole, Limits(), chunks_at_once=8), records=100_000, answer_seconds=0.1)

    for name in ("transitions", "invocations", "gb_seconds", "s3_writes", "s3_reads", "dynamodb_write_units"):
        assert getattr(large, name) > getattr(small, name)


def test_dollars_are_operations_times_prices() -> None:
    prices = load_prices()

    assert prices.of(Operations(transitions=1_000_000)) == 1_000_000 * prices.state_transition
    assert prices.of(Operations(invocations=2) + Operations(s3_reads=3)) == (2 * prices.invocation + 3 * prices.s3_read)


def test_what_tenants_share_is_cheaper_the_more_there_are() -> None:
    few, many = (sum(dict(parts_of(Profile(), tenants, load_prices())).values()) for tenants in (10, 500))

    assert many < few
    assert month_of(Profile(), 20).transitions < 2 * month_of(Profile(), 10).transitions


def test_the_fullest_bound_comes_first_and_says_what_to_do() -> None:
    quotas = quotas_of(Profile(), 10_000, at_once=TENANTS_AT_ONCE, most_tenants=MAX_TENANTS)

    assert [quota.share for quota in quotas] == sorted((quota.share for quota in quotas), reverse=True)
    assert quotas[0].share > 1
    assert all(quota.remedy for quota in quotas)


def test_functions_are_as_large_as_they_are_made() -> None:
    text = (ROOT / "infrastructure" / "components" / "functions.py").read_text(encoding="utf-8")

    for size in ("chunk", "transform"):
        assert f"memory_mb={round(MEMORY_GB[size] * 1024)}," in text
    assert f"memory_mb: int = {round(MEMORY_GB['small'] * 1024)}" in text
