"""Where the time of a load goes, stage by stage, and the floor of each stage; `--flame FILE` for a flame graph.

python3 scripts/dev.py profile [--records 20000] [--flame stacks.txt]

The load runs in one thread of one process, so that each stage is seen alone; a timer of the CPU and one of the wall
interrupt it and look which stage is running. The floors are what the least code costs that does a stage's work
(`benchmarks/floors.py`). The file for `--flame` has one stack a line and its count, as flamegraph.pl and speedscope
take it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import corpus
from benchmarks.contenders import REPOSITORY, environment, register
from benchmarks.floors import FLOORS, measured_floors
from benchmarks.measure import helper
from benchmarks.stages import OTHER, STAGES, START, Samples

if TYPE_CHECKING:
    from types import FrameType

_INTERVAL: Final = 0.002
_CHILD: Final = "--profile-load"


def profiled(folder: Path, records: int, *, flame: Path | None = None) -> dict[str, Any]:
    """Return the stages' shares of a load, in seconds per million records, and their floors."""
    tickets = corpus.make(corpus.corpus_path(folder, records), records)
    with tempfile.TemporaryDirectory(prefix="avesa-profile-") as name:
        home = Path(name)
        own = environment() | {"AVESA_HOME": str(home / "home")}
        server = [sys.executable, "-m", "benchmarks.source", str(tickets.path)]
        with helper(server, environment=own) as url:
            register("acme", url, environment=own, folder=home)
            load = [sys.executable, "-m", "benchmarks.profile", _CHILD, str(home / "home")]
            load += [] if flame is None else ["--flame", str(flame.absolute())]
            told = subprocess.run(load, env=own, capture_output=True, text=True, check=True).stdout
            found: dict[str, Any] = json.loads(told.splitlines()[-1])
            floors = measured_floors(tickets, url)
    assert found["records"] == records, found
    millions = records / 1e6
    rows = [
        {
            "stage": stage,
            "cpu": round(found["cpu"].get(stage, 0.0) / millions, 1),
            "wall": round(found["wall"].get(stage, 0.0) / millions, 1),
            "floor": None if stage not in floors else round(floors[stage] / millions, 1),
            "floor_is": FLOORS.get(stage),
        }
        for stage in (*(name for name, _ in STAGES if name != START), OTHER)
    ]
    once = {name: round(found[name].get(START, 0.0), 2) for name in ("cpu", "wall")}
    return {"records": records, "rows": rows, "once": once, "others": found["others"]}


def show(found: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    lines = [
        f"Seconds per million records, of a load of {found['records']:,} in one thread.",
        "",
        "| stage | CPU | wall | floor, CPU | the floor is |",
        "|---|---|---|---|---|",
    ]
    total = {name: sum(row[name] for row in found["rows"]) for name in ("cpu", "wall")}
    total["floor"] = sum(row["floor"] or 0.0 for row in found["rows"])
    for row in found["rows"]:
        floor = "" if row["floor"] is None else row["floor"]
        lines.append(f"| {row['stage']} | {row['cpu']} | {row['wall']} | {floor} | {row['floor_is'] or ''} |")
    lines.append(f"| **in all** | {total['cpu']:.1f} | {total['wall']:.1f} | {total['floor']:.1f} | |")
    once = found["once"]
    lines += [
        "",
        f"Beside that, once for each run: {once['cpu']} s of CPU ({once['wall']} s) for imports and start-up.",
    ]
    return "\n".join(lines)


def _load(home: Path, flame: Path | None) -> None:
    """Load everything under both timers and print what was seen; this process is of no other use."""
    cpu, wall = Samples(), Samples()

    def on_cpu(_: int, frame: FrameType | None) -> None:
        cpu.take(frame)

    def on_wall(_: int, frame: FrameType | None) -> None:
        wall.take(frame)

    signal.signal(signal.SIGPROF, on_cpu)
    signal.signal(signal.SIGALRM, on_wall)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
    signal.setitimer(signal.ITIMER_REAL, _INTERVAL, _INTERVAL)
    began = time.perf_counter()
    records = _loaded(home)
    seconds = time.perf_counter() - began
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    if flame is not None:
        flame.write_text("".join(f"{stack} {count}\n" for stack, count in cpu.stacks.items()), encoding="utf-8")
    # A moment in C code is noticed when it ends, so moments are shares; the clocks tell how much there was to share.
    told = {
        "records": records,
        "cpu": _shares(cpu, used.ru_utime + used.ru_stime),
        "wall": _shares(wall, seconds),
        "others": dict(cpu.others.most_common(8)),
    }
    print(json.dumps(told))


def _shares(samples: Samples, seconds: float) -> dict[str, float]:
    total = sum(samples.stages.values()) or 1
    return {stage: seconds * count / total for stage, count in samples.stages.items()}


def _loaded(home: Path) -> int:
    """Carry out a run as `avesa run` does, one thing at a time; return how many records came."""
    # Under the timers, since a run pays for its imports too.
    from avesa.adapters.memory.executor import InlineExecutor  # noqa: PLC0415
    from avesa.application.pipeline import Application  # noqa: PLC0415
    from avesa.application.workflow import run_pipeline  # noqa: PLC0415
    from avesa.bootstrap.local import LocalSettings, local_application  # noqa: PLC0415

    with local_application(LocalSettings(home=home, parsing_processes=1)) as application:
        alone = Application(replace(application.context, executor=InlineExecutor()))
        result: Any = run_pipeline(alone, {"tenant_id": "acme", "table_name": "tickets"})
    (table,) = result["tenants"][0]["tables"]
    assert table["status"] == "completed", table
    return int(table["records_extracted"])


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--flame", type=Path, metavar="FILE", help="also write the stacks, for a flame graph")
    parser.add_argument(_CHILD, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.profile_load is not None:
        _load(options.profile_load, options.flame)
        return 0
    folder = Path(os.environ.get("AVESA_BENCH") or REPOSITORY / ".bench")
    print(show(profiled(folder, options.records, flame=options.flame)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
