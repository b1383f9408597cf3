"""What must hold after every history, and at the end of every run that says it completed."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from avesa.canonical.merging import see
from avesa.canonical.projection import Projection
from avesa.canonical.scd2 import fold
from reliability.mischief import TABLES
from reliability.truth import expected_row
from reliability.world import SERVICE, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.canonical.scd2 import Version
    from reliability.world import Told, World

_SHOWN = 3


def after_run(world: World, told: Told) -> Iterator[str]:
    """Yield what is wrong with a run that has just told its result."""
    for table in _tables(told):
        said = {key: table[f"versions_{key}"] for key in ("opened", "closed", "corrected")}
        did = world.changed[told.process, table["canonical_table"]]
        if table["status"] == "completed" and any(said[key] != did[key] for key in said):
            yield f"{table['table_name']} tells {said}, its commits did {dict(did)} ({told.request})"
    if told.request.get("rebuild") or told.request.get("since"):
        return  # these ask the source for nothing, or for a range of time
    for table in _tables(told):
        if table["status"] != "completed":
            continue
        path = table["table_name"]
        current = world.canonical.current_ids(world.snapshot(path))
        diary = world.mischief.diary
        lost = diary.throughout(path, told.since, told.until) - current - diary.restored[path]
        if lost:
            yield f"{path} is completed without {_some(lost)}, which the source had all the time ({told.request})"
        ghosts = current - diary.ever(path, told.since, told.until)
        if told.request.get("detect_deletes") and not told.others and ghosts:
            yield f"{path} is completed and swept with {_some(ghosts)}, which the source never had meanwhile"


def at_end(world: World, told: Told) -> Iterator[str]:
    """Yield what is wrong after the last, undisturbed run."""
    if told.result is None or told.result["status"] != "completed":
        yield f"the undisturbed run ends {told.error or json.dumps(told.result)[:1500]}"
        return
    for path in TABLES:
        yield from _truth(world, path)
        yield from _shape(world, path)
        yield from _pure(world, path)
        current = len(world.canonical.current_ids(world.snapshot(path)))
        if world.balance[TABLES[path]] != current:
            yield f"{path}: {world.balance[TABLES[path]]} more versions opened than closed, and {current} current rows"


def _truth(world: World, path: str) -> Iterator[str]:
    """Every current row equals the source's record, column by column."""
    mapping = json.loads(world.files[f"canonical/{TABLES[path]}.json"])
    names = [column["name"] for column in mapping["columns"]]
    versions = world.canonical.versions(world.snapshot(path))
    current = {key: found[-1] for key, found in versions.items() if found[-1].is_current}
    poisoned = world.mischief.poisoned
    records = {key: record for key, record in world.company.records(path).items() if key not in poisoned}
    if current.keys() != records.keys():
        yield f"{path}: lost {_some(records.keys() - current.keys())}, ghosts {_some(current.keys() - records.keys())}"
    for key in sorted(current.keys() & records.keys() - world.mischief.diary.unsure[path]):
        expected, found = expected_row(mapping, records[key]), dict(zip(names, current[key].content, strict=True))
        wrong = {name: (found[name], expected[name]) for name in names if found[name] != expected[name]}
        if wrong:
            yield f"{path} {key}: the row differs from the record: {wrong}"


def _shape(world: World, path: str) -> Iterator[str]:
    """Intervals of a key are contiguous but for deletion gaps; at most one, the last, is current."""
    for key, found in world.canonical.versions(world.snapshot(path)).items():
        for one, next_one in itertools.pairwise(found):
            is_open = one.valid_to is None
            if is_open or one.valid_from >= next_one.valid_from:
                yield f"{path} {key}: versions out of order or two current"
            elif one.is_deleted != (one.valid_to != next_one.valid_from) and one.valid_from != one.valid_to:
                yield f"{path} {key}: a gap without a deletion, or a deletion without a gap: {_told([one, next_one])}"
            elif not one.is_deleted and one.record_hash == next_one.record_hash:
                yield f"{path} {key}: two neighbours are the same version"


def _pure(world: World, path: str) -> Iterator[str]:
    """The table is what one fold of all of raw gives."""
    parts = world.raw.list(TENANT, SERVICE, path)
    seen = see(world.raw.rows(parts), world.raw.deletions(parts), Projection(world.mapping(path)))
    snapshot = world.snapshot(path)
    if snapshot.folded != {part.key for part in parts}:
        yield f"{path}: some parts of raw are not folded"
    fresh = {key: fold(seen.observations.get(key, []), seen.deletions.get(key, ())) for key in seen.keys}
    table = world.canonical.versions(snapshot)
    for key in sorted(fresh.keys() | table.keys()):
        if fresh.get(key, []) != table.get(key, []):
            yield f"{path} {key}: folded afresh {_told(fresh.get(key, []))}, the table {_told(table.get(key, []))}"


def _tables(told: Told) -> Iterator[dict[str, Any]]:
    for tenant in (told.result or {}).get("tenants", ()):
        yield from tenant["tables"]


def _some(ids: set[int]) -> str:
    shown = sorted(ids)[:_SHOWN]
    return f"{len(ids)} records ({', '.join(map(str, shown))}{', …' if len(ids) > _SHOWN else ''})"


def _told(versions: list[Version]) -> str:
    return str(
        [
            f"{v.valid_from:%dT%H:%M:%S}..{v.valid_to and f'{v.valid_to:%dT%H:%M:%S}'}{'D' * v.is_deleted}"
            for v in versions
        ]
    )
