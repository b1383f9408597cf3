"""Reads the repository as the architecture tests see it: files, modules, and the dotted names that a module uses."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "avesa"
CORE = ("domain", "canonical", "connectors", "ports", "application")
# Folders that a checkout without git may hold beside its own files.
NOT_OURS = {
    *(".git", ".venv", "__pycache__", "node_modules", "avesa-data", "build", "dist", "cdk.out"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", ".hypothesis"),
}


class Use(NamedTuple):
    """A dotted name as it is after imports are resolved ("datetime.datetime.now"), and its line."""

    name: str
    line: int


def modules(*folders: str) -> list[Path]:
    """Return the Python files of these folders of the package, or of the whole package."""
    return sorted(path for folder in folders or ("",) for path in (PACKAGE / folder).rglob("*.py"))


def own_files() -> list[Path]:
    """Return the files that are, or could be, committed: git's list, or all that is not a cache without git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
        return sorted(path for path in found if path.is_file())
    return sorted(
        Path(folder, name)
        for folder, folders, names in os.walk(ROOT)
        if _descend(folders)
        for name in names
        if not name.startswith(".coverage")
    )


def _descend(folders: list[str]) -> bool:
    folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith(".egg-info")]
    return True


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def uses(tree: ast.Module) -> Iterator[Use]:
    """Yield each name and attribute chain, written as if nothing had been imported under another name.

    `from datetime import datetime as dt; dt.now` is `datetime.datetime.now`. A name that is not imported is taken
    for a built-in (`builtins.open`), so that a field that happens to be called `secrets` is no use of the module.
    """
    imported = dict(_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Use(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (Use(f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Name | ast.Attribute):
            chain = _chain(node)
            if chain:
                first, *rest = chain
                yield Use(".".join([imported.get(first, f"builtins.{first}"), *rest]), node.lineno)


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _chain(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        owner = _chain(node.value)
        return [*owner, node.attr] if owner else []
    return []


def found_in(paths: list[Path], banned: frozenset[str]) -> list[str]:
    """Return "file:line name" for each use of a banned name or of anything below it."""
    return [
        f"{path.relative_to(ROOT)}:{use.line} {use.name}"
        for path in paths
        for use in sorted(uses(parse(path)), key=lambda use: use.line)
        if any(use.name == name or use.name.startswith(f"{name}.") for name in banned)
    ]
