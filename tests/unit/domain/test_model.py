"""How the states of the parts make the state of the whole, and what an error carries."""

from __future__ import annotations

import pytest

from avesa.domain import errors
from avesa.domain.model import Status, overall

DONE, FAILED, SKIPPED, PARTIAL = Status.COMPLETED, Status.FAILED, Status.SKIPPED, Status.PARTIAL_SUCCESS


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([], DONE),
        ([DONE, DONE], DONE),
        ([FAILED, FAILED], FAILED),
        ([DONE, FAILED], PARTIAL),
        ([SKIPPED], PARTIAL),
        ([DONE, SKIPPED], PARTIAL),
        ([FAILED, SKIPPED], PARTIAL),
        ([DONE, PARTIAL], PARTIAL),
    ],
)
def test_a_whole_is_completed_or_failed_only_when_all_its_parts_are(parts: list[Status], whole: Status) -> None:
    assert overall(parts) is whole


def test_a_held_lease_tells_who_holds_it_and_for_how_long() -> None:
    held = errors.LeaseHeld("held", holder="job-1", age_seconds=4.0)

    assert (str(held), held.holder, held.age_seconds) == ("held", "job-1", 4.0)


def test_every_error_is_in_the_tree_that_the_module_draws() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]

    assert errors.AvesaError in kinds
    assert all(issubclass(kind, errors.AvesaError) for kind in kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)
