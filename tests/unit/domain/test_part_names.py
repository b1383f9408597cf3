"""A part's key tells all that a listing needs, and belongs to one attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avesa.domain.part_names import parse_part_file, part_file

JOB = "20261123T150405Z-k3x9qa"


@given(
    low=st.integers(-(2**63) + 1, 2**63 - 1),
    high=st.integers(-(2**63) + 1, 2**63 - 1),
    fence=st.integers(0, 2**40),
    page=st.integers(0, 10**6),
    is_deletions=st.booleans(),
)
def test_a_key_tells_back_what_it_was_made_of(
    low: int, high: int, fence: int, page: int, *, is_deletions: bool
) -> None:
    name = part_file(
        chunk_id=f"{JOB}/service/tickets/00001", job_id=JOB, fence=fence, page=page, min_id=low, max_id=high
    )

    found = parse_part_file(f"deletions/{name}" if is_deletions else name)

    assert found is not None
    assert (found.job_id, found.min_id, found.max_id, found.is_deletions) == (JOB, low, high, is_deletions)


def test_two_attempts_at_one_page_have_two_keys() -> None:
    """The lost row of the design: 1-1000 lands, crash, 500 is deleted, the page is read again as 1-1001."""
    first = part_file(chunk_id=f"{JOB}/a/b/00001", job_id=JOB, fence=1, page=1, min_id=1, max_id=1000)
    again = part_file(chunk_id=f"{JOB}/a/b/00001", job_id=JOB, fence=2, page=1, min_id=1, max_id=1000)

    assert first != again


def test_a_chunk_without_a_number_of_its_own_has_a_key() -> None:
    assert part_file(chunk_id=JOB, job_id=JOB, fence=1, page=2, min_id=3, max_id=4) == f"{JOB}/0-f1-p00002-3-4.parquet"


@pytest.mark.parametrize(
    "name", ["", "x.parquet", "a/b.parquet", "a/b-f1-p1-1-2.parquet.tmp", "a/b/c-f1-p1-1-2.parquet"]
)
def test_what_is_no_part_of_ours_is_left_alone(name: str) -> None:
    assert parse_part_file(name) is None
