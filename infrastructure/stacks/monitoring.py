"""What watches: the overview, the alarms, and the topic that they tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns

from avesa.domain.metric_names import Metric
from infrastructure.components.functions import FUNCTIONS
from infrastructure.components.names import MACHINES
from infrastructure.components.package import ROOT
from infrastructure.components.watching import function_metric, machine_metric, run_metric, table_metric, watches

if TYPE_CHECKING:
    from aws_cdk import Environment
    from constructs import Construct

    from infrastructure.components.names import Names

_ENDPOINTS = ROOT / "mappings" / "integrations" / "connectwise_endpoints.json"
_WIDTH = 12


class MonitoringStack(Stack):
    """Dashboard, alarms and topic of one environment; looks at the others by their names."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, env: Environment) -> None:
        super().__init__(scope, construct_id, env=env, description="AVESA: dashboard, alarms and their topic.")
        tables = enabled_tables()
        topic = sns.Topic(self, "Alarms", topic_name=names.of("avesa-alarms"), enforce_ssl=True)
        alarms = [
            cloudwatch.Alarm(
                self,
                watch.slug,
                alarm_name=names.of(f"avesa-{watch.slug}"),
                alarm_description=watch.meaning,
                metric=watch.metric,
                threshold=watch.threshold,
                evaluation_periods=watch.periods,
                comparison_operator=watch.operator,
                treat_missing_data=watch.missing,
            )
            for watch in watches(names, tables)
        ]
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(topic))
        self._overview(names, tables, alarms)

    def _overview(self, names: Names, tables: list[str], alarms: list[cloudwatch.Alarm]) -> None:
        board = cloudwatch.Dashboard(self, "Overview", dashboard_name=names.dashboard)
        board.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=2 * _WIDTH))
        runs = [Metric.JOBS_STARTED, Metric.JOBS_COMPLETED, Metric.JOBS_INCOMPLETE, Metric.JOBS_FAILED]
        by_table = [
            ("Records extracted", Metric.RECORDS_EXTRACTED),
            ("Versions opened", Metric.VERSIONS_OPENED),
            ("Tables failed", Metric.TABLES_FAILED),
            ("Tables skipped: another run held them", Metric.TABLES_SKIPPED),
            ("Records quarantined", Metric.RECORDS_QUARANTINED),
            ("Deletions found", Metric.DELETIONS_FOUND),
        ]
        functions = [shape.slug for shape in FUNCTIONS]
        board.add_widgets(
            _graph("Runs", [run_metric(names, name) for name in runs]),
            _graph("Executions failed", [machine_metric(names, base, "ExecutionsFailed") for base in MACHINES]),
        )
        board.add_widgets(
            *(_graph(title, [table_metric(names, name, table) for table in tables]) for title, name in by_table)
        )
        board.add_widgets(
            _graph(
                "Longest call, ms",
                [function_metric(names, slug, "Duration", "Maximum", minutes=5) for slug in functions],
            ),
            _graph(
                "Calls refused", [function_metric(names, slug, "Throttles", "Sum", minutes=5) for slug in functions]
            ),
        )


def enabled_tables() -> list[str]:
    """Return the tables that the packaged mappings enable: the values that the Table dimension has."""
    endpoints = json.loads(_ENDPOINTS.read_text(encoding="utf-8"))["endpoints"]
    return [name for name, endpoint in endpoints.items() if endpoint.get("enabled", True)]


def _graph(title: str, metrics: list[cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=_WIDTH)
