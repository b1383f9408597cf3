"""Carries out one run for a command: application, progress, signals."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from avesa.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from avesa.application.context import Bounds
    from avesa.application.payloads import Json
    from avesa.entrypoints.options import Place
    from avesa.entrypoints.watching import Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """How many at once, at most; None leaves it to the default."""

    tenants: int | None = None
    tables: int | None = None
    chunks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run is carried out; what it does is in its request."""

    place: Place
    is_json: bool = False
    mappings: Path | None = None
    parallel: Parallel = field(default_factory=Parallel)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnding:
    """What a run came to and how long it took."""

    result: Json
    seconds: float
    is_stopped: bool


def perform(options: RunOptions, request: Mapping[str, object]) -> RunEnding:
    """Run the request with progress on the terminal. Raises UsageError before any work when it is wrong."""
    return _perform_here(options, request) if options.place.is_local else _perform_on_aws(options, request)


def _perform_on_aws(options: RunOptions, request: Mapping[str, object]) -> RunEnding:
    """Start the deployed pipeline and wait for it. Whoever interrupts the wait leaves the run alone."""
    from avesa.bootstrap.deployed import await_run, deployed_settings, start_run

    if options.mappings is not None or options.parallel != Parallel():
        raise UsageError(
            "--mappings, --tenants, --tables and --chunks are for local runs: a deployed environment has its mappings "
            "and bounds from its deployment (scripts/deploy.sh)"
        )
    environment = options.place.environment.value
    settings = deployed_settings(options.place.environment)
    started = time.monotonic()
    run = start_run(settings, {name: value for name, value in request.items() if value not in (None, 0.0)})
    job = f"avesa job {run['job_id']} --environment {environment}"
    print(f"started job {run['job_id']} in {environment}: {run['execution_arn']}", file=sys.stderr, flush=True)
    try:
        result = await_run(settings, run["execution_arn"])
    except KeyboardInterrupt:
        print(f"the run goes on without us; see what it came to with: {job}", file=sys.stderr)
        raise
    return RunEnding(result=result, seconds=time.monotonic() - started, is_stopped=False)


def _perform_here(options: RunOptions, request: Mapping[str, object]) -> RunEnding:
    from avesa.application.rotation import finish_proven
    from avesa.application.workflow import run_pipeline
    from avesa.bootstrap.local import LocalSettings, local_application
    from avesa.entrypoints.stopping import stopping_on_signals
    from avesa.entrypoints.watching import watcher

    watching: Watcher = watcher(is_error=options.is_json)
    with stopping_on_signals(watching.stopping) as wish:
        settings = LocalSettings(
            home=options.place.home,
            mappings=options.mappings,
            secret_key=options.place.settings.secret_key,
            bounds=_bounds(options.parallel),
            sinks=(watching,),
            is_stopping=wish.is_stopping,
        )
        started = time.monotonic()
        with local_application(settings) as application, watching.shown():
            result = run_pipeline(application, {name: value for name, value in request.items() if value is not None})
            finish_proven(application.context, _completed(result))
        return RunEnding(result=result, seconds=time.monotonic() - started, is_stopped=wish.is_stopping())


def _completed(result: Json) -> list[str]:
    from avesa.application.payloads import from_json
    from avesa.domain.model import Status, TenantResult

    tenants = from_json(list[TenantResult], result["tenants"])
    return [tenant.tenant_id for tenant in tenants if tenant.status is Status.COMPLETED]


def _bounds(parallel: Parallel) -> Bounds:
    from avesa.application.context import Bounds

    usual = Bounds()
    return Bounds(
        tenants=parallel.tenants or usual.tenants,
        tables=parallel.tables or usual.tables,
        chunks=parallel.chunks or usual.chunks,
    )
