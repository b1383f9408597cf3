"""Which new raw parts lie here as columns too, and which columns nobody needs any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from avesa.domain.names import projected_prefix, raw_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from avesa.canonical.mapping import CanonicalMapping
    from avesa.ports.tables import RawPart, RawStore


class ProjectedColumns:
    """The columns that lie here for one table, as listed once."""

    def __init__(self, raw: RawStore, tenant_id: str, service: str, endpoint: str, mapping: CanonicalMapping) -> None:
        self._raw = raw
        self._prefix = projected_prefix(tenant_id, service, endpoint)
        self._raw_prefix = raw_prefix(tenant_id, service, endpoint)
        self._digest = mapping.digest
        self._keys = frozenset(raw.projected(tenant_id, service, endpoint))

    def of(self, parts: Sequence[RawPart]) -> list[RawPart]:
        """Return the parts, each with the key of its columns if this mapping made some."""
        found = [(part, f"{self._prefix}{self._digest}/{part.key.removeprefix(self._raw_prefix)}") for part in parts]
        return [replace(part, projected=key) if key in self._keys else part for part, key in found]

    def drop(self, folded: Collection[str]) -> None:
        """Delete the columns of parts that are folded, and those that another mapping made.

        What belongs to a part that is not known yet stays: it may have come since the listing.
        """
        useless = []
        for key in sorted(self._keys):
            digest, _, file = key.removeprefix(self._prefix).partition("/")
            if digest != self._digest or self._raw_prefix + file in folded:
                useless.append(key)
        if useless:
            self._raw.drop_projected(useless)
