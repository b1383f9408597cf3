"""What watches: the overview, the alarms, and the topic that they tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns

from infrastructure.components.functions import FUNCTIONS
from infrastructure.components.names import MACHINES
from infrastructure.components.package import ROOT
from infrastructure.components.watching import function_metric, machine_metric, own_metrics, watches
from infrastructure.definitions.overview import SECTIONS, Query

if TYPE_CHECKING:
    from aws_cdk import Environment
    from constructs import Construct

    from infrastructure.components.names import Names
    from infrastructure.definitions.overview import Graph

_ENDPOINTS = ROOT / "mappings" / "integrations" / "connectwise_endpoints.json"
_WIDTH = 24
_HALF = 12


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
                alarm_description=watch.description,
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
        board.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=_WIDTH))
        for section in SECTIONS:
            board.add_widgets(cloudwatch.TextWidget(markdown=f"## {section.question}", width=_WIDTH, height=1))
            board.add_widgets(*(_shown(item, names, tables) for item in section.shown))
        functions = [shape.slug for shape in FUNCTIONS]
        board.add_widgets(
            cloudwatch.TextWidget(markdown="## What AWS says of it", width=_WIDTH, height=1),
            _graph("Executions failed", [machine_metric(names, base, "ExecutionsFailed") for base in MACHINES]),
            _graph(
                "Longest call, ms",
                [function_metric(names, slug, "Duration", "Maximum", minutes=5) for slug in functions],
            ),
            _graph(
                "Calls refused", [function_metric(names, slug, "Throttles", "Sum", minutes=5) for slug in functions]
            ),
        )


def _shown(item: Graph | Query, names: Names, tables: list[str]) -> cloudwatch.IWidget:
    if isinstance(item, Query):
        return cloudwatch.LogQueryWidget(
            title=item.title,
            log_group_names=[f"/aws/lambda/{names.function(slug)}" for slug in item.functions],
            query_lines=item.lines,
            width=_HALF,
        )
    metrics = [
        own.with_(label=label)
        for name in item.metrics
        for label, own in own_metrics(names, name, tables, statistic=item.statistic).items()
    ]
    return _graph(item.title, metrics)


def enabled_tables() -> list[str]:
    """Return the tables that the packaged mappings enable: the values that the Table dimension has."""
    endpoints = json.loads(_ENDPOINTS.read_text(encoding="utf-8"))["endpoints"]
    return [name for name, endpoint in endpoints.items() if endpoint.get("enabled", True)]


def _graph(title: str, metrics: list[cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=_HALF)
