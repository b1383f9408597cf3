"""Raw parts as columns, beside raw: what the fold would make of their texts, made while the texts were being parsed.

    {tenant}/projected/{service}/{endpoint}/{mapping's digest}/{job}/{part's file name}

They are derived and live until a commit has folded their part. Where one is missing, or another mapping made it, the
fold reads the texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.domain.names import projected_prefix, raw_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.ports.lake import Lake
    from avesa.ports.tables import PartName, RawPart


def projected_key(name: PartName, part: RawPart, digest: str) -> str:
    """Return where the part's columns lie when a mapping of this digest made them."""
    file = part.key.removeprefix(raw_prefix(name.tenant_id, name.service, name.endpoint))
    return f"{projected_prefix(name.tenant_id, name.service, name.endpoint)}{digest}/{file}"


class ProjectedParts:
    """The part of a RawStore that both of its kinds on a Lake share."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def projected(self, tenant_id: str, service: str, endpoint: str) -> Sequence[str]:
        """Return the keys of what lies here as columns; see the port."""
        return [info.key for info in self._lake.list(projected_prefix(tenant_id, service, endpoint))]

    def drop_projected(self, keys: Sequence[str]) -> None:
        """Delete columns; see the port."""
        if keys:
            self._lake.delete(keys)
