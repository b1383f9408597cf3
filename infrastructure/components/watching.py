"""What is watched: each alarm names a metric that exists, and says in words what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from avesa.domain.metric_names import ENVIRONMENT_DIMENSION, NAMESPACE, TABLE_DIMENSION, Metric
from infrastructure.components.functions import BY_SLUG
from infrastructure.components.names import MACHINES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infrastructure.components.names import Names

_SOON: Final = 0.8
_SILENT_HOURS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One alarm: raised when the metric passes the threshold in `periods` periods one after the other."""

    slug: str
    meaning: str
    metric: cloudwatch.Metric
    threshold: float = 1
    periods: int = 1
    operator: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
    missing: cloudwatch.TreatMissingData = field(default=cloudwatch.TreatMissingData.NOT_BREACHING)


def watches(names: Names, tables: Sequence[str]) -> Iterator[Watch]:
    """Give all alarms of an environment. A skipped table raises none: another run holds it, and does its work."""
    for base in MACHINES:
        for name, word in (("ExecutionsFailed", "failed"), ("ExecutionsTimedOut", "timed-out")):
            yield Watch(
                slug=f"{base}-{word}",
                meaning=f"An execution of {base} {word.replace('-', ' ')}: look at its history; the next run goes on.",
                metric=machine_metric(names, base, name),
            )
    for table in tables:
        yield Watch(
            slug=f"table-{table.replace('/', '-')}-failed",
            meaning=f"{table} failed for a tenant: `avesa status` names the tenant and the reason.",
            metric=table_metric(names, Metric.TABLES_FAILED, table),
        )
    yield Watch(
        slug="job-failed",
        meaning="A run completed no table at all: `avesa jobs` names it, `avesa job ID` says why.",
        metric=run_metric(names, Metric.JOBS_FAILED),
    )
    yield from _limits(names)
    yield Watch(
        slug="schedule-not-started",
        meaning="A schedule could not start a run: look at the schedule's role and target.",
        metric=cloudwatch.Metric(
            namespace="AWS/Scheduler",
            metric_name="TargetErrorCount",
            dimensions_map={"ScheduleGroup": names.of("avesa")},
            statistic="Sum",
            period=Duration.hours(1),
        ),
    )
    if names.deployment.is_production:
        yield Watch(
            slug="no-run",
            meaning=f"No run has begun for {_SILENT_HOURS} hours: look at the schedules.",
            metric=run_metric(names, Metric.JOBS_STARTED),
            periods=_SILENT_HOURS,
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )


def _limits(names: Names) -> Iterator[Watch]:
    for slug in ("chunk-processor", "canonical-transform"):
        yield Watch(
            slug=f"{slug}-throttled",
            meaning=f"{slug} was refused for 15 minutes: the account's limit of functions at once is reached.",
            metric=function_metric(names, slug, "Throttles", "Sum", minutes=5),
            periods=3,
        )
    # The fold is one call: at its time-out it is tried again from the beginning, so somebody should know before.
    yield Watch(
        slug="canonical-transform-slow",
        meaning="A fold took four fifths of its function's time: give it more memory, or load in smaller ranges.",
        metric=function_metric(names, "canonical-transform", "Duration", "Maximum", minutes=60),
        threshold=BY_SLUG["canonical-transform"].timeout_seconds * 1000 * _SOON,
    )


def machine_metric(names: Names, base: str, name: str) -> cloudwatch.Metric:
    """An hour's sum of a state machine's metric."""
    return cloudwatch.Metric(
        namespace="AWS/States",
        metric_name=name,
        dimensions_map={"StateMachineArn": names.machine_arn(base)},
        statistic="Sum",
        period=Duration.hours(1),
    )


def function_metric(names: Names, slug: str, name: str, statistic: str, *, minutes: int) -> cloudwatch.Metric:
    """A function's metric."""
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map={"FunctionName": names.function(slug)},
        statistic=statistic,
        period=Duration.minutes(minutes),
    )


def run_metric(names: Names, name: Metric) -> cloudwatch.Metric:
    """An hour's sum of a metric of ours that has the environment alone."""
    return _own(name, {ENVIRONMENT_DIMENSION: names.deployment.environment.value})


def table_metric(names: Names, name: Metric, table: str) -> cloudwatch.Metric:
    """An hour's sum of a metric of ours for one table, of all tenants."""
    return _own(name, {ENVIRONMENT_DIMENSION: names.deployment.environment.value, TABLE_DIMENSION: table})


def _own(name: Metric, dimensions: dict[str, str]) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name.value,
        dimensions_map=dimensions,
        statistic="Sum",
        period=Duration.hours(1),
    )
