"""What is published, shown, alarmed and documented is the same: names and dimensions, in both directions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from avesa.domain.metric_names import ENVIRONMENT_DIMENSION, METRICS, TABLE_DIMENSION, Metric
from infrastructure.definitions.alarms import OWN_ALARMS, OwnAlarm
from infrastructure.definitions.overview import SECTIONS, Graph, Query
from infrastructure.metrics_page import page

ROOT = Path(__file__).resolve().parents[2]
SHOWN = [item for section in SECTIONS for item in section.shown]


def emitted() -> dict[str, set[str]]:
    """Return the events that the code emits by name, with the fields that it gives them."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "src" / "avesa").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit":
                names = [item.value for item in node.args if isinstance(item, ast.Constant)]
                for name in names:
                    found.setdefault(str(name), set()).update(word.arg for word in node.keywords if word.arg)
    # Emitted by one of two names, which a variable holds.
    text = (ROOT / "src" / "avesa" / "bootstrap" / "aws.py").read_text(encoding="utf-8")
    return found | {name: set() for name in ("step_failed", "step_refused") if f'"{name}"' in text}


EMITTED = emitted()


def test_the_page_is_the_one_that_the_tables_make() -> None:
    made = page()

    assert (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8") == made, (
        "make it again: python -m infrastructure.metrics_page > docs/reference/metrics.md"
    )


@pytest.mark.parametrize("metric", Metric)
def test_a_metric_comes_from_an_event_that_the_code_emits_with_that_field(metric: Metric) -> None:
    measured = METRICS[metric]

    assert measured.event in EMITTED
    assert measured.field is None or measured.field in EMITTED[measured.event]
    assert measured.status is None or "status" in EMITTED[measured.event]
    assert not measured.by_table or "table" in EMITTED[measured.event] | ({"table"} & _labelled(measured.event))


def _labelled(event: str) -> set[str]:
    """Every event of a table's step is told with its table; the source's own do not name it."""
    return {"table"} if event == "request_retried" else set()


@pytest.mark.parametrize("metric", Metric)
def test_every_metric_is_shown(metric: Metric) -> None:
    assert [item.title for item in SHOWN if isinstance(item, Graph) and metric in item.metrics] != []


@pytest.mark.parametrize("item", [item for item in SHOWN if isinstance(item, Query)], ids=lambda item: item.title)
def test_a_query_speaks_of_events_and_fields_that_there_are(item: Query) -> None:
    words = set("".join(char if char.isalnum() or char == "_" else " " for char in item.stats).split())
    fields = {"age_seconds", "dollars", "records", "requests", "error"} & words

    assert set(item.events) <= set(EMITTED)
    assert fields
    for field in fields:
        assert any(field in EMITTED[event] for event in item.events)


def test_the_questions_are_asked_in_their_order() -> None:
    asked = [section.question for section in SECTIONS]

    assert asked == [
        "Is the data fresh?",
        "Is it complete?",
        "What failed?",
        "How fast?",
        "What does it cost?",
    ]


@pytest.mark.parametrize("alarm", OWN_ALARMS, ids=lambda alarm: alarm.slug)
def test_an_alarm_names_a_page_that_says_what_to_do(alarm: OwnAlarm) -> None:
    text = (ROOT / "docs" / "how-to" / alarm.runbook).read_text(encoding="utf-8")

    assert text.startswith("# ")
    assert len(text.splitlines()) > 4


def test_only_silence_of_what_is_always_told_raises_an_alarm() -> None:
    silent = [alarm for alarm in OWN_ALARMS if alarm.is_alarmed_by_silence]

    assert [alarm.metric for alarm in silent] == [Metric.TABLES_STALE]
    assert all(METRICS[alarm.metric].is_each_kept for alarm in silent)


def test_no_metric_has_a_dimension_without_a_bound() -> None:
    assert {name for measured in METRICS.values() for name in measured.dimensions} == {
        ENVIRONMENT_DIMENSION,
        TABLE_DIMENSION,
    }
