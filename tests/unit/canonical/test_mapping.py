"""A mapping file is refused whole, with everything that is wrong with it."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from avesa.canonical.mapping import CanonicalMapping, ColumnType, parse_mapping
from avesa.domain.errors import ConfigError

FILE = "mappings/canonical/things.json"
ID = {"name": "id", "type": "string", "source": "id"}
LAST_UPDATED = {"name": "last_updated", "type": "timestamp", "source": "_info/lastUpdated"}
LAST_UPDATED_BY = {"name": "last_updated_by", "type": "string", "source": "_info/updatedBy"}
NAMES = {"name": "names", "type": "string", "each": "types", "value": "name", "join": ", "}


def document(*columns: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    head = {"table": "things", "service": "connectwise", "endpoint": "some/things"}
    return {**head, "columns": [ID, *columns, LAST_UPDATED, LAST_UPDATED_BY], **changes}


def parse(json_document: object) -> CanonicalMapping:
    return parse_mapping(json.dumps(json_document), file=FILE)


def problems(json_document: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(json_document)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{FILE}: ") for line in lines)
    return [line.removeprefix(f"{FILE}: ") for line in lines]


def test_a_mapping_reads_as_it_was_written() -> None:
    mapping = parse(document({"name": "by", "type": "string", "source": ["a/b", "c"]}, NAMES))

    assert (mapping.table, mapping.service, mapping.endpoint) == ("things", "connectwise", "some/things")
    assert [column.name for column in mapping.columns] == ["id", "by", "names", "last_updated", "last_updated_by"]
    assert mapping.columns[0].source == ("id",)
    assert mapping.columns[1].source == ("a/b", "c")
    assert mapping.columns[2].join == ", "
    assert mapping.columns[3].type is ColumnType.TIMESTAMP


def test_bytes_and_text_are_the_same_mapping() -> None:
    text = json.dumps(document())

    assert parse_mapping(text.encode(), file=FILE) == parse_mapping(text, file=FILE)


def test_a_mapping_survives_the_way_to_another_process() -> None:
    mapping = parse(document(NAMES))

    assert pickle.loads(pickle.dumps(mapping)).digest == mapping.digest  # noqa: S301 - our own pickle


def test_the_digest_ignores_layout_and_key_order() -> None:
    json_document = document({"name": "by", "type": "string", "source": ["a"]})
    other = document({"source": "a", "type": "string", "name": "by"})
    laid_out = json.dumps(dict(reversed(other.items())), indent=4)

    assert parse_mapping(laid_out, file="elsewhere.json").digest == parse(json_document).digest
    assert len(parse(json_document).digest) == 64


@pytest.mark.parametrize(
    "change",
    [
        document({"name": "by", "type": "string", "source": "b"}),
        document({"name": "by", "type": "bool", "source": "a"}),
        document({"name": "buy", "type": "string", "source": "a"}),
        document({"name": "by", "type": "string", "source": None}),
        document({"name": "by", "type": "string", "source": ["a", "b"]}),
        document({"name": "by", "type": "string", "each": "a", "value": "a"}),
        document({"name": "by", "type": "string", "source": "a"}, endpoint="other/things"),
    ],
)
def test_the_digest_follows_the_meaning(change: dict[str, Any]) -> None:
    assert parse(change).digest != parse(document({"name": "by", "type": "string", "source": "a"})).digest


def test_the_digest_follows_the_order_of_columns() -> None:
    one, other = ({"name": name, "type": "string", "source": "a"} for name in ("one", "other"))

    assert parse(document(one, other)).digest != parse(document(other, one)).digest


def test_what_is_not_json_is_refused_with_the_place() -> None:
    with pytest.raises(ConfigError, match=r"things\.json: line 2 column 2: not JSON"):
        parse_mapping('{\n "', file=FILE)
    with pytest.raises(ConfigError, match="not JSON"):
        parse_mapping(b"\xff\xfe\xff", file=FILE)
    with pytest.raises(ConfigError, match="not JSON"):
        parse_mapping("[" * 100_000, file=FILE)


def test_a_wrong_type_lists_the_allowed_ones() -> None:
    column = {"name": "by", "type": "text", "source": "a"}

    assert problems(document(column)) == ["columns[1].type is 'text'; allowed: string, int64, float64, bool, timestamp"]


def test_every_wrong_shape_is_listed_at_once() -> None:
    wrong = [
        {"name": 7, "type": "string", "source": "a"},
        {"name": "b", "type": "string", "source": 7, "colour": "red"},
        {"type": "string", "source": []},
        {"name": "c", "type": "string", "each": "a", "value": "b", "where": {"x": 1.5}},
        "column",
    ]

    found = problems({**document(*wrong), "tabel": "x"})  # type: ignore[arg-type]

    sources = "a field path, a list of field paths of which the first that is not null counts, or null"
    conditions = "an object of field paths, each with the text, whole number, true or false that it must equal"
    assert found == [
        "columns[1].name is 7; allowed: a valid string",
        f"columns[2].source is 7; allowed: {sources}",
        "columns[2].colour is not known; allowed: name, type, source, each, where, value, join",
        "columns[3].name is missing; it is required",
        f"columns[3].source is []; allowed: {sources}",
        f"columns[4].where is {{'x': 1.5}}; allowed: {conditions}",
        "columns[5] is 'column'; allowed: an object",
        "tabel is not known; allowed: table, service, endpoint, columns",
    ]


def test_a_file_that_is_no_object_says_so_and_long_values_are_cut() -> None:
    (problem,) = problems(["x" * 500])

    assert problem.startswith("the file is ['xxx")
    assert len(problem) < 160


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"table": "Things"}, "table is 'Things'; allowed: a to z, 0 to 9 and _, beginning with a letter"),
        ({"service": "../x"}, "service is '../x'; allowed: a to z, 0 to 9 and _, beginning with a letter, or -"),
        ({"endpoint": "/a//b"}, "endpoint is '/a//b'; allowed: letters, digits, _ and - in parts joined by single /"),
        ({"columns": []}, "columns[0] must be id, a string"),
        ({"columns": [LAST_UPDATED, LAST_UPDATED_BY]}, "columns[0] must be id, a string"),
        (
            {"columns": [{**ID, "source": ["id", "key"]}, LAST_UPDATED, LAST_UPDATED_BY]},
            "columns[0].source is what makes the record's key; allowed: exactly one field path",
        ),
        (
            {"columns": [ID, LAST_UPDATED_BY, LAST_UPDATED]},
            "columns must end with last_updated, a timestamp, and last_updated_by, a string",
        ),
    ],
)
def test_the_whole_of_a_mapping_has_rules(changes: dict[str, Any], problem: str) -> None:
    assert problem in problems(document(**changes))


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (
            {"name": "createdBy", "type": "string", "source": "a"},
            "columns[1].name is 'createdBy'; allowed: a to z, 0 to 9 and _, beginning with a letter",
        ),
        (
            {"name": "valid_from", "type": "string", "source": "a"},
            "columns[1].name is 'valid_from'; every canonical table has that column already, use another name",
        ),
        (
            {"name": "by", "type": "string"},
            "columns[1] must have either source (null for a column that nothing fills) or each, and not both",
        ),
        (
            {**NAMES, "source": "a"},
            "columns[1] must have either source (null for a column that nothing fills) or each, and not both",
        ),
        (
            {"name": "by", "type": "string", "each": "a"},
            "columns[1] must have each and value together, or neither",
        ),
        (
            {"name": "by", "type": "string", "source": "a", "join": ","},
            "columns[1].join means nothing without each",
        ),
        (
            {"name": "by", "type": "string", "source": "a", "where": {"x": True}},
            "columns[1].where means nothing without each",
        ),
        ({**NAMES, "type": "int64"}, "columns[1].type is 'int64'; joined values are text, allowed: string"),
        (
            {"name": "by", "type": "string", "source": "/a"},
            "columns[1].source is '/a'; allowed: field names joined by /, such as _info/lastUpdated",
        ),
        (
            {**NAMES, "where": {"": 1}},
            "columns[1].where is ''; allowed: field names joined by /, such as _info/lastUpdated",
        ),
        (
            {"name": "by", "type": "string", "source": ["a", "b", "a"]},
            "columns[1].source names a field path twice; name each once",
        ),
        ({**ID}, "columns[1].name is 'id'; columns[0] has it already, names are unique"),
    ],
)
def test_a_column_has_rules(column: dict[str, Any], problem: str) -> None:
    assert problems(document(column)) == [problem]
