"""Which keys the lake takes: the same ones everywhere, so that what one home wrote another can hold."""

from __future__ import annotations

import re
from typing import Final

from avesa.domain.errors import UsageError

UNFINISHED_PREFIX: Final = ".tmp-"
"""Names that begin so are unfinished puts; nobody lists or reads them."""
# A backslash divides folders on Windows, and a drive letter would leave the lake's folder.
_UNSAFE: Final = re.compile(r"[\\\x00]|^[A-Za-z]:")


def check_key(key: str) -> str:
    """Return `key` if the lake takes it; raise UsageError with the rule otherwise."""
    parts = key.split("/")
    is_relative = all(part not in ("", ".", "..") for part in parts)
    is_visible = not any(part.startswith(UNFINISHED_PREFIX) for part in parts)
    if not (is_relative and is_visible) or _UNSAFE.search(key):
        raise UsageError(
            f"lake key {key!r} is not allowed: names divided by '/', none of them empty, '.', '..' or beginning with "
            f"'{UNFINISHED_PREFIX}', no backslash, no drive letter"
        )
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix of a listing (ends with '/') if the lake takes it; "" is the whole lake."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix
