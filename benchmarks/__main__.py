"""AVESA beside its peers, and as its tables grow; docs/performance.md is written from what this measures.

python3 scripts/dev.py bench                    everything, about 25 minutes after the peers are installed
python3 scripts/dev.py bench --quick            10,000 tickets, every part once, within two minutes; nothing is written
python3 scripts/dev.py bench --only peers-100k  one part, or several of them
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import corpus, report
from benchmarks.contenders import PEER_LIST, REPOSITORY
from benchmarks.growth import grow
from benchmarks.installed import peers_python
from benchmarks.profile import profiled
from benchmarks.rounds import Comparison, compare
from benchmarks.tenants import load_tenants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FAST: Final = tuple(peer for peer in PEER_LIST if peer.scripts != ("singer_tap.py", "singer_target.py"))
_DLT: Final = tuple(peer for peer in PEER_LIST if peer.scripts == ("dlt_scd2.py",))


_TENANTS: Final = ((1, 1), (4, 2), (4, 4))


class Bench:
    """Where things lie, and how large they are."""

    def __init__(self, *, python: Path, folder: Path, is_quick: bool) -> None:
        self.python, self.folder, self.is_quick = python, folder, is_quick

    def peers_100k(self) -> dict[str, Any]:
        """Every contender, no latency."""
        tickets = 10_000 if self.is_quick else 100_000
        return self._compared(tickets, [("no latency", PEER_LIST, 0.0, 8, 1 if self.is_quick else 3)])

    def peers_500k(self) -> dict[str, Any]:
        """The larger load; whoever needs minutes for it runs once."""
        tickets = 20_000 if self.is_quick else 500_000
        chosen = _FAST[:1] if self.is_quick else _FAST
        return self._compared(tickets, [("no latency", chosen, 0.0, 8, 1 if self.is_quick else 3)])

    def latency(self) -> dict[str, Any]:
        """A hundred pages that take a second each, which is what a user feels."""
        tickets = 16_000 if self.is_quick else 100_000
        cases = [
            (f"1 s a page, {at_once} in flight", () if self.is_quick else _DLT, 1.0, at_once, 1 if self.is_quick else 3)
            for at_once in ((8,) if self.is_quick else (8, 16, 32))
        ]
        return self._compared(tickets, cases)

    def growth(self) -> dict[str, Any]:
        """Increments of 1,000 changes on tables of three sizes, recent and uniform."""
        sizes = (20_000, 100_000) if self.is_quick else (100_000, 1_000_000, 5_000_000)
        return {"rows": grow(sizes, rounds=1 if self.is_quick else 3, folder=self.folder, python=self.python)}

    def tenants(self) -> dict[str, Any]:
        """Several tenants side by side in one run: how fast, and how much memory."""
        tickets = 5_000 if self.is_quick else 100_000
        path = corpus.corpus_path(self.folder, tickets)
        corpus.make(path, tickets)
        return {"tickets": tickets, "rows": load_tenants(path, tickets, [(2, 2)] if self.is_quick else _TENANTS)}

    def profile(self) -> dict[str, Any]:
        """Where the time of a load goes, and the floor of each stage."""
        return profiled(self.folder, 10_000 if self.is_quick else 100_000)

    def _compared(self, tickets: int, cases: list[tuple[str, Any, float, int, int]]) -> dict[str, Any]:
        path = corpus.corpus_path(self.folder, tickets)
        made = corpus.make(path, tickets)
        tables = []
        for title, peers, latency, in_flight, rounds in cases:
            told = f"{tickets:,} tickets of {made.mean_bytes:,.0f} bytes, {title}"
            print(told, file=sys.stderr, flush=True)
            comparison = Comparison(
                corpus=path, tickets=tickets, peers=peers, rounds=rounds, latency=latency, in_flight=in_flight
            )
            facts = {"tickets": tickets, "latency": latency, "in_flight": in_flight}
            tables.append({"title": told, **facts, "rows": compare(comparison, self.python)})
        return {"tables": tables}


PARTS: Final[Mapping[str, Callable[[Bench], dict[str, Any]]]] = {
    "peers-100k": Bench.peers_100k,
    "peers-500k": Bench.peers_500k,
    "latency": Bench.latency,
    "growth": Bench.growth,
    "tenants": Bench.tenants,
    "profile": Bench.profile,
}


def main() -> int:
    """Measure the parts that were asked for; write the page, or with `--quick` only say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round, nothing is written")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part alone; may be given again")
    options = parser.parse_args()
    folder = Path(os.environ.get("AVESA_BENCH") or REPOSITORY / ".bench")
    python = peers_python(folder)
    bench = Bench(python=python, folder=folder, is_quick=options.quick)
    chosen = options.only or list(PARTS)
    began = time.perf_counter()
    for name in chosen:
        found = PARTS[name](bench)
        if options.quick:
            print(f"{report.shown(name, found)}\n")
        else:
            only = "".join(f" --only {part}" for part in options.only or ())
            report.keep(name, found, peers=python, command=f"python3 scripts/dev.py bench{only}")
    print(f"bench: {time.perf_counter() - began:.0f} s in all", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
