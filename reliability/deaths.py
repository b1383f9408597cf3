"""Counts the durable writes of a pipeline at its ports, and kills the process before or after one of them."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from avesa.adapters.delta.maintenance import DeltaTableMaintainer
from avesa.adapters.delta.store import DeltaCanonicalStore
from avesa.adapters.memory.executor import InlineExecutor
from avesa.adapters.parquet.raw import ParquetRawStore
from reliability.scenario import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from deltalake import DeltaTable

    from avesa.application.context import StepContext
    from avesa.domain.model import Lease, TableState
    from avesa.ports.lake import Lake, ObjectInfo, SecretStore
    from avesa.ports.source import Transport
    from avesa.ports.state import ChunkLedger, JobLedger, TableStates, TenantRegistry
    from avesa.ports.tables import FoldedGroup, TableSnapshot
    from avesa.ports.time import Clock
    from avesa.ports.upkeep import TableMaintainer

Result = TypeVar("Result")

BEFORE: Final = "before"
AFTER: Final = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Where a process dies: before or after the n-th write of a kind, counted from 1."""

    kind: str
    number: int
    moment: str


class WriteCounter:
    """Counts writes by kind and dies at the one that it was told of."""

    def __init__(self, death: Death | None) -> None:
        self.counts: Counter[str] = Counter()
        self._death = death

    def write(self, kind: str, function: Callable[[], Result]) -> Result:
        """Do one durable write, unless the process dies before it; die after it if told so."""
        self.counts[kind] += 1
        self._die_if_told(kind, BEFORE)
        result = function()
        self._die_if_told(kind, AFTER)
        return result

    def _die_if_told(self, kind: str, moment: str) -> None:
        if self._death == Death(kind=kind, number=self.counts[kind], moment=moment):
            os.kill(os.getpid(), signal.SIGKILL)


class _Counted:
    """A port whose named methods are durable writes of a kind each; the others pass."""

    def __init__(self, target: object, counter: WriteCounter, kinds: dict[str, str]) -> None:
        self._target, self._counter, self._kinds = target, counter, kinds

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port's method is
        method, kind = getattr(self._target, name), self._kinds.get(name)
        if kind is None:
            return method
        return lambda *args, **kwargs: self._counter.write(kind, lambda: method(*args, **kwargs))


class _CountedTables(_Counted):
    """Saves of a table's state, told apart by what they are for."""

    def save(self, lease: Lease, state: TableState) -> None:
        kind = "plan" if state.plan is not None else "bookmark"
        self._counter.write(kind, lambda: self._target.save(lease, state))  # type: ignore[attr-defined]


class _CountedLake:
    """A lake whose objects are told apart by where they lie."""

    def __init__(self, lake: Lake, counter: WriteCounter) -> None:
        self._lake, self._counter = lake, counter

    def put(self, key: str, data: bytes, *, overwrite: bool = False) -> None:
        self._counter.write(_kind_of(key), lambda: self._lake.put(key, data, overwrite=overwrite))

    def get(self, key: str) -> bytes:
        return self._lake.get(key)

    def delete(self, keys: Sequence[str]) -> None:
        self._counter.write("objects deleted", lambda: self._lake.delete(keys)) if keys else None

    def local_copies(self, keys: Sequence[str]) -> AbstractContextManager[list[str]]:
        return self._lake.local_copies(keys)

    def table_uri(self, prefix: str) -> tuple[str, dict[str, str]]:
        return self._lake.table_uri(prefix)

    def list(self, prefix: str) -> list[ObjectInfo]:
        return self._lake.list(prefix)


_KINDS: Final = {
    "/quarantine/": "quarantine",
    "/deletions/": "deletions part",
    "/raw/": "raw part",
    "/projected/": "columns",
    "/staged/": "staged groups",
    "/_avesa/": "fold manifest",
    "/canonical/": "canonical data file",
}
"""In this order: deletions lie in raw, manifests among canonical files."""


def _kind_of(key: str) -> str:
    for part, kind in _KINDS.items():
        if part in key:
            return kind
    return "mapping" if key.startswith("mappings/") else "other object"


class _CountedDelta(DeltaCanonicalStore):
    """The Delta store, with the two writes to its log counted."""

    def __init__(self, lake: Lake, clock: Clock, counter: WriteCounter) -> None:
        super().__init__(lake, clock)
        self._counter = counter

    def _commit(self, snapshot: TableSnapshot, groups: Sequence[FoldedGroup], number: int, *, is_rebuild: bool) -> None:
        self._counter.write(
            "Delta commit", lambda: super(_CountedDelta, self)._commit(snapshot, groups, number, is_rebuild=is_rebuild)
        )

    def _created(self, snapshot: TableSnapshot) -> DeltaTable:
        return self._counter.write("Delta table made", lambda: super(_CountedDelta, self)._created(snapshot))


def counted(context: StepContext, counter: WriteCounter, transport: Transport) -> StepContext:
    """Return the context with every durable write counted; one thing at a time, so that numbers mean the same."""
    lake = cast("Lake", _CountedLake(context.lake, counter))
    leases = {"acquire": "lease taken", "renew": "lease renewed", "release": "lease released"}
    return replace(
        context,
        registry=cast("TenantRegistry", _Counted(context.registry, counter, {"put": "registration"})),
        tables=cast("TableStates", _CountedTables(context.tables, counter, leases)),
        jobs=cast("JobLedger", _Counted(context.jobs, counter, {"put": "job record"})),
        chunks=cast(
            "ChunkLedger", _Counted(context.chunks, counter, {"add": "chunks planned", "checkpoint": "checkpoint"})
        ),
        secrets=cast("SecretStore", _Counted(context.secrets, counter, {"put": "secret"})),
        raw=ParquetRawStore(lake),
        lake=lake,
        canonical=_CountedDelta(lake, context.clock, counter),
        upkeep=None
        if context.upkeep is None
        else replace(context.upkeep, maintainer=_maintainer(context, lake, counter)),
        transport=transport,
        executor=InlineExecutor(),
        bounds=replace(context.bounds, **BOUNDS),
    )


def _maintainer(context: StepContext, lake: Lake, counter: WriteCounter) -> TableMaintainer:
    kinds = {"settle": "maintenance commit", "shorten_log": "log checkpoint"}
    return cast("TableMaintainer", _Counted(DeltaTableMaintainer(lake, context.clock), counter, kinds))


def save_counts(counter: WriteCounter, path: Path) -> None:
    """Leave the counts for the parent."""
    path.write_text(json.dumps(counter.counts), encoding="utf-8")
