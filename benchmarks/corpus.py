"""The tickets that every contender reads: made once by the simulator, kept as a file from which any page is a slice.

Records lie one after another with a comma between them, so that the page after any id is `[`, a range of bytes, `]`.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from avesa.simulator.site import CompanySpec, Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FIRST_ID: Final = 100_001
_DISTINCT: Final = 20_000
"""Contents that the simulator makes, which takes it a while; far more than any page, file or batch holds at once."""
_PARTS: Final = ("ids", "seconds", "starts")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where the tickets lie: the file, and for each ticket in order of id its id, source time and first byte."""

    path: Path
    ids: array[int]
    seconds: array[int]
    starts: array[int]
    """One more than there are tickets: the last one is where the file ends."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def mean_bytes(self) -> float:
        """How long a record's text is on average."""
        return self.starts[-1] / len(self.ids) - 1


def corpus_path(folder: Path, tickets: int) -> Path:
    """Return where the corpus of that many tickets lies."""
    return folder / f"tickets-{tickets}.bytes"


def make(path: Path, tickets: int) -> Corpus:
    """Return the simulator's corpus of that many tickets, made now unless it is there already."""
    if path.with_suffix(".starts").is_file():
        return read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    site = Site(companies=[CompanySpec(login="acme", sizes={"tickets": min(tickets, _DISTINCT)})])
    rows = site.company("acme").table("service/tickets").snapshot
    return write(path, _numbered(list(rows.stamps), list(rows.bodies), tickets))


def _numbered(seconds: list[int], bodies: list[bytes], count: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield that many records with ids from FIRST_ID on, their contents coming round again and again."""
    rests = [body.partition(b",")[2] for body in bodies]
    assert all(re.match(rb'\{"id":\d+,', body) for body in bodies), "a record does not begin with its id"
    for at in range(count):
        place = at % len(rests)
        yield FIRST_ID + at, seconds[place], b'{"id":%d,%b' % (FIRST_ID + at, rests[place])


def write(path: Path, records: Iterable[tuple[int, int, bytes]]) -> Corpus:
    """Return a corpus of (id, source time in seconds, JSON text), ascending by id, written to `path`."""
    ids, seconds, starts = array("q"), array("q"), array("q", [0])
    with path.open("wb") as file:
        for record_id, updated, text in records:
            ids.append(record_id)
            seconds.append(updated)
            starts.append(starts[-1] + file.write(text + b","))
    found = Corpus(path, ids, seconds, starts)
    for name in _PARTS:  # the last of them says that all is there
        path.with_suffix(f".{name}").write_bytes(getattr(found, name).tobytes())
    return found


def read(path: Path) -> Corpus:
    """Return the corpus that lies at `path`."""
    parts = []
    for name in _PARTS:
        values = array("q")
        values.frombytes(path.with_suffix(f".{name}").read_bytes())
        parts.append(values)
    return Corpus(path, *parts)
