"""The marks that erased records leave: enough to notice that one has come back, too little to name anybody."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from avesa.domain.errors import StorageError
from avesa.domain.names import erased_prefix
from avesa.ports.decoding import decoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from avesa.ports.lake import Lake


class _Mark(msgspec.Struct):
    erased_at: datetime
    replaced: list[str] = []
    """Digests of the keys of raw parts that were written again without the record."""
    is_done: bool = False
    """False while the work is under way, or after it broke off."""


class Erasures:
    """The marks of one tenant's table; read when they are first asked for."""

    def __init__(self, lake: Lake, tenant_id: str, service: str, table_name: str) -> None:
        self._lake = lake
        self._prefix = erased_prefix(tenant_id, service, table_name)
        self._known: dict[str, _Mark] | None = None

    def among(self, ids: Iterable[int]) -> set[int]:
        """Return those of the ids that were erased once."""
        return {record_id for record_id in ids if self._digest(record_id) in self._marks} if self._marks else set()

    def has_replaced(self, key: str) -> bool:
        """Return whether the raw part is gone because a record was erased from it."""
        return _sha256(key) in self._replaced

    @property
    def is_empty(self) -> bool:
        """Whether no record of the table was ever erased."""
        return not self._marks

    def is_unfinished(self, record_id: int) -> bool:
        """Return whether the record's erasure was begun and never ended."""
        mark = self._marks.get(self._digest(record_id))
        return mark is not None and not mark.is_done

    def begin(self, record_id: int, replaced: Sequence[str], *, at: datetime) -> None:
        """Remember that the record is being erased and which raw parts are replaced for it; adds to earlier ones."""
        known = self._marks.get(self._digest(record_id))
        keys = {*(known.replaced if known is not None else ()), *map(_sha256, replaced)}
        self._put(record_id, _Mark(erased_at=at, replaced=sorted(keys)))

    def end(self, record_id: int) -> None:
        """Remember that nothing is left of the record."""
        known = self._marks[self._digest(record_id)]
        self._put(record_id, _Mark(erased_at=known.erased_at, replaced=known.replaced, is_done=True))

    def subject(self, record_id: int) -> str:
        """Return the record's digest, as the receipt has it: who knows the id can compare, nobody can read it off."""
        return self._digest(record_id)

    @property
    def _marks(self) -> dict[str, _Mark]:
        # No cached_property: on Python 3.11 it reads under one lock, for which every other table's thread would wait.
        if self._known is None:
            self._known = {
                info.key.removeprefix(self._prefix).removesuffix(".json"): self._read(info.key)
                for info in self._lake.list(self._prefix)
            }
        return self._known

    @property
    def _replaced(self) -> frozenset[str]:
        return frozenset(key for mark in self._marks.values() for key in mark.replaced)

    def _put(self, record_id: int, mark: _Mark) -> None:
        digest = self._digest(record_id)
        self._lake.put(f"{self._prefix}{digest}.json", msgspec.json.encode(mark), overwrite=True)
        self._marks[digest] = mark

    def _read(self, key: str) -> _Mark:
        try:
            return decoder(_Mark).decode(self._lake.get(key))
        except msgspec.DecodeError:
            raise StorageError(f"{key} is damaged; put it back from a copy, or delete it") from None

    def _digest(self, record_id: int) -> str:
        return _sha256(f"{self._prefix}{record_id}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
