"""Writes what the harnesses found into docs/reliability.md (between its marks) and docs/reliability.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

_DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
_PAGE: Final = _DOCS / "reliability.md"
_FIGURES: Final = _DOCS / "reliability.json"


def write_matrix(figures: dict[str, Any]) -> None:
    """Put a kill matrix into the page and the figures, beside those of other backends."""
    kept = _load()
    kept.setdefault("kill_matrix", {})[figures["backend"]] = figures
    _save(kept)
    _replace("kill-matrix", "\n\n".join(matrix_table(item) for item in kept["kill_matrix"].values()))


def write_histories(figures: dict[str, Any]) -> None:
    """Put the figures of the histories into the page and the figures."""
    kept = _load()
    kept["histories"] = figures
    _save(kept)
    _replace("histories", histories_table(figures))


def write_mutations(figures: list[dict[str, Any]], *, is_whole: bool) -> None:
    """Put what became of these mutations into the page and the figures, beside the others unless these are all."""
    kept = _load()
    merged = {item["mutation"]: item for item in [*([] if is_whole else kept.get("mutations", [])), *figures]}
    kept["mutations"] = list(merged.values())
    _save(kept)
    _replace("mutations", mutations_table(kept["mutations"]))


def matrix_table(figures: dict[str, Any]) -> str:
    """Return a matrix as Markdown."""
    lines = [
        (
            f"Backend `{figures['backend']}`: {figures['survived']} of {figures['tried']} deaths survived "
            f"({figures['cells']} cells in all), at most {figures['most_pages_again_per_chunk']} page of a chunk "
            "fetched again."
        ),
        "",
        "| run | durable write | deaths | survived, both ways | pages of a chunk fetched again, at most |",
        "|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| {row['run']} | {row['write']} | {row['cells']} | {row['survived']} | {row['pages_again']} |"
        for row in figures["rows"]
    ]
    return "\n".join(lines)


def histories_table(figures: dict[str, Any]) -> str:
    """Return the histories' figures as Markdown."""
    lines = [
        (
            f"{figures['histories']:,} histories, {figures['failed']} with a broken invariant: "
            f"{figures['runs']:,} runs, {figures['requests']:,} requests, "
            f"{figures['changes_at_the_source']:,} changes at the source while they ran; no history had fewer than "
            f"{figures['fewest_runs']} runs or {figures['fewest_records']} records."
        ),
        "",
        "| fault | struck |",
        "|---|---:|",
    ]
    lines += [f"| {name} | {times:,} |" for name, times in figures["struck"].items()]
    return "\n".join(lines)


def mutations_table(figures: list[dict[str, Any]]) -> str:
    """Return the mutations as Markdown."""
    lines = ["| mutation | caught by |", "|---|---|"]
    lines += [f"| {item['mutation']} | {item['caught_by'] or '**nothing**'} |" for item in figures]
    return "\n".join(lines)


def _load() -> dict[str, Any]:
    return dict(json.loads(_FIGURES.read_text(encoding="utf-8"))) if _FIGURES.is_file() else {}


def _save(figures: dict[str, Any]) -> None:
    _FIGURES.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _replace(name: str, content: str) -> None:
    text = _PAGE.read_text(encoding="utf-8")
    mark = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    if not mark.search(text):
        raise ValueError(f"{_PAGE.name} has no marks for {name!r}")
    _PAGE.write_text(mark.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text), encoding="utf-8")
