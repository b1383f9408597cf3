"""The keys of raw parts. A key tells job, chunk, fence, page and the range of ids inside, so that a listing is an
index.

    {job}/{chunk}-f{fence}-p{page}-{min id}-{max id}.parquet
    deletions/{job}/{chunk}-f{fence}-p{page}-{min id}-{max id}.parquet

The fence makes the key unique to the attempt. With job, chunk and first id alone a row would be lost: part 1-1000
lands,
crash, 500 is deleted at the source, the page read again holds 1-1001, its put is refused, and 1001 counts as durable.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_KEY: Final = re.compile(
    r"(?P<deletions>deletions/)?(?P<job>[^/]+)/(?P<chunk>[^/]+)-f(?P<fence>\d+)-p(?P<page>\d+)-"
    r"(?P<low>n?\d+)-(?P<high>n?\d+)\.parquet"
)


class ParsedKey(NamedTuple):
    """What the part of a key behind the endpoint's prefix tells."""

    job_id: str
    chunk: str
    min_id: int
    max_id: int
    is_deletions: bool


def part_file(*, chunk_id: str, job_id: str, fence: int, page: int, min_id: int, max_id: int) -> str:
    """Return `{job}/{file name}` of a part; `n` stands for a minus sign."""
    chunk = chunk_id.removeprefix(job_id).lstrip("/-#") or "0"
    name = f"{chunk.replace('/', '-')}-f{fence}-p{page:05d}-{_text(min_id)}-{_text(max_id)}.parquet"
    return f"{job_id}/{name}"


def parse_part_file(name: str) -> ParsedKey | None:
    """Return what a key (less the endpoint's prefix) tells, or None when it is not a part of ours."""
    found = _KEY.fullmatch(name)
    if found is None:
        return None
    return ParsedKey(
        found["job"], found["chunk"], _number(found["low"]), _number(found["high"]), found["deletions"] is not None
    )


def _text(number: int) -> str:
    return str(number) if number >= 0 else f"n{-number}"


def _number(text: str) -> int:
    return -int(text[1:]) if text.startswith("n") else int(text)
