"""Deletes for good what is in memory: there is nothing behind it that could bring it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.ports.upkeep import ErasedObjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.adapters.memory.state import MemoryState
    from avesa.ports.lake import Lake


class MemoryEraser:
    """An Eraser over a MemoryLake and a MemoryState."""

    def __init__(self, lake: Lake, state: MemoryState) -> None:
        self._lake = lake
        self._state = state

    def objects(self, keys: Sequence[str]) -> ErasedObjects:
        sizes = {}
        for key in keys:
            try:
                sizes[key] = len(self._lake.get(key))
            except KeyError:
                continue
        self._lake.delete(list(sizes))
        return ErasedObjects(keys=tuple(sorted(sizes)), size_bytes=sum(sizes.values()))

    def below(self, prefix: str, *, keep: frozenset[str] = frozenset()) -> ErasedObjects:
        return self.objects([info.key for info in self._lake.list(prefix) if info.key not in keep])

    def state(self, tenant_id: str) -> dict[str, int]:
        return self._state.forget(tenant_id)
