"""Reading many records at once gives, value for value, what reading each of them gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from avesa.canonical.columns import ColumnReader
from avesa.canonical.projection import Projection
from avesa.domain.errors import DataError
from tests.unit.canonical.test_projection import MAPPINGS, THINGS, _tree, json_texts

if TYPE_CHECKING:
    from avesa.canonical.mapping import CanonicalMapping

_Row = tuple[tuple[object, ...], str | None, bool, str | None]


def each_alone(mapping: CanonicalMapping, payloads: list[bytes]) -> list[_Row]:
    projection = Projection(mapping)
    rows: list[_Row] = []
    for payload in payloads:
        try:
            read = projection.project(payload)
        except DataError as error:
            rows.append(((None,) * projection.width, None, False, str(error)))
        else:
            rows.append((read.values, read.record_hash, bool(read.coerced), None))
    return rows


def all_at_once(mapping: CanonicalMapping, payloads: list[bytes]) -> list[_Row]:
    found = ColumnReader(mapping).read(payloads)
    columns = zip(*found.columns, strict=True)
    return list(zip(columns, found.hashes, found.is_coerced, found.unreadable, strict=True))


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.table)
@pytest.mark.parametrize("oddness", [0, 12, 60])
def test_columns_are_what_each_record_gives(mapping: CanonicalMapping, oddness: int) -> None:
    @settings(max_examples=20)
    @given(st.lists(json_texts(_tree(mapping), oddness), min_size=1, max_size=4))
    def agree(texts: list[str]) -> None:
        payloads = [text.encode("utf-8", "surrogatepass") for text in texts]

        assert repr(all_at_once(mapping, payloads)) == repr(each_alone(mapping, payloads))

    agree()


seconds = st.integers(0, 99).map(lambda number: f"{number:02d}")
times = st.builds(
    "{}{}{}:{}:{}{}{}".format,
    st.sampled_from(["2026-03-01", "2026-02-30", "0001-01-01", "9999-12-31", "2016-12-31"]),
    st.sampled_from(["T", "t", " ", ""]),
    st.integers(0, 25).map(lambda hour: f"{hour:02d}"),
    seconds,
    seconds,
    st.sampled_from(["", "", ".", ".0", ".5", ".1234567", ".0000004", ".9999995", ".999999", ",9"]),
    st.sampled_from(["Z", "Z", "z", "", "+00:00", "-00:00", "+02:00", "+0200", "-23:59", "+99:00"]),
)


@settings(max_examples=150)
@given(times, st.sampled_from(["", '"otherDay":"2026-03-02T00:00:00Z",']))
def test_a_time_means_the_same_in_whatever_form(text: str, other: str) -> None:
    payload = f'{{"id":1,"day":"{text}",{other}"_info":{{"lastUpdated":"{text}"}}}}'.encode()

    (found,) = all_at_once(THINGS, [payload])

    event(f"read: {found[0][9] is not None}")
    assert repr([found]) == repr(each_alone(THINGS, [payload]))


@pytest.mark.parametrize(
    "odd",
    [
        b'{"id":2,"text":"a\\u0000b"}',
        b'{"id":"2"}',
        b'{"id":9223372036854775808}',
        b'{"id":2,"count":9223372036854775808}',
        b'{"id":2,"a":null}',
        b'{"id":2,"hours":"7"}',
        b'{"id":2,"types":[{"name":{}}]}',
        b'{"id":2,"day":"2026-03-01T10:00:00.9999999Z"}',
        b'{"text":"no id"}',
        b"[]",
        b"{",
    ],
)
def test_an_odd_record_keeps_its_place_among_plain_ones(odd: bytes) -> None:
    payloads = [b'{"id":1,"_info":{"lastUpdated":"2026-03-01T10:00:00Z"}}', odd, b'{"id":3,"hours":-0.0,"text":7}']

    assert repr(all_at_once(THINGS, payloads)) == repr(each_alone(THINGS, payloads))


def test_no_records_are_no_rows() -> None:
    assert all_at_once(THINGS, []) == []
