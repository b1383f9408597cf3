"""A page is split without rewriting its records, and one bad record does not cost the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avesa.connectors.pages import is_bare, pieces, split_page
from avesa.domain.errors import TransientSourceError

DROP = ("portalPassword", "securityIdentifier")


def one(record: bytes, *, drop: tuple[str, ...] = ()) -> tuple[int, datetime | None, bytes]:
    page = split_page(b"[" + record + b"]", drop_fields=drop)
    assert not page.rejected
    (found,) = page.records
    return found.id, found.last_updated, found.payload


def rejected(record: bytes, *, drop: tuple[str, ...] = ()) -> tuple[str, bytes]:
    page = split_page(b'[{"id":1},' + record + b',{"id":3}]', drop_fields=drop)
    assert [kept.id for kept in page.records] == [1, 3]
    (found,) = page.rejected
    return found.reason, found.content


# ---------------------------------------------------------------------------------------------- verbatim


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":1,"a":1.0,"b":1.10,"c":1e3,"d":""}',
        b'{ "id" : 1 ,\n "a" : [ 1 , 2 ] }',
        b'{"id":1,"a":"\\u00e9 \\/ \\\\ \\u0000"}',
        '{"id":1,"a":"é 中 🎉 \u200b\u00a0"}'.encode(),
        b'{"id":1,"a":123456789012345678901234567890,"a":2}',
        b'{"id":1,"half":"\\ud83d"}',
    ],
)
def test_a_payload_is_the_very_text_that_came(text: bytes) -> None:
    assert one(text)[2] == text


@pytest.mark.parametrize(
    "text", [b'{ "id" : 1 , "firstName" : "A  b" }', b'{"firstName":"old","firstName":"new","id":1}']
)
def test_a_payload_without_a_dropped_field_is_the_very_text_that_came(text: bytes) -> None:
    assert one(text, drop=DROP)[2] == text


@pytest.mark.parametrize(
    ("text", "is_alone"),
    [
        (b'{"id":1}', True),
        (b'{ "id":-9223372036854775808 }', True),
        (b'{"id":1,"firstName":"Bo"}', False),
        (b'{"id":1,"_info":{}}', False),
    ],
)
def test_a_short_record_is_one_that_has_more_than_its_id(text: bytes, *, is_alone: bool) -> None:
    assert is_bare(text) is is_alone


def test_records_keep_the_order_of_the_page() -> None:
    page = split_page(b'[{"id":9},{"id":3},{"id":5}]')

    assert [record.id for record in page.records] == [9, 3, 5]


def test_an_empty_page_has_no_records() -> None:
    page = split_page(b" [ ] ")

    assert (page.records, page.rejected) == ([], [])


@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-9, 9) | st.text())))
def test_every_record_with_an_id_is_kept_verbatim(records: list[dict[str, object]]) -> None:
    texts = [json.dumps({**record, "id": number}).encode() for number, record in enumerate(records)]

    page = split_page(b"[" + b",".join(texts) + b"]")

    assert [record.payload for record in page.records] == texts
    assert [record.id for record in page.records] == list(range(len(texts)))


# -------------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b'{"id":1}', b'[{"id":1}', b'[{"id":1},', b'[{"id":1}]]', b"<html></html>", b'[{"id":1',
     b"[[]"],
)  # fmt: skip
def test_what_is_no_whole_array_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(TransientSourceError, match="not a whole JSON array"):
        split_page(body)


# ---------------------------------------------------------------------------------------------------- ids


@pytest.mark.parametrize("text", [b"7", b'"7"', b"7.0", b"7e0"])
def test_an_id_may_be_written_as_number_text_or_whole_float(text: bytes) -> None:
    assert one(b'{"id":' + text + b"}")[0] == 7


@pytest.mark.parametrize("text", [b"-3", b'"-3"', b"-3.0"])
def test_a_negative_id_is_an_id(text: bytes) -> None:
    assert one(b'{"id":' + text + b"}")[0] == -3


@pytest.mark.parametrize(
    "text", [b"true", b"null", b"7.5", b'"seven"', b'""', b"[7]", b'{"id":7}', b'"7.0"', b"1e400", b'"\xc2\xb2"']
)
def test_what_is_no_integer_id_is_rejected(text: bytes) -> None:
    reason, content = rejected(b'{"id":' + text + b"}")

    assert reason == "the record has no integer id"
    assert content == b'{"id":' + text + b"}"


@pytest.mark.parametrize("text", [b"9223372036854775808", b"123456789012345678901234567890", b'"9999999999999999999"'])
def test_an_id_beyond_64_bits_is_rejected(text: bytes) -> None:
    assert rejected(b'{"id":' + text + b"}")[0] == "the record's id does not fit 64 bits"


def test_an_id_of_more_digits_than_python_reads_is_rejected() -> None:
    assert "planted" not in rejected(b'{"id":' + b"9" * 5000 + b"}")[0]


def test_an_id_in_another_case_is_not_the_id() -> None:
    assert one(b'{"ID":5,"id":7,"Id":6}')[0] == 7
    assert rejected(b'{"ID":5}')[0] == "the record has no integer id"


# ---------------------------------------------------------------------------------------- records at fault


@pytest.mark.parametrize("text", [b"5", b'"text"', b"null", b"[]", b"true"])
@pytest.mark.parametrize("drop", [(), DROP])
def test_what_is_no_object_is_rejected_and_its_neighbours_stay(text: bytes, drop: tuple[str, ...]) -> None:
    reason, content = rejected(text, drop=drop)

    assert "object" in reason
    assert content == text


def test_a_record_that_is_not_utf8_is_rejected_with_its_bytes() -> None:
    text = b'{"id":2,"name":"caf\xe9"}'

    assert rejected(text) == ("the record is not UTF-8", text)


def test_a_deeply_nested_record_does_not_take_the_page_with_it() -> None:
    deep = b'{"id":"2","a":' + b"[" * 900 + b"]" * 900 + b"}"

    assert one(deep)[0] == 2


@pytest.mark.parametrize("drop", [(), DROP])
def test_a_record_nested_beyond_all_measure_is_rejected_and_its_neighbours_stay(drop: tuple[str, ...]) -> None:
    text = b'{"id":2,"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"

    assert rejected(text, drop=drop) == ("the record is nested too deeply", text)


def test_a_bare_control_character_costs_its_record_alone() -> None:
    text = b'{"id":2,"a":"\x07"}'

    assert rejected(text) == ("the record is not valid JSON of an object", text)


@given(st.text('[]{},:"\\ \n1', max_size=12))
def test_pieces_of_an_array_are_its_elements_whatever_stands_in_them(text: str) -> None:
    elements = [json.dumps({"a": text}).encode(), json.dumps([text, [text]]).encode(), b"7"]

    assert pieces(b" [" + b" , ".join(elements) + b"]\n", b"[]") == elements


@given(st.binary(max_size=40), st.integers(0, 40))
def test_a_page_cut_anywhere_is_never_taken_for_whole(middle: bytes, at: int) -> None:
    whole = json.dumps([{"id": 1, "half": "\ud83d", "text": middle.hex()}, {"id": 2}]).encode()

    with pytest.raises(TransientSourceError):
        split_page(whole[: len(whole) - 1 - at])


# ------------------------------------------------------------------------------------------------- source time


@pytest.mark.parametrize(
    "text",
    [b"2025-06-01T10:00:00Z", b"2025-06-01T10:00:00", b"2025-06-01T12:00:00+02:00", b"2025-06-01T10:00:00.000Z"],
)
@pytest.mark.parametrize("record_id", [b"1", b'"1"'])
def test_a_source_time_is_read_as_utc_whichever_way_it_is_written(text: bytes, record_id: bytes) -> None:
    record = b'{"id":' + record_id + b',"_info":{"lastUpdated":"' + text + b'"}}'

    assert one(record)[1] == datetime(2025, 6, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "info",
    [b"{}", b"null", b"5", b'"x"', b"[]", b'{"lastUpdated":null}', b'{"lastUpdated":""}', b'{"lastUpdated":5}',
     b'{"lastUpdated":"yesterday"}', b'{"lastUpdated":"2025-02-30T25:61:00Z"}', b'{"lastUpdated":{"a":1}}',
     b'{"lastUpdated":"0001-01-01T00:00:00+14:00"}'],
)  # fmt: skip
def test_a_record_without_a_readable_source_time_is_kept(info: bytes) -> None:
    text = b'{"id":1,"_info":' + info + b"}"

    assert one(text) == (1, None, text)


def test_a_record_without_info_is_kept() -> None:
    assert one(b'{"id":1}')[1] is None


# ----------------------------------------------------------------------------------------- dropped fields


def test_dropped_fields_go_and_the_rest_keeps_its_text() -> None:
    text = b'{"id":1,"portalPassword":"s3cret","n":1.10,"a":"\\u00e9","securityIdentifier":"abc"}'

    assert one(text, drop=DROP)[2] == b'{"id":1,"n":1.10,"a":"\\u00e9"}'


@pytest.mark.parametrize(
    "field",
    [b'"portalPassword":"s3cret"', b'"PORTALPASSWORD":"s3cret"', b'"portalP\\u0061ssword":"s3cret"',
     b'"portalPassword":{"a":["s3cret"]}', b'"portalPassword":1,"portalPassword":"s3cret"',
     b'"portalPassword":"a\\"s3cret"', b'"portalPassword" : "s3cret"'],
)  # fmt: skip
@pytest.mark.parametrize(
    "rest",
    [b'"id":1', b'"id":null', b'"name":"caf\xe9"', b'"id":1,"half":"\\ud83d"', b'"id":1,"\\ud83d":2',
     b'"id":1,"\xff":2', b'"id":1,"bell":"\x07"'],
)  # fmt: skip
def test_a_dropped_field_reaches_neither_raw_nor_quarantine(field: bytes, rest: bytes) -> None:
    page = split_page(b"[{" + field + b"," + rest + b"},[{" + field + b"}]]", drop_fields=DROP)

    kept = [record.payload for record in page.records] + [item.content for item in page.rejected]
    assert len(kept) == 2
    assert not any(b"s3cret" in content for content in kept)


def test_a_dropped_field_inside_another_field_stays() -> None:
    text = b'{"id":1,"a":{"portalPassword":"not the contact\'s"}}'

    assert one(text, drop=DROP)[2] == text
