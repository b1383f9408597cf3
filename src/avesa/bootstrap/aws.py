"""The home on AWS: the one place where the AWS adapters are chosen, for Lambda functions and for the CLI.

A function that works for a tenant gets an application whose every client signs with credentials narrowed to it.
"""

from __future__ import annotations

import random
import re
import sys
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

from avesa.adapters.aws.access import AwsAccess
from avesa.adapters.aws.budget import SharedBudgetBook
from avesa.adapters.aws.erasing import AwsEraser
from avesa.adapters.aws.events import CloudWatchSink
from avesa.adapters.aws.executions import PipelineExecutions
from avesa.adapters.aws.glue import GlueTableCatalog
from avesa.adapters.aws.lake import S3Lake
from avesa.adapters.aws.ledgers import DynamoChunkLedger, DynamoJobLedger
from avesa.adapters.aws.liveness import ExecutionLiveness
from avesa.adapters.aws.messages import TopicMessages
from avesa.adapters.aws.records import StateTables
from avesa.adapters.aws.secrets import SecretsManagerStore
from avesa.adapters.aws.state import DynamoTableStates, DynamoTenantRegistry
from avesa.adapters.aws.tenancy import scope_of_role, tenant_session
from avesa.adapters.http.transport import Urllib3Transport
from avesa.adapters.machine.clock import SystemClock
from avesa.adapters.machine.threads import ThreadExecutor
from avesa.application.catalog import publish_catalog
from avesa.application.context import Bounds, StepContext
from avesa.application.payloads import parse_request, to_json
from avesa.application.pipeline import Application
from avesa.application.steps.run import new_job_id
from avesa.bootstrap.aws_packages import canonical_store, own_budget, raw_store, upkeep
from avesa.bootstrap.aws_settings import AwsSettings, read_aws_settings
from avesa.bootstrap.packaged import packaged_mappings
from avesa.bootstrap.prices import load_prices
from avesa.domain.errors import ConfigError, LeaseHeld, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from avesa.adapters.aws.access import AwsCredentials
    from avesa.application.payloads import Json
    from avesa.ports.work import EventSink

TENANT_STEPS: Final = frozenset(
    {
        "process_tenant",
        "process_table",
        "process_chunk",
        "reconcile_table",
        "transform_canonical",
        "finish_table",
        "finish_tenant",
        "verify_table",
        "retry_quarantine",
        "maintain_table",
    }
)
"""Steps that work for one tenant, with credentials that open nothing else."""
LEASE_SECONDS: Final = 24 * 3600.0
"""A lease outlives any execution that may hold it: whether it still runs is asked, not waited for."""
LAMBDA_BOUNDS: Final = Bounds(lease_ttl_seconds=LEASE_SECONDS, inline_chunks=1, run_tenants=600, chunks_aside=0)
"""What the state machines can carry."""
_SESSION_LEFT: Final = timedelta(minutes=20)
"""More than a function may run: a session with less left is not begun with."""
_TENANTS_KEPT: Final = 4
_USED_SHARE: Final = 2 / 3
"""Of a function's time; what is left is for the page under way, its retries, and the answer."""

_workplaces: Final[dict[str | None, tuple[StepContext, AwsCredentials | None]]] = {}


@contextmanager
def aws_application(settings: AwsSettings, tenant_id: str | None = None) -> Iterator[Application]:
    """Give an application on the deployed state and lake, with the caller's credentials or, with a tenant, with
    credentials narrowed to it. Nothing is asked of AWS before a step is run.
    """
    access = AwsAccess(region=settings.region, endpoint_url=settings.endpoint_url, profile=settings.profile)
    narrowed = None if tenant_id is None else _session(settings, access, tenant_id)
    context = _context(settings, access, tenant_id=tenant_id, credentials=narrowed, events=_Nothing())
    try:
        yield Application(context)
    finally:
        if isinstance(context.transport, Urllib3Transport):
            context.transport.close()


def run_lambda_step(step_name: str, payload: Mapping[str, object], *, remaining_ms: Callable[[], int]) -> Json:
    """Run a step for its Lambda function and return what it gives; errors keep their names for a state machine.

    `payload` may hold the key `execution_arn` (the execution that holds the table's lease) beside the step's own; the
    step is not shown it. A chunk is read, and a table folded, until two thirds of the time that is left now are used.
    """
    settings = _lambda_settings()
    sink = _sink()
    tenant_id = _tenant_of(step_name, payload)
    sink.begin(step=step_name, tenant_id=tenant_id or "", job_id=_job_of(payload))
    given_ms = remaining_ms()
    context = _kept_context(settings, tenant_id, sink)
    access = AwsAccess(region=settings.region, endpoint_url=settings.endpoint_url)
    context = replace(
        context,
        liveness=_liveness(access, step_name, payload),
        events=_told(context.events, settings, access, sink),
        is_stopping=lambda: remaining_ms() < given_ms * (1 - _USED_SHARE),
        bounds=replace(settings.bounds, step_budget_seconds=given_ms / 1000 * _USED_SHARE),
    )
    own = {key: value for key, value in payload.items() if key != "execution_arn"}
    try:
        return Application(context).run_step(step_name, own)
    finally:
        error = sys.exception()
        if error is not None:
            # Somebody else holds the table: it is skipped, and nobody is to be alarmed.
            event = "step_refused" if isinstance(error, LeaseHeld) else "step_failed"
            sink.emit(event, kind=type(error).__name__, reason=str(error))
        sink.flush()


def _told(events: EventSink, settings: AwsSettings, access: AwsAccess, log: EventSink) -> EventSink:
    """Return the events with a message to people for those that matter, where the function was given a topic."""
    if settings.topic_arn is None:
        return events
    return _Both(events, (TopicMessages(access.sns(), settings.topic_arn, settings.environment, log=log),))


def start_pipeline(payload: Mapping[str, object], settings: AwsSettings | None = None) -> dict[str, str]:
    """Start a run and return its `job_id` and `execution_arn`. Raises UsageError for a request that cannot be run."""
    chosen = settings or _lambda_settings()
    request = parse_request(payload)
    access = AwsAccess(region=chosen.region, endpoint_url=chosen.endpoint_url, profile=chosen.profile)
    with aws_application(chosen) as application:
        job_id = request.job_id or new_job_id(application.context)
    told = {key: value for key, value in to_json(request).items() if value not in (None, False, 0.0)}
    arn = _executions(chosen, access).start(job_id, told)
    return {"job_id": job_id, "execution_arn": arn}


def await_pipeline(
    execution_arn: str, *, timeout_seconds: float, settings: AwsSettings | None = None
) -> dict[str, object] | None:
    """Return what a started run came to, or None when it still runs after `timeout_seconds`."""
    chosen = settings or _lambda_settings()
    access = AwsAccess(region=chosen.region, endpoint_url=chosen.endpoint_url, profile=chosen.profile)
    return _executions(chosen, access).wait(execution_arn, timeout_seconds=timeout_seconds)


def publish_mappings(settings: AwsSettings, files: Mapping[str, bytes] | None = None) -> None:
    """Check the mappings (the package's own, or `files`) and bring them into the environment's lake."""
    access = AwsAccess(region=settings.region, endpoint_url=settings.endpoint_url, profile=settings.profile)
    publish_catalog(S3Lake(settings.bucket, access), files or packaged_mappings(), folder="mappings")


def _context(
    settings: AwsSettings,
    access: AwsAccess,
    *,
    tenant_id: str | None,
    credentials: AwsCredentials | None,
    events: EventSink,
) -> StepContext:
    clock = SystemClock()
    if credentials is not None:
        access = AwsAccess(region=settings.region, endpoint_url=settings.endpoint_url, credentials=credentials)
    tables = StateTables(access.dynamodb(), settings.environment)
    lake = S3Lake(settings.bucket, access)
    worker = uuid.uuid4().hex[:12]
    return StepContext(
        environment=settings.environment,
        registry=DynamoTenantRegistry(tables, only=tenant_id),
        tables=DynamoTableStates(tables),
        jobs=DynamoJobLedger(tables),
        chunks=DynamoChunkLedger(tables),
        lake=lake,
        secrets=SecretsManagerStore(access.secretsmanager()),
        raw=raw_store(settings.package, lake),
        canonical=canonical_store(settings.package, lake, clock),
        transport=Urllib3Transport(),
        budget=own_budget(clock)
        if tenant_id is None
        else SharedBudgetBook(tables, tenant_id=tenant_id, worker=worker, clock=clock).get,
        clock=clock,
        executor=ThreadExecutor(),
        liveness=ExecutionLiveness(access.stepfunctions(), ttl_seconds=settings.bounds.lease_ttl_seconds),
        events=_Both(events, settings.sinks),
        random=random.SystemRandom().random,
        is_stopping=settings.is_stopping,
        bounds=settings.bounds,
        table_catalog=GlueTableCatalog(access.glue, settings.environment, settings.bucket),
        prices=load_prices(),
        upkeep=upkeep(settings.package, lake, AwsEraser(settings.bucket, access, tables), clock),
    )


def _session(settings: AwsSettings, access: AwsAccess, tenant_id: str) -> AwsCredentials:
    if settings.tenant_role_arn is None:
        raise ConfigError(
            "AVESA_TENANT_ROLE_ARN is not set: without the role there are no credentials narrowed to a tenant, and no "
            "others are used in their place; deploy the environment again"
        )
    scope = scope_of_role(
        settings.tenant_role_arn, environment=settings.environment, bucket=settings.bucket, region=settings.region
    )
    return tenant_session(access.sts(), settings.tenant_role_arn, scope, tenant_id)


def _kept_context(settings: AwsSettings, tenant_id: str | None, sink: CloudWatchSink) -> StepContext:
    """Return the tenant's context from an earlier call of this container, or a new one when its session is old."""
    context, credentials = _workplaces.pop(tenant_id, (None, None))
    is_old = (
        credentials is not None
        and credentials.expires_at is not None
        and credentials.expires_at - SystemClock().now() < _SESSION_LEFT
    )
    if context is None or is_old:
        access = AwsAccess(region=settings.region, endpoint_url=settings.endpoint_url)
        credentials = None if tenant_id is None else _session(settings, access, tenant_id)
        context = _context(settings, access, tenant_id=tenant_id, credentials=credentials, events=sink)
    # Last used, last out.
    _workplaces[tenant_id] = (context, credentials)
    while len(_workplaces) > _TENANTS_KEPT:
        del _workplaces[next(iter(_workplaces))]
    return context


def _liveness(access: AwsAccess, step_name: str, payload: Mapping[str, object]) -> ExecutionLiveness:
    arn = payload.get("execution_arn")
    if step_name == "process_table" and not isinstance(arn, str):
        raise UsageError(
            "process_table needs execution_arn, the execution that is to hold the table's lease; a state machine gives "
            "its own ($$.Execution.Id)"
        )
    # The function's own credentials: whether an execution runs is no tenant's data.
    return ExecutionLiveness(
        access.stepfunctions(), ttl_seconds=LEASE_SECONDS, execution_arn=arn if isinstance(arn, str) else None
    )


def _tenant_of(step_name: str, payload: Mapping[str, object]) -> str | None:
    if step_name not in TENANT_STEPS:
        return None
    for place in _places(payload):
        if isinstance(place.get("tenant_id"), str):
            return str(place["tenant_id"])
    raise UsageError(f"the input of {step_name} names no tenant_id")


def _job_of(payload: Mapping[str, object]) -> str:
    return next((str(place["job_id"]) for place in _places(payload) if isinstance(place.get("job_id"), str)), "")


def _places(payload: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the payload and the tasks inside it, outermost first."""
    yield payload
    for key in ("task", "work"):
        inner = payload.get(key)
        if isinstance(inner, dict):
            yield from _places(inner)


def _executions(settings: AwsSettings, access: AwsAccess) -> PipelineExecutions:
    arn = settings.state_machine_arn
    if arn is None:
        account = access.sts().get_caller_identity()["Arn"]
        partition, number = re.split(":", account)[1], re.split(":", account)[4]
        arn = (
            f"arn:{partition}:states:{settings.region}:{number}:stateMachine:"
            f"PipelineOrchestrator{settings.environment.suffix}"
        )
    return PipelineExecutions(access.stepfunctions(), arn, clock=SystemClock())


class _Both:
    """Hands events to the log and to a command's own sinks."""

    def __init__(self, first: EventSink, others: tuple[EventSink, ...]) -> None:
        self._sinks = (first, *others)

    def emit(self, event: str, **fields: object) -> None:
        for sink in self._sinks:
            sink.emit(event, **fields)


class _Nothing:
    """A command shows events through sinks of its own; the log of a deployment is not its to write."""

    def emit(self, event: str, **fields: object) -> None:
        """Do nothing."""


@cache
def _lambda_settings() -> AwsSettings:
    return replace(read_aws_settings(), bounds=LAMBDA_BOUNDS)


@cache
def _sink() -> CloudWatchSink:
    return CloudWatchSink(_lambda_settings().environment)
