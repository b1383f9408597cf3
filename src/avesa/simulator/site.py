"""A simulated ConnectWise site: its companies, how it behaves, what goes wrong, and what it has been asked."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from avesa.simulator.changes import Applied, Changes
from avesa.simulator.company import Company, CompanySpec, Credentials
from avesa.simulator.faults import FaultKind, Faults, Rule
from avesa.simulator.paging import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from avesa.simulator.wire import Request

__all__ = [
    "Applied",
    "Behaviour",
    "Changes",
    "Company",
    "CompanySpec",
    "Credentials",
    "FaultKind",
    "Rule",
    "Site",
    "Statistics",
]
LEGACY_CODEBASE = "v4_6_release/"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Where real sites differ: pages over the limit are cut or refused, a missing client id is 401 or 403, …."""

    limits: Limits = field(default_factory=Limits)
    missing_client_id_status: int = 401
    is_gzip_offered: bool = True
    is_legacy_codebase_served: bool = True
    is_cloud: bool = True
    clock_skew_seconds: float = 0.0  # how far the site's Date header is ahead of its clock


class Statistics:
    """Counts of requests by path and status, and of those under way at once by company."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._under_way: Counter[str] = Counter()
        self._peak: Counter[str] = Counter()
        self._total = 0

    def count(self, path: str, status: int) -> int:
        """Count an answered request and return how many there have been."""
        with self._lock:
            self._requests[path, status] += 1
            self._total += 1
            return self._total

    def begin(self, company: str) -> None:
        with self._lock:
            self._under_way[company] += 1
            self._peak[company] = max(self._peak[company], self._under_way[company])

    def end(self, company: str) -> None:
        with self._lock:
            self._under_way[company] -= 1

    def requests(self) -> dict[tuple[str, int], int]:
        """Return how many requests each path had, by status."""
        with self._lock:
            return dict(self._requests)

    def peak_under_way(self) -> dict[str, int]:
        """Return the most requests that each company had under way at once."""
        with self._lock:
            return dict(self._peak)

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()
            self._peak.clear()


class Site:
    """A site with any number of companies; the same seed and companies give the same data and credentials.

    `on_request` is called with every request before it is answered, in the thread that answers it: a test changes
    records there, between the pages of a read.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        companies: Sequence[CompanySpec],
        clock: Callable[[], datetime] = _now,
        profile: str = "normal",
        behaviour: Behaviour | None = None,
        codebase: str = "v2025_1/",
    ) -> None:
        if profile not in {"normal", "hostile"}:
            message = f"profile {profile!r} is not known; use normal or hostile"
            raise ValueError(message)
        self.seed, self.clock, self.profile = seed, clock, profile
        self.behaviour = behaviour or Behaviour()
        self.faults = Faults(seed)
        self.statistics = Statistics()
        self.on_request: Callable[[Request], None] | None = None
        self._codebase = codebase
        # By this, answers are known to be this site's; the seed itself gives the keys away.
        self.mark = hashlib.sha256(str(seed).encode()).hexdigest()[:8]
        self._companies = {
            spec.login.lower(): Company(spec, seed=seed, profile=profile, clock=clock) for spec in companies
        }

    @property
    def codebase(self) -> str:
        """The codebase that requests must name now; it ends with a slash."""
        return self._codebase

    def move_codebase(self, codebase: str) -> None:
        """Move the site, as an upgrade does: from now on the old codebase is not found."""
        self._codebase = codebase

    @property
    def companies(self) -> list[Company]:
        return list(self._companies.values())

    def company(self, login: str) -> Company:
        """Return the company of that login (any case); raise KeyError when there is none."""
        return self._companies[login.lower()]

    def find(self, login: str) -> Company | None:
        return self._companies.get(login.lower())

    def now(self) -> datetime:
        """Return the time that the site says it is: its clock plus its skew."""
        return self.clock() + timedelta(seconds=self.behaviour.clock_skew_seconds)

    def codebases(self) -> list[str]:
        """Return the codebases that are found now."""
        legacy = [LEGACY_CODEBASE] if self.behaviour.is_legacy_codebase_served else []
        return [self._codebase, *legacy]
