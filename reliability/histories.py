"""Whole histories drawn from seeds: several runs, a company at work, everything that can go wrong, and the invariants.

python -m reliability.histories --count 500 --start 1        many, on every core
python -m reliability.histories --seed 42                    one, again, exactly as it was
python -m reliability.histories --count 10000 --journal f    very many; called again it goes on
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reliability import invariants
from reliability.report import write_histories
from reliability.scheduler import HistoryStuck
from reliability.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reliability.gates import Victim
    from reliability.scheduler import Task
    from reliability.world import Told

_LEASE_GONE_SECONDS: Final = 75.0
_BATCH: Final = 5


@dataclass
class Outcome:
    """What one history came to."""

    seed: int
    findings: list[str]
    struck: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    records: int = 0
    deeds: int = 0
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)


def history(seed: int) -> Outcome:
    """Live through one history."""
    world = World(seed)
    play = _Play(world)
    world.scheduler.spawn(world.process("driver"), play.driver)
    try:
        world.scheduler.run()
    except HistoryStuck as stuck:
        play.findings.append(str(stuck))
    findings = [*play.findings, *world.scheduler.findings]
    statuses = Counter(
        f"{table['status']}"
        for told in world.told
        for tenant in (told.result or {}).get("tenants", ())
        for table in tenant["tables"]
    )
    return Outcome(
        seed=seed,
        findings=findings,
        struck=world.weather.struck,
        runs=len(world.told),
        records=sum(len(spans) for spans in world.mischief.diary.spans.values()),
        deeds=world.mischief.done,
        requests=sum(world.site.statistics.requests().values()),
        statuses=statuses,
    )


class _Play:
    """The course of one history."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[str] = []

    def driver(self) -> None:
        """Set up, run in foul weather, wait until it is over, run once undisturbed, and look."""
        try:
            self._storm()
            self._calm()
        except Exception as error:
            self.findings.append(f"the history broke off: {type(error).__name__}: {error}")

    def _storm(self) -> None:
        world, rng, scheduler = self.world, self.world.plot, self.world.scheduler
        world.register()
        world.weather.begin(world.site)
        world.mischief.rate = rng.choice((0.0, 0.02, 0.1, 0.3))
        going: list[Task] = []
        for number in range(rng.randrange(3, 7)):
            if going and rng.random() < 0.6:
                scheduler.join(going)
            world.mischief.stir(rng.choice((0, 3, 10, 30)))
            scheduler.sleep(rng.choice((0.1, 5.0, 40.0, 90.0, 700.0, 4000.0)))
            request, process = self._request(number), self._victim(number)
            going.append(scheduler.spawn(process, lambda p=process, r=request: self._one(p, r)))  # type: ignore[misc]
        scheduler.join(going)

    def _calm(self) -> None:
        world, scheduler = self.world, self.world.scheduler
        world.weather.end(world.site)
        world.mischief.rate = 0.0
        world.mischief.stir(world.plot.choice((0, 0, 5)))
        # A lease that was taken before the clock was put back looks good for longer to another machine.
        scheduler.sleep(_LEASE_GONE_SECONDS + world.machine.put_back_seconds)
        # The first run goes on with what the storm left; the second one has nothing to excuse it.
        for name in ("last but one", "last"):
            told = self._undisturbed(name)
            if told is None:
                self.findings.append(f"the {name} run broke off")
                return
            self.findings += invariants.after_run(world, told)
            if name == "last":
                self.findings += invariants.at_end(world, told)

    def _undisturbed(self, name: str) -> Told | None:
        world, told = self.world, []
        process = world.process(name)
        request: dict[str, object] = {"detect_deletes": True, "allow_mass_delete": True}
        task = world.scheduler.spawn(process, lambda: told.append(world.run(process, request)))
        world.scheduler.join([task])
        return told[0] if told else None

    def _one(self, process: Victim, request: dict[str, object]) -> None:
        told = self.world.run(process, request)
        self.findings += invariants.after_run(self.world, told)

    def _request(self, number: int) -> dict[str, object]:
        rng = self.world.plot
        request: dict[str, object] = {}
        kind = rng.random()
        if number and kind < 0.12:
            request["full_sync"] = True
        elif number and kind < 0.2:
            request["since"] = "2024-06-01T00:00:00Z"
        elif number and kind < 0.25:
            request["rebuild"] = True
        elif kind < 0.65:
            request["detect_deletes"] = True
        if rng.random() < 0.1:
            request["table_name"] = "tickets"
        if rng.random() < 0.2:
            request["wait_seconds"] = rng.choice((5.0, 100.0))
        return request

    def _victim(self, number: int) -> Victim:
        rng = self.world.plot
        dies = rng.randrange(1, 400) if rng.random() < 0.35 else None
        stands = rng.randrange(1, 300) if rng.random() < 0.25 else None
        fate: dict[str, float | None] = {
            "dies_at": dies,
            "stands_at": stands,
            "seconds": rng.choice((20.0, 70.0, 900.0)),
        }
        if rng.random() < 0.06:
            fate |= {"fills_at": rng.randrange(1, 300), "full_seconds": rng.choice((0.5, 5.0, 60.0, 900.0))}
        if rng.random() < 0.08:
            fate |= {"puts_back_at": rng.randrange(1, 300), "back_seconds": rng.choice((2.0, 70.0, 3600.0, 90_000.0))}
        return self.world.process(f"run-{number}", **fate)


def _batch(seeds: Sequence[int]) -> list[Outcome]:
    return [history(seed) for seed in seeds]


def histories(start: int, count: int, workers: int, *, is_first_enough: bool = False) -> list[Outcome]:
    """Live through `count` histories from seed `start` on, in `workers` processes; or until one breaks an invariant."""
    batches = [range(low, min(low + _BATCH, start + count)) for low in range(start, start + count, _BATCH)]
    done: list[Outcome] = []
    with ProcessPoolExecutor(workers) if workers > 1 else contextlib.nullcontext() as pool:
        for outcomes in (pool.map if pool is not None else map)(_batch, batches):
            done += outcomes
            if is_first_enough and any(outcome.findings for outcome in outcomes):
                if pool is not None:
                    pool.shutdown(wait=True, cancel_futures=True)
                break
    return done


def _kept(journal: Path, start: int, count: int) -> list[Outcome]:
    """Return the outcomes that an earlier call has left of these seeds."""
    if not journal.is_file():
        return []
    found = [_outcome(json.loads(line)) for line in journal.read_text(encoding="utf-8").splitlines()]
    return [outcome for outcome in found if start <= outcome.seed < start + count]


def _outcome(item: dict[str, Any]) -> Outcome:
    return Outcome(**item | {"struck": Counter(item["struck"]), "statuses": Counter(item["statuses"])})


def journaled(journal: Path, start: int, count: int, workers: int) -> list[Outcome]:
    """Live through the histories that the journal does not have yet, and keep each; a call that is ended loses few."""
    done = _kept(journal, start, count)
    known = {outcome.seed for outcome in done}
    seeds = [seed for seed in range(start, start + count) if seed not in known]
    batches = [seeds[low : low + _BATCH] for low in range(0, len(seeds), _BATCH)]
    with (
        ProcessPoolExecutor(workers) if workers > 1 else contextlib.nullcontext() as pool,
        journal.open("a", encoding="utf-8") as file,
    ):
        for outcomes in (pool.map if pool is not None else map)(_batch, batches):
            done += outcomes
            file.writelines(json.dumps(vars(outcome)) + "\n" for outcome in outcomes)
            file.flush()
    return done


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how the histories went; the exit status is 1 when an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m reliability.histories", description="Random histories from seeds.")
    parser.add_argument("--seed", type=int, help="this history only, again")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=500, help="how many histories")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--until-red", action="store_true", help="end at the first broken invariant")
    parser.add_argument("--journal", type=Path, help="keep each outcome in this file, and go on from what it has")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md and docs/reliability.json")
    chosen = parser.parse_args(arguments)
    began = time.perf_counter()
    if chosen.seed is not None:
        outcomes = [history(chosen.seed)]
    elif chosen.journal is not None:
        outcomes = journaled(chosen.journal, chosen.start, chosen.count, chosen.workers)
    else:
        outcomes = histories(chosen.start, chosen.count, chosen.workers, is_first_enough=chosen.until_red)
    figures = _figures(outcomes, time.perf_counter() - began)
    print(json.dumps(figures, indent=2))
    bad = [outcome for outcome in outcomes if outcome.findings]
    for outcome in bad:
        print(f"\nseed {outcome.seed}: python -m reliability.histories --seed {outcome.seed}")
        for finding in outcome.findings[:6]:
            print(f"  {finding}")
    if chosen.write:
        write_histories(figures)
    return 1 if bad else 0


def _figures(outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    struck: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for outcome in outcomes:
        struck += outcome.struck
        statuses += outcome.statuses
    return {
        "histories": len(outcomes),
        "failed": sum(1 for outcome in outcomes if outcome.findings),
        "seconds": round(seconds, 1),
        "runs": sum(outcome.runs for outcome in outcomes),
        "fewest_runs": min(outcome.runs for outcome in outcomes),
        "fewest_records": min(outcome.records for outcome in outcomes),
        "requests": sum(outcome.requests for outcome in outcomes),
        "changes_at_the_source": sum(outcome.deeds for outcome in outcomes),
        "tables": dict(statuses.most_common()),
        "struck": dict(sorted(struck.items())),
    }


if __name__ == "__main__":
    sys.exit(main())
