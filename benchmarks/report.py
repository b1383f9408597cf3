"""docs/performance.json keeps what was measured, docs/performance.md shows it between its markers."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import goals
from benchmarks.profile import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DOCS: Final = Path(__file__).parents[1] / "docs"
_MEASURED: Final = DOCS / "performance.json"
_PAGE: Final = DOCS / "performance.md"
_OWN_PACKAGES: Final = ("deltalake", "duckdb", "pyarrow", "msgspec", "urllib3")
_PEER_PACKAGES: Final = ("dlt", "airbyte-cdk", "singer-sdk", "pandas", "polars", "duckdb", "pyarrow", "requests")


def keep(part: str, found: Mapping[str, Any], *, peers: Path | None, command: str) -> None:
    """Put what a part measured in the place of its earlier figures, then write the page again."""
    measured = json.loads(_MEASURED.read_text(encoding="utf-8")) if _MEASURED.is_file() else {}
    measured[part] = {"measured": about(peers) | {"command": command}, **found}
    _MEASURED.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = _PAGE.read_text(encoding="utf-8")
    for name, content in measured.items():
        page = _replaced(page, name, f"{shown(name, content)}\n\n{_told_about(content['measured'])}")
    _PAGE.write_text(_replaced(page, "goals", goals.table(measured)), encoding="utf-8")


def shown(part: str, found: dict[str, Any]) -> str:
    """Return what a part measured as Markdown."""
    return _PAGES[part.partition("-")[0]](found).rstrip("\n")


def about(peers: Path | None) -> dict[str, Any]:
    """Return the machine, the versions and the time of a measurement."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(encoding="utf-8"))
    listed = "" if peers is None else _packages(peers)
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), "
        f"{round(int(memory[1]) / 1e6) if memory else '?'} GB, Linux {platform.release()}",
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "commit": _told(["git", "rev-parse", "--short", "HEAD"]),
        "versions": {name: version(name) for name in _OWN_PACKAGES},
        "peers": {
            name: found[1] for name in _PEER_PACKAGES if (found := re.search(rf"^{name}==(.*)$", listed, re.MULTILINE))
        },
    }


def _packages(python: Path) -> str:
    return _told([str(python), "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"])


def _told(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=DOCS)
    return done.stdout.strip()


def _replaced(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- bench {name} -->", f"<!-- end {name} -->"
    head, found, rest = page.partition(begin)
    if not found or end not in rest:
        raise ValueError(f"{_PAGE}: the markers {begin} and {end} are missing")
    return f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}"


def _comparison(content: dict[str, Any]) -> str:
    lines = []
    for table in content["tables"]:
        lines += [
            f"**{table['title']}**",
            "",
            "| | runs | wall, s | least to most | records/s | CPU-s/M | MB a process | MB in all | times AVESA's |",
        ]
        lines += ["|---|---|---|---|---|---|---|---|---|", *map(_line, table["rows"]), ""]
    return "\n".join(lines)


def _line(row: Mapping[str, Any]) -> str:
    name = f"{row['contender']}: {row['does']}"
    if "failure" in row:
        return f"| {name} | {row['runs']} | did not load it: {_short(row['failure'])} | | | | | | |"
    return (
        f"| {name} | {row['runs']} | {row['wall_seconds']} | {row['wall_least']} to {row['wall_most']} | "
        f"{row['records_per_second']:,} | {row['cpu_seconds_per_million']} | {row['process_mb']} | {row['tree_mb']} | "
        f"{row['times_avesa']} |"
    )


def _growth(content: dict[str, Any]) -> str:
    heads = [
        "rows",
        "increment of 1,000 changes",
        "runs",
        "wall, s",
        "least to most",
        "CPU, s",
        "MB written",
        "MB a process",
    ]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [
        f"| {row['rows']:,} | {row['what']} | {row['runs']} | {row['wall_seconds']} | {row['wall_least']} to "
        f"{row['wall_most']} | {row['cpu_seconds']} | {row['written_mb']} | {row['process_mb']} |"
        for row in content["rows"]
    ]
    return "\n".join(lines)


def _tenants(content: dict[str, Any]) -> str:
    heads = ["tenants", "at once", "wall, s", "records/s", "MB a process", "MB in all"]
    lines = [f"**{content['tickets']:,} tickets for each tenant, no latency**", ""]
    lines += [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [
        f"| {row['tenants']} | {row['at_once']} | {row['wall_seconds']} | {row['records_per_second']:,} | "
        f"{row['process_mb']} | {row['tree_mb']} |"
        for row in content["rows"]
    ]
    return "\n".join(lines)


def _short(text: str) -> str:
    return text.strip().splitlines()[-1][:120].replace("|", "/")


def _told_about(measured: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in {**measured["versions"], **measured["peers"]}.items())
    return (
        f"Measured {measured['at']} by `{measured['command']}` at commit {measured['commit']}: {measured['machine']}, "
        f"Python {measured['python']}, load before {measured['load_before']}. {versions}."
    )


_PAGES: Final = {
    "peers": _comparison,
    "latency": _comparison,
    "growth": _growth,
    "tenants": _tenants,
    "profile": show,
}
