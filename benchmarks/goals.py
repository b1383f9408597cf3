"""The goals of docs/performance.md beside what was measured: reached, or missed by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MEGABYTES: Final = 400


class Goal(NamedTuple):
    """What is to be reached, the figure, and its bound: at most, or at least."""

    what: str
    found: float
    bound: float
    is_at_most: bool

    @property
    def is_reached(self) -> bool:
        """Whether the figure keeps the bound."""
        return self.found <= self.bound if self.is_at_most else self.found >= self.bound

    def line(self) -> str:
        """Return the goal as a line of the table."""
        bound = f"{'at most' if self.is_at_most else 'at least'} {self.bound:g}"
        factor = self.found / self.bound if self.is_at_most else self.bound / self.found if self.found else 0.0
        verdict = "reached" if self.is_reached else f"**missed** by a factor of {factor:.2f}"
        return f"| {self.what} | {bound} | {self.found:g} | {verdict} |"


def table(measured: Mapping[str, Any]) -> str:
    """Return the goals of which there are figures, as Markdown."""
    goals = [*_no_latency(measured), *_latency(measured), *_growth(measured)]
    heads = ["| goal | bound | measured | |", "|---|---|---|---|"]
    return "\n".join([*heads, *(goal.line() for goal in goals)])


def _no_latency(measured: Mapping[str, Any]) -> Iterator[Goal]:
    for comparison in measured.get("peers-500k", {}).get("tables", ()):
        rows = {row["contender"]: row for row in comparison["rows"] if "failure" not in row}
        own = rows.get("AVESA")
        if own is None:
            continue
        for contender, bound in (("dlt rest_api, scd2", 25), ("dlt, Arrow path", 2), ("requests + pandas", 10)):
            if contender in rows and rows[contender]["times_avesa"] is not None:
                what = f"500k tickets: times as fast as {contender}"
                yield Goal(what, rows[contender]["times_avesa"], bound, is_at_most=False)
        yield Goal("500k tickets: CPU seconds per million records", own["cpu_seconds_per_million"], 30, is_at_most=True)
        yield Goal("500k tickets: MB a process", own["process_mb"], _MEGABYTES, is_at_most=True)


def _latency(measured: Mapping[str, Any]) -> Iterator[Goal]:
    for comparison in measured.get("latency", {}).get("tables", ()):
        rows = {row["contender"]: row for row in comparison["rows"] if "failure" not in row}
        own, at_once = rows.get("AVESA"), comparison["in_flight"]
        if own is None:
            continue
        bound = round(1.25 * comparison["tickets"] / 1000 / at_once * comparison["latency"] + 1.5, 2)
        yield Goal(f"1 s a page, {at_once} in flight: seconds", own["wall_seconds"], bound, is_at_most=True)
        peer = rows.get("dlt rest_api, scd2")
        if at_once == 32 and peer is not None and peer["times_avesa"] is not None:
            what = "1 s a page, 32 in flight: times as fast as dlt rest_api, scd2"
            yield Goal(what, peer["times_avesa"], 25, is_at_most=False)


def _growth(measured: Mapping[str, Any]) -> Iterator[Goal]:
    rows = {(row["rows"], row["what"]): row for row in measured.get("growth", {}).get("rows", ())}
    if not rows:
        return
    least, most = min(size for size, _ in rows), max(size for size, _ in rows)
    recent, uniform, polars = "AVESA, 95 % recent", "AVESA, uniform", "Polars, whole table rewritten"
    times = rows[most, recent]["wall_seconds"] / rows[least, recent]["wall_seconds"]
    name = f"1,000 recent changes on {most:,} rows"
    yield Goal(f"{name}: times the time on {least:,} rows", round(times, 2), 2, is_at_most=True)
    yield Goal(f"{name}: MB written", rows[most, recent]["written_mb"], 32, is_at_most=True)
    times = rows[most, uniform]["wall_seconds"] / rows[most, polars]["wall_seconds"]
    name = f"1,000 changes anywhere on {most:,} rows"
    yield Goal(f"{name}: times the time of a rewrite by Polars", round(times, 2), 1, is_at_most=True)
    yield Goal(f"{name}: MB a process", rows[most, uniform]["process_mb"], _MEGABYTES, is_at_most=True)
