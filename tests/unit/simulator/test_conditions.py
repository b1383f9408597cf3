"""The conditions language: what it reads, what it refuses, and that its meaning is the naive one."""

from __future__ import annotations

import operator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avesa.simulator.conditions import And, Compare, Expression, In, Or, parse, unparse
from avesa.simulator.predicates import child_predicate, custom_field_predicate, predicate
from avesa.simulator.schema import schemas
from avesa.simulator.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

TICKET = schemas()["service/tickets"]
CONTACT = schemas()["company/contacts"]
UPDATED = datetime(2024, 5, 1, 12, tzinfo=UTC)
RECORD = {
    "id": 7,
    "summary": "Printer 'Étage 2' 100% off",
    "closedFlag": False,
    "actualHours": 1.5,
    "severity": "High",
    "automaticEmailCc": "",
    "board": {"id": 3, "name": "Service Desk"},
    "status": {"id": 12, "name": ">Waiting"},
    "requiredDate": "2024-05-08T00:00:00Z",
    "_info": {"lastUpdated": "2024-05-01T12:00:00Z", "dateEntered": "2024-04-30T08:00:00Z"},
}


def _matches(text: str) -> bool:
    return predicate(parse(text), TICKET)(RECORD)


@pytest.mark.parametrize(
    "text",
    [
        "id = 7",
        "ID=7 and id in (1, 7, 9)",
        "Board/Name = 'service desk'",
        'board/id=3 AND (status/name like ">%" OR closedFlag = True)',
        "closedFlag != true",
        "ClosedDate = NULL and requiredDate != null",
        "actualHours > 1 and actualHours <= 1.5",
        'summary contains "étage"',
        "summary like '*100[%]*'",
        'summary like "printer%off"',
        'summary not like "scanner%"',
        'summary not contains "scanner"',
        "id not in (1, 2)",
        'severity in ("High", "Low")',
        'automaticEmailCc = ""',
        "lastUpdated = [2024-05-01T12:00:00Z]",
        "_info/lastUpdated >= [2024-05-01T14:00:00+02:00]",
        "lastUpdated > [2024-05-01T11:59:59.999]",
        "lastUpdated > [2024-05-01]",
        "_info/dateEntered < [2024-05-01]",
        "lastUpdated >= [2024-05-01T12:00:00 00:00]",
        "(chargeToType='x' or id=7)".replace("chargeToType='x'", "id=1"),
    ],
)
def test_a_condition_that_holds_matches(text: str) -> None:
    assert _matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "id = 8",
        "closedDate > [2020-01-01T00:00:00Z]",
        "closedDate != [2020-01-01T00:00:00Z]",
        'closedBy not like "a%"',
        "summary like 'Printer'",
        "summary = null",
        "closedDate < null",
        "lastUpdated > [2024-05-01T12:00:00Z]",
        "id = 7 and id = 8 or id = 9",
    ],
)
def test_a_condition_that_does_not_hold_matches_nothing(text: str) -> None:
    assert not _matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "id",
        "id =",
        "id = 7 and",
        "id == 7",
        "id = 7)",
        "(id = 7",
        "id = seven",
        "id in 7",
        "id in ()",
        "not id = 7",
        "id ~ 7",
        "lastUpdated > [yesterday]",
        'summary = "open',
        "id not = 7",
        "= 7",
        "(" * 80 + "id=7" + ")" * 80,
    ],
)
def test_what_the_grammar_does_not_know_is_refused_as_documented(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(text)

    assert (caught.value.status, caught.value.code) == (400, "ApiFindCondition")


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("invoiceDate > [2024-01-01]", 400, "invoiceDate is not a recognized name."),
        ("board/colour = 1", 400, "board/colour is not a recognized name."),
        ("types/name = 'x'", 400, "types/name is not a recognized name."),
        ("customFields = 'x'", 400, "customFields is not a recognized name."),
        ("severity = 'Enormous'", 400, "Enum value supplied was invalid"),
        ("id = 'x'", 400, "'x' is not a valid number."),
        ("lastUpdated > 5", 400, "'5' is not a valid date."),
        ("closedFlag = 'x'", 500, "String was not recognized as a valid Boolean."),
    ],
)
def test_a_name_or_value_that_the_table_does_not_know_is_refused(text: str, status: int, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        predicate(parse(text), TICKET)

    assert (caught.value.status, caught.value.message) == (status, message)


def test_a_doubled_quote_stands_for_one() -> None:
    assert parse('summary = "say ""hi"""') == Compare(("summary",), "=", 'say "hi"')


def test_and_binds_tighter_than_or() -> None:
    first, second, third = (Compare(("id",), "=", number) for number in (1, 2, 3))

    assert parse("id=1 or id=2 and id=3") == Or((first, And((second, third))))


def test_child_conditions_are_met_by_one_element() -> None:
    items = [
        {"communicationType": "Email", "value": "a@x.example", "defaultFlag": False},
        {"communicationType": "Phone", "value": "55", "defaultFlag": True},
    ]
    contact = {"communicationItems": items, "types": [{"name": "Primary"}]}

    def matches(text: str) -> bool:
        return child_predicate(parse(text), CONTACT)(contact)

    assert matches('communicationItems/value like "a@%" AND communicationItems/communicationType="Email"')
    assert not matches('communicationItems/value like "a@%" AND communicationItems/defaultFlag=True')
    assert matches('types/name="Primary" AND communicationItems/value = "55"')
    with pytest.raises(ApiError, match="is not a recognized name"):
        matches('company/name = "x"')


def test_custom_field_conditions_are_met_by_one_custom_field() -> None:
    record = {"customFields": [{"caption": "A"}, {"caption": "B", "value": 2}]}

    assert custom_field_predicate(parse('caption="B" AND value != null'))(record)
    assert custom_field_predicate(parse('caption="B" AND value > 1'))(record)
    assert not custom_field_predicate(parse('caption="A" AND value != null'))(record)


@pytest.mark.parametrize("value", [None, {}, [], "text", 5, {"id": "seven"}, {"board": [1]}, {"closedFlag": "maybe"}])
def test_a_record_of_a_wrong_shape_matches_nothing_and_breaks_nothing(value: object) -> None:
    test = predicate(parse("id = 7 or board/name = 'x' or closedFlag = true or lastUpdated > [2020-01-01]"), TICKET)

    assert not test(value)


# Properties: random trees over a few fields of every kind, against an evaluator that is too simple to be wrong.

TEXTS = st.text(alphabet="aB é%*'\"\\[]_\n😀", max_size=4)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st adds UTC
SIGNS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
NUMBERS = st.integers(-3, 12) | st.floats(-3, 12, allow_nan=False)
LEAVES = (
    st.builds(Compare, st.just(("id",)), SIGNS, st.integers(-3, 12))
    | st.builds(Compare, st.just(("actualHours",)), SIGNS, NUMBERS)
    | st.builds(Compare, st.just(("closedFlag",)), st.sampled_from(["=", "!="]), st.booleans())
    | st.builds(Compare, st.sampled_from([("summary",), ("board", "name")]), SIGNS, TEXTS)
    | st.builds(Compare, st.just(("summary",)), st.sampled_from(["contains", "not contains"]), TEXTS)
    | st.builds(Compare, st.just(("_info", "lastUpdated")), SIGNS, MOMENTS)
    | st.builds(Compare, st.sampled_from([("closedBy",), ("summary",)]), st.sampled_from(["=", "!="]), st.none())
    | st.builds(In, st.just(("id",)), st.lists(st.integers(-3, 12), min_size=1).map(tuple), st.booleans())
)
TREES: st.SearchStrategy[Expression] = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)
RECORDS = st.fixed_dictionaries(
    {"id": st.integers(-3, 12)},
    optional={
        "summary": TEXTS,
        "closedFlag": st.booleans(),
        "actualHours": NUMBERS,
        "closedBy": TEXTS,
        "board": st.fixed_dictionaries({}, optional={"name": TEXTS}),
        "_info": st.fixed_dictionaries(
            {}, optional={"lastUpdated": MOMENTS.map(lambda at: at.replace(microsecond=0).isoformat()[:19] + "Z")}
        ),
    },
)
NAIVE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "contains": lambda actual, part: part in actual, "not contains": lambda actual, part: part not in actual,
}  # fmt: skip


def _plain(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _naive(tree: Expression, record: dict[str, Any]) -> bool:
    if isinstance(tree, And):
        return all(_naive(part, record) for part in tree.parts)
    if isinstance(tree, Or):
        return any(_naive(part, record) for part in tree.parts)
    actual: Any = record
    for part in tree.path:
        actual = actual.get(part) if actual is not None else None
    if isinstance(tree, Compare) and tree.value is None:
        return (actual is None) == (tree.operator == "=")
    if actual is None:
        return False
    if tree.path[-1] == "lastUpdated":
        actual = datetime.fromisoformat(actual)
    if isinstance(tree, In):
        return (actual in tree.values) != tree.is_negated
    return NAIVE[tree.operator](_plain(actual), _plain(tree.value))


@given(TREES)
def test_parsing_a_printed_tree_gives_the_tree(tree: Expression) -> None:
    assert parse(unparse(tree)) == tree


@given(TREES, RECORDS)
def test_a_predicate_means_what_the_naive_evaluator_means(tree: Expression, record: dict[str, Any]) -> None:
    assert predicate(parse(unparse(tree)), TICKET)(record) == _naive(tree, record)
