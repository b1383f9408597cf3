"""What is remembered of deployments, and what follows from it: what is there now, and what was before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SECOND: Final = timedelta(seconds=1)


class Part(StrEnum):
    """What can be deployed without the other."""

    INFRASTRUCTURE = "infrastructure"  # every stack, the functions' code left as it is
    FUNCTIONS = "functions"  # the functions' code, and nothing else


class Components(StrEnum):
    """What a deployment is asked to bring, in the guide's words."""

    ALL = "all"
    INFRASTRUCTURE_ONLY = "infrastructure-only"
    LAMBDAS_ONLY = "lambdas-only"

    @property
    def parts(self) -> frozenset[Part]:
        """The parts that it takes."""
        return _PARTS[self]


_PARTS: Final = {
    Components.ALL: frozenset(Part),
    Components.INFRASTRUCTURE_ONLY: frozenset({Part.INFRASTRUCTURE}),
    Components.LAMBDAS_ONLY: frozenset({Part.FUNCTIONS}),
}


class Kind(StrEnum):
    """What brought a release."""

    DEPLOYMENT = "deployment"
    ROLLBACK = "rollback"


class Outcome(StrEnum):
    """How a deployment ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """Who deployed what, when, why, where and how, and what came of it. Never changed once it is written."""

    deployment_id: str
    """Sorts by its beginning."""
    kind: Kind
    environment: str
    actor: str
    reason: str
    components: Components
    account: str
    """Empty when nobody could be signed in."""
    region: str
    commit: str
    workflow_run: str
    """Its address; empty for a deployment by hand."""
    is_forced: bool
    release_id: str
    """The kept assembly whose deployment was begun; empty when it did not come to that."""
    started_at: datetime
    ended_at: datetime
    outcome: Outcome
    error: str
    """Where it failed and why; empty for a success."""

    @property
    def duration_seconds(self) -> int:
        """How long it took."""
        return round((self.ended_at - self.started_at) / _SECOND)


def current(records: Iterable[DeploymentRecord], part: Part) -> DeploymentRecord | None:
    """Return the last deployment that touched `part`, whatever came of it; None before the first."""
    touched = [item for item in records if item.release_id and part in item.components.parts]
    return max(touched, key=lambda item: item.ended_at, default=None)


def is_unchanged(records: Sequence[DeploymentRecord], components: Components, commit: str) -> bool:
    """Whether each part asked for was last deployed from this very commit, with success."""
    there = [current(records, part) for part in components.parts]
    return all(item is not None and item.outcome is Outcome.SUCCEEDED and item.commit == commit for item in there)


def release_before(records: Sequence[DeploymentRecord], components: Components) -> str:
    """Return the release to go back to: the newest one that was deployed well and is older than what is there now.

    Where every part is of one commit, releases of that commit are passed over: they would change nothing. Older by its
    making, not by its last deployment: after a step back, the next one goes further back and not forth. After a
    deployment that failed, what is there now is that one; a step back that failed is tried again. Raises UsageError
    when there is none.
    """
    kept = [item for item in records if not (item.kind is Kind.ROLLBACK and item.outcome is Outcome.FAILED)]
    there = [current(kept, part) for part in components.parts]
    now = max((item.release_id for item in there if item is not None), default="")
    commits = {item.commit for item in there if item is not None}
    same = {item.release_id for item in records if commits == {item.commit}}
    older = [name for name in good_releases(records, components) - same if name < now]
    if not older:
        raise UsageError(
            f"there is no release before {now or 'the first one'} for {components.value}: `avesa deployments` lists "
            "what was deployed; name one of its releases with --to"
        )
    return max(older)


def good_releases(records: Iterable[DeploymentRecord], components: Components) -> set[str]:
    """Return the releases of which all that is asked for was once deployed with success, in one deployment."""
    return {
        item.release_id
        for item in records
        if item.outcome is Outcome.SUCCEEDED and item.release_id and item.components.parts >= components.parts
    }
