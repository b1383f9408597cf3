"""What follows from the records of deployments: what is there, what would change, what to go back to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from avesa.domain.deployments import (
    Components,
    DeploymentRecord,
    Kind,
    Outcome,
    Part,
    current,
    is_unchanged,
    release_before,
)
from avesa.domain.errors import UsageError

A, B, C = "a" * 40, "b" * 40, "c" * 40
ALL, INFRASTRUCTURE, LAMBDAS = Components.ALL, Components.INFRASTRUCTURE_ONLY, Components.LAMBDAS_ONLY
_BEGIN = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Past:
    """Deployments one hour after the other, each taking a minute."""

    def __init__(self) -> None:
        self.records: list[DeploymentRecord] = []

    def deployed(
        self,
        commit: str,
        components: Components = ALL,
        *,
        outcome: Outcome = Outcome.SUCCEEDED,
        release: str | None = None,
    ) -> str:
        """Add one; return its release. `release`: a step back to it, or "" where nothing was begun."""
        at = _BEGIN + timedelta(hours=len(self.records))
        release_id = f"{at:%Y%m%dT%H%M%SZ}-{commit[:12]}" if release is None else release
        self.records.append(
            DeploymentRecord(
                deployment_id=f"{at:%Y%m%dT%H%M%SZ}",
                kind=Kind.DEPLOYMENT if release is None else Kind.ROLLBACK,
                environment="prod",
                actor="ann",
                reason="a reason of its own",
                components=components,
                account="222222222222",
                region="us-east-2",
                commit=commit,
                workflow_run="",
                is_forced=False,
                release_id=release_id,
                started_at=at,
                ended_at=at + timedelta(minutes=1),
                outcome=outcome,
                error="" if outcome is Outcome.SUCCEEDED else "deploy: it did not work",
            )
        )
        return release_id


@pytest.fixture
def past() -> Past:
    return Past()


def test_components_are_the_guides_words_and_cover_their_parts() -> None:
    assert {item.value for item in Components} == {"all", "infrastructure-only", "lambdas-only"}
    assert [set(item.parts) for item in (ALL, INFRASTRUCTURE, LAMBDAS)] == [
        set(Part),
        {Part.INFRASTRUCTURE},
        {Part.FUNCTIONS},
    ]


def test_a_record_tells_how_long_it_took(past: Past) -> None:
    past.deployed(A)

    assert past.records[0].duration_seconds == 60


def test_each_part_is_what_last_touched_it(past: Past) -> None:
    first = past.deployed(A)
    second = past.deployed(B, LAMBDAS)

    found = {part: current(past.records, part) for part in Part}
    assert {part: item.release_id for part, item in found.items() if item} == {
        Part.INFRASTRUCTURE: first,
        Part.FUNCTIONS: second,
    }


def test_the_same_commit_is_no_change_and_another_one_is(past: Past) -> None:
    past.deployed(A)

    assert is_unchanged(past.records, ALL, A)
    assert not is_unchanged(past.records, ALL, B)
    assert not is_unchanged([], ALL, A)


def test_a_part_that_was_deployed_since_makes_the_whole_a_change(past: Past) -> None:
    past.deployed(A)
    past.deployed(B, LAMBDAS)

    assert not is_unchanged(past.records, ALL, A)
    assert is_unchanged(past.records, INFRASTRUCTURE, A)
    assert is_unchanged(past.records, LAMBDAS, B)


def test_after_a_failure_the_same_commit_is_tried_again(past: Past) -> None:
    past.deployed(A)
    past.deployed(A, outcome=Outcome.FAILED)

    assert not is_unchanged(past.records, ALL, A)


def test_a_failure_that_touched_nothing_changes_nothing(past: Past) -> None:
    past.deployed(A)
    past.deployed(A, outcome=Outcome.FAILED, release="")

    assert is_unchanged(past.records, ALL, A)


def test_the_way_back_leads_to_the_last_good_release_before(past: Past) -> None:
    first = past.deployed(A)
    past.deployed(B)

    assert release_before(past.records, ALL) == first


def test_the_way_back_from_a_failed_deployment_leads_to_what_worked_last(past: Past) -> None:
    past.deployed(A)
    second = past.deployed(B)
    past.deployed(C, outcome=Outcome.FAILED)

    assert release_before(past.records, ALL) == second


def test_a_step_back_is_not_followed_by_one_forth(past: Past) -> None:
    first = past.deployed(A)
    second = past.deployed(B)
    past.deployed(C)
    past.deployed(B, release=second)

    assert release_before(past.records, ALL) == first


def test_a_step_back_that_failed_is_tried_again(past: Past) -> None:
    past.deployed(A)
    second = past.deployed(B)
    past.deployed(C)
    past.deployed(B, release=second, outcome=Outcome.FAILED)

    assert release_before(past.records, ALL) == second


def test_going_back_skips_releases_of_the_same_commit(past: Past) -> None:
    first = past.deployed(A)
    past.deployed(B, LAMBDAS)
    past.deployed(B)

    assert release_before(past.records, LAMBDAS) == first


def test_after_the_functions_alone_went_back_all_else_can_follow_to_the_same_commit(past: Past) -> None:
    first = past.deployed(A)
    past.deployed(B)
    past.deployed(A, LAMBDAS, release=first)

    assert release_before(past.records, ALL) == first


def test_only_what_was_deployed_in_whole_is_gone_back_to_in_whole(past: Past) -> None:
    first = past.deployed(A)
    second = past.deployed(B, LAMBDAS)
    past.deployed(C)

    assert release_before(past.records, ALL) == first
    assert release_before(past.records, LAMBDAS) == second


@pytest.mark.parametrize("times", [0, 1])
def test_without_an_earlier_release_the_way_back_says_where_to_look(past: Past, times: int) -> None:
    for _ in range(times):
        past.deployed(A)

    with pytest.raises(UsageError, match=r"no release before .*avesa deployments.*--to"):
        release_before(past.records, ALL)
