"""What may go wrong between a client and the API, switched on by rules and drawn from a seed.

A rule strikes the requests that it matches: it replaces the answer, alters the request, or spoils the answer.
With the same seed, rules and order of requests the same requests are struck.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TypeAlias

Wanted: TypeAlias = tuple[str, bytes]
"""What a request asks for: its target and its body."""


class FaultKind(StrEnum):
    """The kinds of fault; each names the parameters that it reads from its rule."""

    TOO_MANY_REQUESTS = "too_many_requests"  # retry_after, as_date, html
    SERVER_ERROR = "server_error"  # status, html
    TIMEOUT = "timeout"  # the 500 that says "A timeout has occured"
    NOT_FOUND_PAGE = "not_found_page"  # the web server's own 404
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    REDIRECT = "redirect"  # host: another one, to which credentials must not follow
    CODEBASE_MOVE = "codebase_move"  # codebase: from this request on the old one is not found
    LATENCY = "latency"  # seconds
    CUT_BODY = "cut_body"  # share: of the announced length that is sent before the connection closes
    TRUNCATED_JSON = "truncated_json"  # share: of the text, with a right length
    EMPTY_LIST = "empty_list"  # a 200 that claims there is nothing
    CAPPED_PAGE = "capped_page"  # limit: rows a page, whatever was asked
    IGNORED_FILTER = "ignored_filter"
    REPEATED_PAGE = "repeated_page"  # the page before once more, under this page's link
    MISSING_RECORD = "missing_record"
    WRONG_COUNT = "wrong_count"  # delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault and whom it strikes: paths by pattern (`service/tickets*`), one company or all.

    Of the matching requests the first `skip` pass; then each is struck with the probability, at most `times` times.
    """

    kind: FaultKind
    path: str = "*"
    company: str | None = None
    probability: float = 1.0
    skip: int = 0
    times: int | None = None
    status: int = 503
    retry_after: int = 1
    as_date: bool = False
    html: bool = False
    seconds: float = 0.0
    share: float = 0.5
    limit: int = 100
    delta: int = 1
    host: str = "other.example"
    codebase: str = "v2025_2/"

    def matches(self, company: str | None, path: str) -> bool:
        """Tell whether the rule is about this company's request for this path (without the API base)."""
        is_about = self.company is None or (company is not None and company.lower() == self.company.lower())
        return is_about and fnmatchcase(path.lower(), self.path.lower())


@dataclass(slots=True)
class _Counted:
    rule: Rule
    seen: int = 0
    struck: int = 0


@dataclass(slots=True)
class Faults:
    """The rules in force; any thread may add, clear and ask."""

    seed: int = 7
    _rules: list[_Counted] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _random: random.Random = field(init=False)
    _pages: dict[tuple[str | None, str], list[tuple[Wanted, bytes]]] = field(default_factory=dict)
    """The last two pages of each path that answered different requests, newest last."""

    def __post_init__(self) -> None:
        self._random = random.Random(f"faults/{self.seed}")

    def add(self, *rules: Rule) -> None:
        with self._lock:
            self._rules += [_Counted(rule) for rule in rules]

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._pages.clear()

    def rules(self) -> list[tuple[Rule, int]]:
        """Return the rules in force and how often each has struck."""
        with self._lock:
            return [(counted.rule, counted.struck) for counted in self._rules]

    def due(self, company: str | None, path: str) -> list[Rule]:
        """Return the rules that strike this request, and count it."""
        if not self._rules:
            return []
        with self._lock:
            return [counted.rule for counted in self._rules if self._strikes(counted, company, path)]

    def _strikes(self, counted: _Counted, company: str | None, path: str) -> bool:
        rule = counted.rule
        if not rule.matches(company, path):
            return False
        counted.seen += 1
        is_spent = rule.times is not None and counted.struck >= rule.times
        if counted.seen <= rule.skip or is_spent or self._random.random() >= rule.probability:
            return False
        counted.struck += 1
        return True

    def index(self, count: int) -> int:
        """Return one of `count` places."""
        with self._lock:
            return self._random.randrange(count)

    def page_before(self, company: str | None, path: str, wanted: Wanted, body: bytes) -> bytes:
        """Return the last page that answered another request for this path, or `body` when there is none yet.

        Asking again for the same gives the same wrong page again, however many clients ask at once.
        """
        with self._lock:
            others = [page for other, page in self._pages.get((company, path), ()) if other != wanted]
        return others[-1] if others else body

    def keep_page(self, company: str | None, path: str, wanted: Wanted, body: bytes) -> None:
        """Keep a page for a rule that repeats it; costs nothing while there is no such rule."""
        if any(counted.rule.kind is FaultKind.REPEATED_PAGE for counted in self._rules):
            with self._lock:
                others = [kept for kept in self._pages.get((company, path), ()) if kept[0] != wanted]
                self._pages[company, path] = [*others[-1:], (wanted, body)]
