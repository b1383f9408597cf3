"""Proof that what was deployed is there: each stack, table, function, machine, mapping and the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.domain.errors import AvesaError
from avesa.domain.names import Environment
from avesa.entrypoints.deployment.checks import STACKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.bootstrap.account import Site

FUNCTIONS: Final = (
    "pipeline-orchestrator",
    "tenant-processor",
    "table-processor",
    "chunk-processor",
    "canonical-transform",
    "result-aggregator",
    "connectwise-ingestion",
)
MACHINES: Final = ("PipelineOrchestrator", "TenantProcessor", "TableProcessor")
SIMULATOR: Final = "connectwise-simulator"
"""In dev alone."""
_DEPLOYED: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})


def validate(site: Site) -> Iterator[str]:
    """Say for each part that it is there. Raises AvesaError that lists everything that is not."""
    lines = [*_stacks(site), *_tables(site), *_functions(site), *_others(site)]
    problems = [text for is_fine, text in lines if not is_fine]
    yield from (text for is_fine, text in lines if is_fine)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise AvesaError(f"the deployment is not whole; call scripts/deploy.sh again:\n{listed}")


def functions_of(site: Site) -> tuple[str, ...]:
    """Return the functions that the environment has."""
    return (*FUNCTIONS, SIMULATOR) if site.environment is Environment.DEV else FUNCTIONS


def function_name(site: Site, slug: str) -> str:
    """Return the function's name in the environment."""
    return f"avesa-{slug}{site.environment.suffix}"


def _stacks(site: Site) -> Iterator[tuple[bool, str]]:
    for base in STACKS:
        name = f"{base}{site.environment.suffix}"
        status = site.account.stack_status(name)
        yield status in _DEPLOYED, f"stack {name}: {status or 'is not there'}"


def _tables(site: Site) -> Iterator[tuple[bool, str]]:
    for name in site.table_names:
        status = site.account.table_status(name)
        yield status == "ACTIVE", f"table {name}: {status or 'is not there'}"


def _functions(site: Site) -> Iterator[tuple[bool, str]]:
    for slug in functions_of(site):
        name = function_name(site, slug)
        try:
            runtime = site.account.await_function(name)
        except AvesaError as error:
            yield False, str(error)
        else:
            yield True, f"function {name}: active, {runtime}"


def _others(site: Site) -> Iterator[tuple[bool, str]]:
    for base in MACHINES:
        name = f"{base}{site.environment.suffix}"
        try:
            status = site.account.machine_status(name)
        except AvesaError as error:
            status = str(error)
        yield status == "ACTIVE", f"state machine {name}: {status}"
    mappings = site.account.object_keys(site.settings.bucket, "mappings/")
    yield bool(mappings), f"bucket {site.settings.bucket}: {len(mappings)} mappings"
    dashboard = f"AVESA-Pipeline-Overview{site.environment.suffix}"
    has_dashboard = site.account.has_dashboard(dashboard)
    yield has_dashboard, f"dashboard {dashboard}: {'there' if has_dashboard else 'is not there'}"
