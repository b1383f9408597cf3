"""What is watched: each alarm names a metric that exists, and says in words what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from avesa.domain.metric_names import ENVIRONMENT_DIMENSION, METRICS, NAMESPACE, TABLE_DIMENSION, Metric
from infrastructure.components.functions import BY_SLUG
from infrastructure.components.names import MACHINES
from infrastructure.definitions.alarms import OWN_ALARMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infrastructure.components.names import Names
    from infrastructure.definitions.alarms import OwnAlarm

_SOON: Final = 0.8
_SILENT_HOURS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One alarm: raised when the metric passes the threshold in `periods` periods one after the other."""

    slug: str
    meaning: str
    runbook: str
    """A page of docs/how-to/."""
    metric: cloudwatch.Metric
    threshold: float = 1
    periods: int = 1
    operator: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
    missing: cloudwatch.TreatMissingData = field(default=cloudwatch.TreatMissingData.NOT_BREACHING)

    @property
    def description(self) -> str:
        """What the alarm says of itself: what it means, and where to read on."""
        return f"{self.meaning[:1].upper()}{self.meaning[1:]}. What to do: docs/how-to/{self.runbook}"


def watches(names: Names, tables: Sequence[str]) -> Iterator[Watch]:
    """Give all alarms of an environment. A skipped table raises none: another run holds it, and does its work."""
    for base in MACHINES:
        for name, word in (("ExecutionsFailed", "failed"), ("ExecutionsTimedOut", "timed-out")):
            yield Watch(
                slug=f"{base}-{word}",
                meaning=f"an execution of {base} {word.replace('-', ' ')}; its history says where; the next goes on",
                runbook="a-run-is-stuck.md",
                metric=machine_metric(names, base, name),
            )
    for alarm in OWN_ALARMS:
        yield from _own_watches(alarm, names, tables)
    yield from _limits(names)
    yield Watch(
        slug="schedule-not-started",
        meaning="a schedule could not start what it is for: look at the schedule's role and target",
        runbook="a-run-is-stuck.md",
        metric=cloudwatch.Metric(
            namespace="AWS/Scheduler",
            metric_name="TargetErrorCount",
            dimensions_map={"ScheduleGroup": names.of("avesa")},
            statistic="Sum",
            period=Duration.hours(1),
        ),
    )
    yield Watch(
        slug="dead-letters",
        meaning="what a schedule was to start was given up and lies in the queue of dead letters",
        runbook="a-run-is-stuck.md",
        metric=cloudwatch.Metric(
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions_map={"QueueName": names.of("avesa-dead-letters")},
            statistic="Maximum",
            period=Duration.minutes(15),
        ),
    )
    if names.deployment.is_production:
        yield Watch(
            slug="no-run",
            meaning=f"no run has begun for {_SILENT_HOURS} hours: look at the schedules",
            runbook="a-run-is-stuck.md",
            metric=own_metrics(names, Metric.JOBS_STARTED, ())[Metric.JOBS_STARTED.value],
            periods=_SILENT_HOURS,
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )


def _limits(names: Names) -> Iterator[Watch]:
    for slug in ("chunk-processor", "canonical-transform"):
        yield Watch(
            slug=f"{slug}-throttled",
            meaning=f"{slug} was refused for 15 minutes: the account's limit of functions at once is reached",
            runbook="throttled.md",
            metric=function_metric(names, slug, "Throttles", "Sum", minutes=5),
            periods=3,
        )
    # It stops at two thirds to be called again, but after a share of a fold only, and a listing of ids is one piece.
    yield Watch(
        slug="canonical-transform-slow",
        meaning="one piece of work took the transform to four fifths of its time: give it more memory, so CPU too",
        runbook="a-run-is-stuck.md",
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


def own_metrics(
    names: Names, name: Metric, tables: Sequence[str], *, statistic: str = "Sum", minutes: int = 60
) -> dict[str, cloudwatch.Metric]:
    """Return a metric of ours by table, or by its name the one that has the environment alone.

    They have no labels: the CDK makes metric arithmetic of an alarm on one that has.
    """
    environment = {ENVIRONMENT_DIMENSION: names.deployment.environment.value}
    by = [(table, {TABLE_DIMENSION: table}) for table in tables] if METRICS[name].by_table else [(name.value, {})]
    return {
        label: cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name.value,
            dimensions_map={**environment, **more},
            statistic=statistic,
            period=Duration.minutes(minutes),
        )
        for label, more in by
    }


def _own_watches(alarm: OwnAlarm, names: Names, tables: Sequence[str]) -> Iterator[Watch]:
    metrics = own_metrics(names, alarm.metric, tables, statistic=alarm.statistic, minutes=alarm.period_minutes)
    missing = cloudwatch.TreatMissingData
    is_by_table = METRICS[alarm.metric].by_table
    for label, metric in metrics.items():
        slug = f"table-{label}-{alarm.slug}".replace("/", "-") if is_by_table else alarm.slug
        yield Watch(
            slug=slug,
            meaning=f"{slug}: {alarm.meaning}",
            runbook=alarm.runbook,
            metric=metric,
            threshold=alarm.threshold,
            periods=alarm.periods,
            missing=missing.BREACHING if alarm.is_alarmed_by_silence else missing.NOT_BREACHING,
        )
