"""Which raw parts a commit has folded, and by which mapping: recorded with the commit itself.

The commit carries the number of its fold as a Delta application transaction; the fold's manifest lies under that number
in the table's folder. A manifest without its commit is a fold that never landed, and is never looked at. A chain of
small manifests on one whole one keeps the cost of a commit from growing with the table's age.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from avesa.domain.errors import StorageError
from avesa.ports.decoding import decoder
from avesa.ports.lake import ObjectExists

if TYPE_CHECKING:
    from avesa.ports.lake import Lake

_FENCE_BITS: Final = 20
"""Folds of one fence are numbered apart from those of every other fence."""
_MAX_ADDED: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a table's rows were made of. `base` is the fold with the last whole manifest, None when this one is
    whole.
    """

    mapping_digest: str
    folded: frozenset[str]
    base: int | None = None


class _Content(msgspec.Struct):
    """A manifest as it lies in the lake: `parts` are those since `base`, or all of them without one."""

    mapping_digest: str
    base: int | None
    parts: list[str]


class FoldManifests:
    """The manifests of one table."""

    def __init__(self, lake: Lake, table_prefix: str) -> None:
        self._lake = lake
        self._prefix = f"{table_prefix}_avesa/folds/"

    def read(self, number: int) -> Manifest:
        """Return the manifest of a fold that landed."""
        found = self._load(number)
        folded = frozenset(found.parts)
        if found.base is not None:
            folded |= frozenset(self._load(found.base).parts)
        base = number if found.base is None else found.base
        return Manifest(mapping_digest=found.mapping_digest, folded=folded, base=base)

    def write(self, manifest: Manifest, *, after: int, fence: int) -> int:
        """Make the manifest of a fold to come durable; return the fold's number, above `after` and unique to the
        fence.
        """
        base, parts = self._shortened(manifest)
        content = msgspec.json.encode(_Content(manifest.mapping_digest, base, sorted(parts)))
        number = max(after + 1, fence << _FENCE_BITS)
        while True:
            try:
                self._lake.put(self._key(number), content)
            except ObjectExists:
                number += 1  # an attempt of ours that did not land left it
            else:
                return number

    def _shortened(self, manifest: Manifest) -> tuple[int | None, frozenset[str]]:
        """Return a base and what came after it, or None and all when that has become much."""
        if manifest.base is not None:
            base = frozenset(self._load(manifest.base).parts)
            added = manifest.folded - base
            if len(added) <= _MAX_ADDED and base <= manifest.folded:
                return manifest.base, added
        return None, manifest.folded

    def _load(self, number: int) -> _Content:
        try:
            return decoder(_Content).decode(self._lake.get(self._key(number)))
        except (KeyError, msgspec.DecodeError):
            message = (
                f"{self._key(number)} is missing or damaged; the raw parts are whole: run `avesa rebuild` for "
                "this table"
            )
            raise StorageError(message) from None

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number:020d}.json"
