"""Which keys the lake takes, whatever holds it."""

from __future__ import annotations

import pytest

from avesa.domain.errors import UsageError
from avesa.domain.keys import check_key, check_prefix


@pytest.mark.parametrize("key", ["a", "acme/raw/connectwise/service/tickets/part.parquet", "acme/..b", "acme/.hidden"])
def test_names_divided_by_slashes_are_taken(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a/", "a//b", ".", "a/../b", "a/./b", "..", "a\\b", "C:/a", "c:a", "a\0b", ".tmp-1", "a/.tmp-1/b"],
)
def test_what_could_leave_the_lake_or_look_unfinished_is_refused_with_the_rule(key: str) -> None:
    with pytest.raises(UsageError, match="is not allowed: names divided by '/'"):
        check_key(key)


def test_a_listing_takes_folders_and_the_whole_lake() -> None:
    assert [check_prefix(prefix) for prefix in ("", "acme/", "acme/raw")] == ["", "acme/", "acme/raw"]


@pytest.mark.parametrize("prefix", ["/", "a//", "../", ".tmp-1/"])
def test_a_listing_goes_nowhere_that_a_key_could_not(prefix: str) -> None:
    with pytest.raises(UsageError, match="not allowed"):
        check_prefix(prefix)
