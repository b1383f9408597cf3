"""What goes wrong in a history: which kinds of fault there are, how often each strikes, and how often each did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import CommitConflict, CommitOutcomeUnknown, StorageError
from avesa.simulator.site import FaultKind, Rule

if TYPE_CHECKING:
    import random

    from avesa.simulator.site import Site


class Moment(StrEnum):
    """When a port's call fails: before it did anything, or after it did all."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class PortFault:
    """A way in which a port's call may fail."""

    name: str
    calls: tuple[str, ...]
    moment: Moment
    error: type[Exception] = StorageError


_STATE_WRITES: Final = ("tables.save", "chunks.add")
PORT_FAULTS: Final = (
    PortFault("raw put refused", ("raw.put_page", "raw.write", "raw.write_deletions"), Moment.BEFORE),
    PortFault("raw put landed, not told", ("raw.put_page", "raw.write", "raw.write_deletions"), Moment.AFTER),
    PortFault("checkpoint refused", ("chunks.checkpoint",), Moment.BEFORE),
    PortFault("checkpoint landed, not told", ("chunks.checkpoint",), Moment.AFTER),
    PortFault("state write refused", _STATE_WRITES, Moment.BEFORE),
    PortFault("state write landed, not told", _STATE_WRITES, Moment.AFTER),
    PortFault("lease refused", ("tables.acquire", "tables.renew", "tables.release"), Moment.BEFORE),
    PortFault("lease taken, not told", ("tables.acquire", "tables.renew", "tables.release"), Moment.AFTER),
    PortFault("job record refused", ("jobs.put",), Moment.BEFORE),
    PortFault("state unreadable", ("tables.get", "chunks.get", "chunks.list", "registry.get"), Moment.BEFORE),
    PortFault("lake unreadable", ("lake.get", "lake.list", "raw.list", "raw.ids", "canonical.open"), Moment.BEFORE),
    PortFault("lake put refused", ("lake.put",), Moment.BEFORE),
    PortFault("lake put landed, not told", ("lake.put",), Moment.AFTER),
    PortFault("fold failed", ("canonical.fold",), Moment.BEFORE),
    PortFault("fold written, not told", ("canonical.fold",), Moment.AFTER),
    PortFault("commit conflict", ("canonical.commit",), Moment.BEFORE, CommitConflict),
    PortFault("commit unknown, not landed", ("canonical.commit",), Moment.BEFORE, CommitOutcomeUnknown),
    PortFault("commit unknown, landed", ("canonical.commit",), Moment.AFTER, CommitOutcomeUnknown),
)
_RARE_CALLS: Final = {
    "canonical.commit": 0.35,
    "canonical.fold": 0.3,
    "tables.save": 0.15,
    "tables.acquire": 0.2,
    "jobs.put": 0.15,
    "lake.put": 0.9,
}
"""Calls that a run makes once or twice: their faults must strike more often to strike at all."""

TRANSPORT_FAULTS: Final = ("connection refused", "connection reset", "no answer in time", "page repeated")
_LISTS: Final = "*s"
_COUNTS: Final = "*/count"
_LIES: Final = ("empty list", "record missing", "count wrong")
RESPONSE_FAULTS: Final = {
    "429 in seconds": Rule(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=7),
    "429 as a date": Rule(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=20, as_date=True),
    "429 as HTML": Rule(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=45, html=True),
    "500 timeout": Rule(kind=FaultKind.TIMEOUT),
    "500": Rule(kind=FaultKind.SERVER_ERROR, status=500),
    "502": Rule(kind=FaultKind.SERVER_ERROR, status=502, html=True),
    "503": Rule(kind=FaultKind.SERVER_ERROR, status=503),
    "504": Rule(kind=FaultKind.SERVER_ERROR, status=504, html=True),
    "520": Rule(kind=FaultKind.SERVER_ERROR, status=520, html=True),
    "body cut": Rule(kind=FaultKind.CUT_BODY),
    "JSON truncated": Rule(kind=FaultKind.TRUNCATED_JSON),
    "404 page": Rule(kind=FaultKind.NOT_FOUND_PAGE),
    "401": Rule(kind=FaultKind.UNAUTHORIZED),
    "403": Rule(kind=FaultKind.FORBIDDEN),
    "redirect": Rule(kind=FaultKind.REDIRECT),
    "codebase moved": Rule(kind=FaultKind.CODEBASE_MOVE),
    "page capped": Rule(kind=FaultKind.CAPPED_PAGE, path=_LISTS, limit=9),
    "filter ignored": Rule(kind=FaultKind.IGNORED_FILTER),
    "empty list": Rule(kind=FaultKind.EMPTY_LIST, path=_LISTS),
    "record missing": Rule(kind=FaultKind.MISSING_RECORD, path=_LISTS),
    "count wrong": Rule(kind=FaultKind.WRONG_COUNT, path=_COUNTS, delta=-1),
}
_ONCE: Final = frozenset({"401", "403", "redirect", "404 page", "codebase moved", "filter ignored", *_LIES})
"""Faults that end a table or a tenant, and lies: one of them in a history is enough."""
_WORD_OF_LIES: Final = dict.fromkeys(_LIES, (0.5, 8))
"""How likely a lie strikes, and how many requests it lets pass before, at most: a run asks for few counts."""
PROCESS_FAULTS: Final = ("crash", "stands still", "renewal missed", "disk full", "clock put back", "unreadable record")
_WRITES: Final = frozenset(
    {
        *("raw.write", "raw.write_deletions", "lake.put", "canonical.fold", "canonical.commit"),
        *("tables.save", "tables.acquire", "tables.renew", "chunks.add", "chunks.checkpoint", "jobs.put"),
    }
)
"""Calls that need room on the disk."""


class Weather:
    """The faults of one history, and how often each has struck."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self.struck: Counter[str] = Counter()
        self.is_calm = True
        self._calls: dict[str, list[tuple[PortFault, float]]] = {}
        self._transport: dict[str, float] = {}
        self.renewal_missed = 0.0
        self.full_until = 0.0
        """Until when, in simulated seconds, nobody can write."""
        self._rules: dict[Rule, str] = {}
        self._before: Counter[str] = Counter()

    def begin(self, site: Site) -> None:
        """Draw what may go wrong from now on."""
        self.is_calm = False
        rng = self._random
        for fault in PORT_FAULTS:
            if rng.random() < 0.3:
                for call in fault.calls:
                    rate = _RARE_CALLS.get(call, 0.05) * rng.random()
                    self._calls.setdefault(call, []).append((fault, rate))
        self._transport = {name: 0.03 * rng.random() for name in TRANSPORT_FAULTS if rng.random() < 0.4}
        self.renewal_missed = rng.choice((0.0, 0.0, 0.3, 1.0))
        lie = rng.choice(_LIES)
        for name, rule in RESPONSE_FAULTS.items():
            is_drawn = name == lie if name in _LIES else rng.random() < 0.35
            if is_drawn:
                self._add(site, name, rule)

    def _add(self, site: Site, name: str, rule: Rule) -> None:
        rng = self._random
        once = name in _ONCE
        codebase = f"v2026_{rng.randrange(1, 9)}/"
        usual = (0.1 if once else 0.08 * rng.random(), 60)
        probability, most_skipped = _WORD_OF_LIES.get(name, usual)
        made = replace(
            rule,
            path=rule.path,
            probability=probability,
            times=1 if once else rng.randrange(1, 6),
            skip=rng.randrange(most_skipped),
            codebase=codebase,
        )
        self._rules[made] = name
        site.faults.add(made)

    def end(self, site: Site) -> None:
        """Let nothing go wrong any more, and count what the server did wrong."""
        self.is_calm = True
        for rule, struck in site.faults.rules():
            self.struck[self._rules[rule]] += struck
        site.faults.clear()

    def draw(self, call: str, *, now: float) -> tuple[Moment, Exception] | None:
        """Return how this call of a port fails, or None."""
        if self.is_calm:
            return None
        if now < self.full_until and call in _WRITES:
            self.struck["disk full"] += 1
            return Moment.BEFORE, StorageError(f"{call}: no space left on the disk (drawn)")
        for fault, rate in self._calls.get(call, ()):
            if self._random.random() < rate:
                self.struck[fault.name] += 1
                return fault.moment, fault.error(f"{call}: {fault.name} (drawn)")
        return None

    def draw_transport(self, *names: str) -> str | None:
        """Return which of the transport's faults strikes, or None."""
        if self.is_calm:
            return None
        for name in names:
            rate = self._transport.get(name)
            if rate is not None and self._random.random() < rate:
                self.struck[name] += 1
                return name
        return None

    def misses_renewal(self) -> bool:
        """Whether this renewal of a lease does not get through."""
        if self.is_calm or self._random.random() >= self.renewal_missed:
            return False
        self.struck["renewal missed"] += 1
        return True
