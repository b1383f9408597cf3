"""How long a table's answers and records take: learned from its past runs, and guessed where there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from avesa.domain.model import ReadMode, Status

if TYPE_CHECKING:
    from avesa.domain.model import TableRun, TableState, Usage

_LARGE: Final = 2_000
"""A run of so many records tells how long records take; a smaller one tells how long everything else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Seconds and bytes; the defaults are guesses, from the simulator on one machine."""

    answer_seconds: float = 0.3
    record_seconds: float = 0.0002
    overhead_seconds: float = 0.5
    record_bytes: float = 3_000.0

    def seconds(self, *, rounds: int, records: int) -> float:
        """Return how long a read takes that waits for `rounds` answers one after the other."""
        return self.overhead_seconds + rounds * self.answer_seconds + records * self.record_seconds


def rates_of(state: TableState, mode: ReadMode, *, sampled: Usage | None, guesses: list[str]) -> Rates:
    """Return the rates for a read of `mode`; what is guessed is added to `guesses`, in words."""
    usual = Rates()
    whole = [run for run in state.runs if run.status is Status.COMPLETED and not run.is_resumed and run.usage.requests]
    alike = [run for run in whole if (run.mode is ReadMode.INCREMENT) == (mode is ReadMode.INCREMENT)]
    if not alike:
        guesses.append(
            "minutes: no run of this kind is remembered; answers are taken to be as slow as those just asked"
        )
    seen = alike or whole
    if not seen:
        return _from_sample(usual, sampled, guesses)
    latest = seen[0]
    answer = latest.usage.answered_seconds / latest.usage.requests
    size = _bytes_of(whole) or usual.record_bytes
    record = _record_seconds(whole, usual)
    # What neither answers nor records explain is there each time: leases, plans, commits.
    rest = latest.seconds - latest.usage.answered_seconds - latest.records * record
    overhead = max(0.0, rest) if alike and latest.records < _LARGE else usual.overhead_seconds
    return Rates(answer_seconds=answer, record_seconds=record, overhead_seconds=overhead, record_bytes=size)


def _from_sample(usual: Rates, sampled: Usage | None, guesses: list[str]) -> Rates:
    guesses.append("minutes: how long folding takes is taken from the simulator on one machine")
    if sampled is None or not sampled.requests:
        return usual
    guesses.append("bytes: from a page of a few records")
    return Rates(
        answer_seconds=max(usual.answer_seconds, sampled.answered_seconds / sampled.requests),
        record_bytes=float(sampled.received_bytes) or usual.record_bytes,
    )


def _bytes_of(runs: list[TableRun]) -> float:
    records = sum(run.records for run in runs)
    return sum(run.usage.received_bytes for run in runs) / records if records else 0.0


def _record_seconds(runs: list[TableRun], usual: Rates) -> float:
    """Return what a record took in the latest large run beside waiting, of which much happens side by side."""
    large = next((run for run in runs if run.records >= _LARGE), None)
    if large is None:
        return usual.record_seconds
    waited = large.usage.answered_seconds / max(1, large.chunks)
    return max(0.0, large.seconds - usual.overhead_seconds - waited) / large.records
