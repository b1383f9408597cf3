"""What becomes of events in a deployment: one log line each, and counts at the end of a step."""

from __future__ import annotations

import json
import logging

import pytest

from avesa.adapters.aws.events import CloudWatchSink
from avesa.domain.metric_names import METRICS, NAMESPACE, Metric
from avesa.domain.model import Status
from avesa.domain.names import Environment

Line = dict[str, object]


@pytest.fixture(autouse=True)
def _logger_of_this_test() -> None:
    # A logger keeps the standard output that it found first.
    logging.Logger.manager.loggerDict.pop("avesa", None)


@pytest.fixture
def sink() -> CloudWatchSink:
    return CloudWatchSink(Environment.DEV)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[Line]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def _metrics(lines: list[Line]) -> dict[tuple[str, str], float]:
    """Return (table or empty, metric) to its sum."""
    found: dict[tuple[str, str], float] = {}
    for line in lines:
        described = line.get("_aws")
        if isinstance(described, dict):
            (block,) = described["CloudWatchMetrics"]
            assert block["Namespace"] == NAMESPACE
            assert all(set(names) <= {"Environment", "Table"} for names in block["Dimensions"])
            for metric in block["Metrics"]:
                values = line[metric["Name"]]
                assert isinstance(values, list)
                found[str(line.get("Table", "")), metric["Name"]] = sum(values)
    return found


def test_an_event_is_one_line_with_its_fields_and_those_of_the_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = CloudWatchSink(Environment.DEV)
    sink.begin(step="process_chunk", tenant_id="acme", job_id="job-1")
    sink.emit("page_landed", table="service/tickets", records=3, name="clash")

    (line,) = _lines(capsys)
    assert line["message"] == "page_landed"
    told = {name: line[name] for name in ("step", "tenant_id", "job_id", "records", "name_")}
    assert told == {"step": "process_chunk", "tenant_id": "acme", "job_id": "job-1", "records": 3, "name_": "clash"}


def test_a_step_does_not_inherit_the_fields_of_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    sink = CloudWatchSink(Environment.DEV)
    sink.begin(step="one", chunk="c-1")
    sink.begin(step="two")
    sink.emit("x")

    (line,) = _lines(capsys)
    assert line["step"] == "two"
    assert "chunk" not in line


def test_counts_are_summed_by_table_and_published_once(
    sink: CloudWatchSink, capsys: pytest.CaptureFixture[str]
) -> None:
    for table, records in (("service/tickets", 1000), ("service/tickets", 10), ("time/entries", 5)):
        sink.emit("page_landed", table=table, records=records, is_last=records < 1000)
    sink.flush()
    sink.flush()

    assert _metrics(_lines(capsys)) == {
        ("service/tickets", Metric.RECORDS_EXTRACTED): 1010,
        ("service/tickets", Metric.CHUNKS_READ): 1,
        ("time/entries", Metric.RECORDS_EXTRACTED): 5,
        ("time/entries", Metric.CHUNKS_READ): 1,
    }


def test_what_is_looked_at_by_its_absence_is_published_when_it_is_zero(
    sink: CloudWatchSink, capsys: pytest.CaptureFixture[str]
) -> None:
    sink.emit("freshness_checked", table="time/entries", age_seconds=0, stale=0, tenants=0)
    sink.flush()

    assert _metrics(_lines(capsys)) == {
        ("time/entries", Metric.FRESHNESS_SECONDS): 0,
        ("time/entries", Metric.TABLES_STALE): 0,
    }


@pytest.mark.parametrize("metric", Metric)
def test_a_metric_is_published_with_its_own_dimensions_and_unit(
    sink: CloudWatchSink, capsys: pytest.CaptureFixture[str], metric: Metric
) -> None:
    measured = METRICS[metric]
    fields: dict[str, object] = {"table": "time/entries", "tenant_id": "acme", "job_id": "j"}
    if measured.field is not None:
        fields[measured.field] = 3
    if measured.status is not None:
        fields["status"] = measured.status

    sink.emit(measured.event, **fields)
    sink.flush()

    described = [
        (block["Dimensions"], found["Unit"])
        for line in _lines(capsys)
        if isinstance(line.get("_aws"), dict)
        for block in line["_aws"]["CloudWatchMetrics"]  # type: ignore[index]  # a dict, as asked
        for found in block["Metrics"]
        if found["Name"] == metric.value
    ]
    assert described == [([list(measured.dimensions)], measured.unit.value)]


@pytest.mark.parametrize(
    ("status", "metric"),
    [
        (Status.COMPLETED, Metric.TABLES_COMPLETED),
        (Status.FAILED, Metric.TABLES_FAILED),
        (Status.SKIPPED, Metric.TABLES_SKIPPED),
    ],
)
def test_a_tables_end_counts_under_its_status(
    sink: CloudWatchSink, capsys: pytest.CaptureFixture[str], status: Status, metric: Metric
) -> None:
    sink.emit("table_finished", table="time/entries", status=status, opened=2, closed=0)
    sink.flush()

    assert _metrics(_lines(capsys)) == {("time/entries", metric): 1, ("time/entries", Metric.VERSIONS_OPENED): 2}


def test_a_job_and_a_tenant_never_become_a_dimension(sink: CloudWatchSink, capsys: pytest.CaptureFixture[str]) -> None:
    sink.emit("job_finished", job_id="job-1", tenant_id="acme", status=Status.PARTIAL_SUCCESS)
    sink.flush()

    assert _metrics(_lines(capsys)) == {("", Metric.JOBS_INCOMPLETE): 1}
