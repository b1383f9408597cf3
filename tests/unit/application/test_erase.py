"""Erasing leaves nothing of what was erased and changes nothing else, whenever the process dies in between."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from avesa.application.catalog import load_catalog
from avesa.application.erase import Receipt, keys_digest, receipt_key
from avesa.application.payloads import from_json
from avesa.domain.errors import LeaseHeld, StorageError, UsageError
from avesa.domain.model import Holder, TenantResult
from avesa.domain.names import ALL_TENANTS
from avesa.simulator.site import Changes
from tests.unit.application.world import TICKETS, World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from avesa.adapters.memory.lake import MemoryLake
    from avesa.application.pipeline import Application

PLACE = {"tenant_id": "acme", "service": "connectwise", "table_name": TICKETS}
MARK = "planted-and-to-be-forgotten"


class _Died(BaseException):
    """The process is gone: nobody catches this."""


def made_world() -> tuple[World, int]:
    """Return a table with history, and the id of a record that was edited, deleted and restored, and quarantined."""
    world = World(sizes={TICKETS: 40})
    company = world.site.company("acme")
    victim, other = sorted(world.truth())[5:7]
    company.edit(TICKETS, victim, {"summary": f"{MARK} first"}, at=world.clock.now())
    world.run()
    world.clock.advance(60)
    company.edit(TICKETS, victim, {"summary": f"{MARK} second"}, at=world.clock.now())
    company.apply(TICKETS, Changes(edits=4), at=world.clock.now())
    world.run()
    world.clock.advance(60)
    company.delete(TICKETS, victim)
    world.run(detect_deletes=True)
    world.clock.advance(60)
    kept = {"reason": "the record is not UTF-8", "quarantined_at": "2026-11-23T12:00:00Z", "job_id": "j"}
    lines = [
        {**kept, "content_base64": _base64(f'{{"id":{victim},"summary":"{MARK} third')},
        {**kept, "content_base64": _base64(f'{{"id":{other},"summary":"somebody else')},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    world.lake.put(f"acme/quarantine/connectwise/{TICKETS}/j-1-f1-p00001.jsonl", text)
    return world, victim


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


def erase(world: World, record_id: int, *, application: Application | None = None) -> Receipt:
    payload = {**PLACE, "record_id": str(record_id), "confirm": str(record_id)}
    return from_json(Receipt, (application or world.application).run_step("erase_record", payload))


def rows(world: World) -> list[dict[str, Any]]:
    mapping = load_catalog(world.lake).canonical["tickets"]
    snapshot = world.context.canonical.open("acme", "connectwise", mapping)
    found: list[dict[str, Any]] = []
    for file in snapshot.files:
        found += pq.read_table(io.BytesIO(world.lake.get(f"acme/canonical/tickets/{file.path}"))).to_pylist()
    return sorted(found, key=lambda row: (int(row["id"]), row["valid_from"]))


def is_sound(world: World) -> bool:
    return bool(world.application.run_step("verify_table", PLACE)["is_sound"])


def told_anywhere(lake: MemoryLake, mark: str) -> list[str]:
    """Return the keys of the objects that have the mark in them, whatever their form."""
    return [info.key for info in lake.list("") if mark in _text(lake.get(info.key))]


def _text(content: bytes) -> str:
    import base64
    import re

    if content[:4] == b"PAR1":
        return str(pq.read_table(io.BytesIO(content)).to_pylist())
    text = content.decode("utf-8", "replace")
    encoded = re.findall(r'"content_base64": ?"([^"]*)"', text)
    return text + "".join(base64.b64decode(item).decode("utf-8", "replace") for item in encoded)


def test_nothing_is_left_of_an_erased_record_and_everything_of_the_others() -> None:
    world, victim = made_world()
    others = [row for row in rows(world) if int(row["id"]) != victim]
    assert len(told_anywhere(world.lake, MARK)) >= 5

    receipt = erase(world, victim)

    assert told_anywhere(world.lake, MARK) == []
    assert rows(world) == others
    assert is_sound(world)
    assert receipt.counts["canonical_rows"] == 2
    assert receipt.counts["raw_records"] == 3  # two extractions and one deletion
    assert receipt.counts["quarantined"] == 1
    left = told_anywhere(world.lake, "somebody else")
    assert len(left) == 1
    assert world.application.run_step("verify_table", PLACE)["quarantined"] == 1


def test_a_rebuild_and_a_later_run_do_not_bring_it_back() -> None:
    world, victim = made_world()
    erase(world, victim)
    before = rows(world)

    world.run(rebuild=True)

    assert rows(world) == before
    world.clock.advance(60)
    world.site.company("acme").apply(TICKETS, Changes(edits=3), at=world.clock.now())
    assert world.run(detect_deletes=True)["status"] == "completed"
    assert victim not in {int(row["id"]) for row in rows(world)}
    assert is_sound(world)


def test_a_receipt_is_kept_and_holds_nothing_of_the_record() -> None:
    world, victim = made_world()

    receipt = erase(world, victim)

    kept = world.lake.get(receipt_key(receipt.receipt_id)).decode()
    assert from_json(Receipt, json.loads(kept)) == receipt
    assert (receipt.is_stored, receipt.is_complete, receipt.avesa_version) == (True, True, "0.1.0")
    assert receipt.size_bytes > 0
    assert MARK not in kept
    assert str(victim) not in kept
    assert receipt.erased_at == world.clock.now()


def test_a_second_call_finds_nothing_and_changes_nothing() -> None:
    world, victim = made_world()
    erase(world, victim)
    before = {info.key: world.lake.get(info.key) for info in world.lake.list("")}

    again = erase(world, victim)

    assert set(again.counts.values()) == {0}
    assert not again.is_stored
    assert {info.key: world.lake.get(info.key) for info in world.lake.list("")} == before


def test_an_id_that_is_mistyped_erases_no_old_version() -> None:
    world, victim = made_world()
    before = {info.key for info in world.lake.list("")}

    receipt = erase(world, victim + 1000)

    assert not any(receipt.counts.values())
    assert {info.key for info in world.lake.list("")} == before


def test_a_part_that_no_commit_has_loses_the_record_too() -> None:
    world, victim = made_world()
    world.site.company("acme").restore(TICKETS, victim)
    _Dying(world, at=0, is_after=False)
    refusing: Any = world.context.canonical
    refusing.commit = _refused
    world.run(full_sync=True)
    _Dying.heal(world)
    assert not is_sound(world)

    erase(world, victim)

    assert told_anywhere(world.lake, MARK) == []
    world.run(rebuild=True)
    assert told_anywhere(world.lake, MARK) == []


def test_what_a_run_that_died_left_of_the_record_beside_raw_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avesa.adapters.parquet.packing.SMALL_BYTES", 0)
    world, victim = made_world()
    world.site.company("acme").restore(TICKETS, victim)
    refusing: Any = world.context.canonical
    commit, refusing.commit = refusing.commit, _refused
    world.run(full_sync=True)
    refusing.commit = commit
    world.lake.put(f"acme/staged/connectwise/{TICKETS}/j-f1-fold.json", f'{{"basis": "{MARK}"}}'.encode())
    beside = [key.split("/")[1] for key in told_anywhere(world.lake, MARK)]
    assert {"projected", "staged", "raw"} <= set(beside)

    erase(world, victim)

    assert told_anywhere(world.lake, MARK) == []
    world.run(rebuild=True)
    assert told_anywhere(world.lake, MARK) == []
    assert is_sound(world)


def _refused(*_: object, **__: object) -> None:
    """Refuse a commit: what was read stays unfolded."""
    raise StorageError("the disk is full")


def test_a_record_that_comes_back_from_the_source_is_told() -> None:
    world, victim = made_world()
    world.site.company("acme").restore(TICKETS, victim)
    erase(world, victim)

    world.clock.advance(60)
    assert world.run(full_sync=True)["status"] == "completed"

    (told,) = [fields for name, fields in world.events.events if name == "erased_record_returned"]
    assert told["count"] == 1
    assert str(victim) not in str(told)
    problems = world.application.run_step("verify_table", PLACE)["problems"]
    assert [problem["kind"] for problem in problems] == ["erased_record_returned"]  # type: ignore[attr-defined]


# --------------------------------------------------------------------------------------------- dying in between


class _Dying:
    """Counts durable writes of lake and commits, and dies before or after the n-th."""

    def __init__(self, world: World, *, at: int, is_after: bool) -> None:
        self.count, self._at, self._is_after = 0, at, is_after
        self._patch(world.lake, ("put", "delete"))
        self._patch(world.context.canonical, ("commit",))

    def _patch(self, target: object, names: Sequence[str]) -> None:
        for name in names:
            setattr(target, name, self._counted(getattr(target, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any method's own
            self.count += 1
            is_now = self.count == self._at
            if is_now and not self._is_after:
                raise _Died
            result = function(*args, **kwargs)
            if is_now:
                raise _Died
            return result

        return counted

    @staticmethod
    def heal(world: World) -> None:
        for target, names in ((world.lake, ("put", "delete")), (world.context.canonical, ("commit",))):
            for name in names:
                delattr(target, name)


def _writes_of_an_erasure() -> int:
    world, victim = made_world()
    dying = _Dying(world, at=0, is_after=False)
    erase(world, victim)
    return dying.count


@pytest.mark.slow
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("has_run", [False, True], ids=["called again", "a run in between"])
def test_dying_at_any_write_leaves_what_a_second_call_finishes(*, is_after: bool, has_run: bool) -> None:
    writes = _writes_of_an_erasure()
    assert writes >= 10
    # Each write is died at before and after, in one of the two courses: every other one here, the rest in the other.
    for at in range(1 + has_run, writes + 1, 2):
        world, victim = made_world()
        others = [row for row in rows(world) if int(row["id"]) != victim]
        _Dying(world, at=at, is_after=is_after)
        with pytest.raises(_Died):
            erase(world, victim)
        _Dying.heal(world)
        if has_run:
            assert world.run()["status"] == "completed"

        erase(world, victim)

        assert told_anywhere(world.lake, MARK) == [], at
        assert rows(world) == others, at
        world.run(rebuild=True)
        assert rows(world) == others, at
        kinds = [problem["kind"] for problem in world.application.run_step("verify_table", PLACE)["problems"]]  # type: ignore[attr-defined]
        assert kinds == [], at


# ------------------------------------------------------------------------------------------------- refusals


def held(world: World, table: str = TICKETS) -> None:
    world.context.tables.acquire(
        "acme",
        table,
        holder=Holder(job_id="a-run"),
        now=world.clock.now(),
        ttl_seconds=60,
        is_gone=lambda _: False,
    )


@pytest.mark.parametrize(
    ("step", "payload"),
    [
        ("erase_record", {**PLACE, "record_id": "100005", "confirm": "100005"}),
        ("erase_tenant", {"tenant_id": "acme", "confirm": "acme"}),
    ],
)
def test_nothing_is_erased_while_a_run_holds_a_table(step: str, payload: dict[str, str]) -> None:
    world, _ = made_world()
    held(world)
    before = [info.key for info in world.lake.list("")]

    with pytest.raises(LeaseHeld, match="a-run"):
        world.application.run_step(step, payload)

    assert [info.key for info in world.lake.list("")] == before
    assert world.context.registry.get("acme", "connectwise") is not None
    assert world.secrets.get("acme/connectwise-local") is not None


@pytest.mark.parametrize(
    ("step", "payload"),
    [
        ("erase_record", {**PLACE, "record_id": "100005", "confirm": "100006"}),
        ("erase_record", {**PLACE, "record_id": "me@example.com", "confirm": "me@example.com"}),
        ("erase_record", {**PLACE, "tenant_id": "nobody", "record_id": "1", "confirm": "1"}),
        ("erase_tenant", {"tenant_id": "acme", "confirm": "acmf"}),
        ("erase_tenant", {"tenant_id": "receipts", "confirm": "receipts"}),
        ("erase_tenant", {"tenant_id": "../acme", "confirm": "../acme"}),
    ],
)
def test_a_call_that_is_not_confirmed_or_names_nothing_erases_nothing(step: str, payload: dict[str, str]) -> None:
    world, _ = made_world()
    before = [info.key for info in world.lake.list("")]

    with pytest.raises(UsageError):
        world.application.run_step(step, payload)

    assert [info.key for info in world.lake.list("")] == before


# --------------------------------------------------------------------------------------------------- tenants


def two_tenants() -> World:
    world = World("acme", "bolt", sizes={TICKETS: 20})
    world.run()
    world.run(tenant_id="acme")
    return world


def erase_acme(world: World) -> Receipt:
    step = world.application.run_step("erase_tenant", {"tenant_id": "acme", "confirm": "acme"})
    return from_json(Receipt, step)


def test_a_tenant_is_gone_from_lake_state_and_secrets_and_its_neighbour_is_untouched() -> None:
    world = two_tenants()
    neighbour = {info.key: world.lake.get(info.key) for info in world.lake.list("bolt/")}
    keys = [info.key for info in world.lake.list("acme/")]

    receipt = erase_acme(world)

    assert world.lake.list("acme/") == []
    assert world.secrets.get("acme/connectwise-local") is None
    assert [item.tenant_id for item in world.context.registry.list()] == ["bolt"]
    assert {state.tenant_id for state in world.context.tables.list()} == {"bolt"}
    jobs = world.context.jobs.list(limit=100)
    assert [job.tenant_id for job in jobs] == [ALL_TENANTS]
    assert "acme" not in str(jobs)
    assert {info.key: world.lake.get(info.key) for info in world.lake.list("bolt/")} == neighbour
    assert receipt.counts["objects"] == len(keys)
    assert receipt.counts["secrets"] == 1
    assert receipt.keys_sha256 == keys_digest([*keys, "acme/connectwise-local"])
    assert isinstance(jobs[0].tenants[0], TenantResult)


def test_a_tenants_receipt_outlives_it_and_a_second_call_is_harmless() -> None:
    world = two_tenants()

    receipt = erase_acme(world)
    again = erase_acme(world)

    assert from_json(Receipt, json.loads(world.lake.get(receipt_key(receipt.receipt_id)))) == receipt
    assert not any(again.counts.values())
    assert [info.key for info in world.lake.list("receipts/")] == [receipt_key(receipt.receipt_id)]
    assert world.context.tables.list()[0].lease is None


def test_an_erased_tenant_can_be_set_up_again_and_loads_from_the_beginning() -> None:
    world = two_tenants()
    erase_acme(world)

    world.register("acme")

    assert world.run(tenant_id="acme")["status"] == "completed"
    assert world.current_ids() == world.truth()
    assert is_sound(world)


def test_a_tenants_erasure_that_died_is_finished_by_a_second_call_and_told_by_its_first_receipt() -> None:
    world = two_tenants()
    everything = world.lake.list("acme/")
    _Dying(world, at=2, is_after=False)  # the receipt is kept, then the first object is to go
    with pytest.raises(_Died):
        erase_acme(world)
    _Dying.heal(world)
    (begun,) = [from_json(Receipt, json.loads(world.lake.get(info.key))) for info in world.lake.list("receipts/")]
    assert (begun.is_complete, begun.counts["objects"]) == (False, len(everything))
    world.clock.advance(61)

    ended = erase_acme(world)

    assert ended.is_complete
    assert world.lake.list("acme/") == []
    assert [item.tenant_id for item in world.context.registry.list()] == ["bolt"]
