"""The benchmark's source answers as ConnectWise does, or its figures would be of another job."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import corpus
from benchmarks.source import listen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = 86_400


@pytest.fixture
def get(tmp_path: Path) -> Callable[..., tuple[Any, str]]:
    """Seven records with the ids 10, 20, … 70, each a day newer than the one before."""
    records = [(number * 10, number * DAY, b'{"id":%d,"n":%d}' % (number * 10, number)) for number in range(1, 8)]
    port = listen(corpus.write(tmp_path / "c.bytes", records))

    def ask(query: str, *, forward: bool = False) -> tuple[Any, str]:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"pagination-type": "forward-only"} if forward else {}
        connection.request("GET", f"/v2025_1/apis/3.0/service/tickets{query}", headers=headers)
        response = connection.getresponse()
        body, link = json.loads(response.read()), response.headers.get("Link", "")
        connection.close()
        return body, link

    return ask


def ids(page: list[dict[str, int]]) -> list[int]:
    return [record["id"] for record in page]


def test_pages_by_number_hold_every_record_once(get: Callable[..., tuple[Any, str]]) -> None:
    pages = [get(f"?page={number}&pageSize=3&orderBy=id%20asc") for number in (1, 2, 3)]

    assert [ids(page) for page, _ in pages] == [[10, 20, 30], [40, 50, 60], [70]]
    assert ["next" in link for _, link in pages] == [True, True, False]


def test_forward_only_pages_go_on_after_an_id_within_the_conditions(
    get: Callable[..., tuple[Any, str]],
) -> None:
    first, link = get("?pageSize=2&conditions=id%20%3C%3D%2050", forward=True)
    last, end = get("?pageSize=3&pageId=20&conditions=id%20%3C%3D%2050", forward=True)

    assert (ids(first), ids(last)) == ([10, 20], [30, 40, 50])
    assert "pageId=20" in link
    assert end == ""


def test_a_filter_on_the_source_time_leaves_gaps_and_is_counted(
    get: Callable[..., tuple[Any, str]],
) -> None:
    since = "conditions=lastUpdated%20%3E%20%5B1970-01-06T00:00:00Z%5D"

    page, _ = get(f"?pageSize=9&{since}%20and%20id%20%3E%2060", forward=True)
    chosen, _ = get("?pageSize=9&conditions=id%20in%20(20,70)", forward=True)
    count, _ = get(f"/count?{since}")

    assert page == [{"id": 70, "n": 7}]
    assert chosen == [{"id": 20, "n": 2}, {"id": 70, "n": 7}]
    assert count == {"count": 2}


def test_the_nth_id_is_found_without_reading_records(get: Callable[..., tuple[Any, str]]) -> None:
    page, _ = get("?fields=id&page=4&pageSize=1")

    assert page == [{"id": 40}]
