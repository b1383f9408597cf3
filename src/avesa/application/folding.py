"""How a fold is shared out: groups of neighbouring buckets that fit in memory, each with the parts that may touch
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.canonical.table import BUCKET_WIDTH
from avesa.ports.tables import FoldGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from avesa.ports.tables import RawPart, TableFile, TableSnapshot


def bucket_groups(touched: Mapping[int, int], *, max_rows: int, max_buckets: int) -> list[tuple[int, ...]]:
    """Return the touched buckets in order, in groups of at most `max_rows` raw rows (one bucket may exceed it) and
    `max_buckets` buckets.
    """
    groups: list[tuple[int, ...]] = []
    group: list[int] = []
    rows = 0
    for bucket in sorted(touched):
        if group and (rows + touched[bucket] > max_rows or len(group) >= max_buckets):
            groups.append(tuple(group))
            group, rows = [], 0
        group.append(bucket)
        rows += touched[bucket]
    return [*groups, tuple(group)] if group else groups


def fold_groups(
    snapshot: TableSnapshot,
    *,
    new: Sequence[RawPart],
    history: Sequence[RawPart],
    touched: Mapping[int, int],
    token: str,
    max_rows: int,
    max_buckets: int,
) -> list[FoldGroup]:
    """Return the groups that together fold the `new` parts into `snapshot`."""
    by_bucket: dict[int, list[TableFile]] = {}
    for file in snapshot.files:
        by_bucket.setdefault(file.bucket, []).append(file)
    return [
        FoldGroup(
            tenant_id=snapshot.tenant_id,
            service=snapshot.service,
            mapping=snapshot.mapping,
            token=f"{token}-{number}",
            buckets=buckets,
            parts=_overlapping(new, buckets),
            history=_overlapping(history, buckets),
            files=tuple(file for bucket in buckets for file in by_bucket.get(bucket, ())),
        )
        for number, buckets in enumerate(bucket_groups(touched, max_rows=max_rows, max_buckets=max_buckets))
    ]


def _overlapping(parts: Sequence[RawPart], buckets: tuple[int, ...]) -> tuple[RawPart, ...]:
    """Return the parts whose id range meets the span of the buckets; a part names its range in its key."""
    low, high = buckets[0] * BUCKET_WIDTH, (buckets[-1] + 1) * BUCKET_WIDTH - 1
    return tuple(part for part in parts if part.max_id >= low and part.min_id <= high)
