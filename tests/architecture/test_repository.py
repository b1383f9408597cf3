"""Checks what lies around the code: no trace of one machine, decisions that can be cited, locks that agree."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import ROOT, own_files

if TYPE_CHECKING:
    from pathlib import Path

# Written in pieces, so that this file is not a finding of its own.
REGISTRIES = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("proxy", "golang", "org"),
            ("crates", "io"),
            ("conda", "anaconda", "org"),
            ("jfrog", "io"),
        )
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.}$~])/(?:root|work|farm|Users/\w+|home/\w+)/" + r"[\w.]")
ADR_NAME = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
LOCKS = sorted(path.stem for path in (ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9, -]+\])?==(\S+)( ; .+?)? \\$", re.MULTILINE)


def _text(path: Path) -> str:
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", errors="replace")


def _findings(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number} {match.group()}"
        for path in own_files()
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if (match := pattern.search(line))
    ]


def _pins(name: str) -> set[tuple[str, str, str]]:
    return set(PIN.findall((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")))


def test_no_file_names_a_package_registry() -> None:
    # Whoever installs chooses the registry; a host in a lock file overrides that silently.
    assert _findings(REGISTRIES) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    here = re.escape(str(ROOT))

    assert _findings(MACHINE_PATHS) == []
    assert len(ROOT.parts) <= 2 or _findings(re.compile(rf"{here}(?!\w)")) == []


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("open('/ro" + "ot/data')", True),
        ("cd /ho" + "me/ann/avesa", True),
        ("https://example.com/ho" + "me/page", False),
        ("tests/wo" + "rk/a", False),
        ("$HOME/ro" + "ot/a", False),
    ],
)
def test_a_path_of_a_machine_is_told_from_a_part_of_an_address(line: str, *, is_found: bool) -> None:
    assert bool(MACHINE_PATHS.search(line)) is is_found


def test_every_decision_has_a_number_of_its_own() -> None:
    names = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md") if path.name != "README.md"]
    numbers = Counter(match.group(1) for name in names if (match := ADR_NAME.fullmatch(name)))

    assert [name for name in names if not ADR_NAME.fullmatch(name)] == []
    assert [number for number, count in numbers.items() if count > 1] == []


def test_every_dependency_of_the_project_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[<>=!~;\[ ]", dependency)[0] for dependency in project["dependencies"]}

    assert wanted - {name for name, _, _ in _pins("runtime")} == set()


def test_every_list_of_requirements_is_locked_and_every_lock_has_its_list() -> None:
    wanted = {path.stem for path in (ROOT / "requirements").glob("*.in")}

    assert wanted == set(LOCKS)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_pins_with_hashes_and_nothing_else(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    blocks = [block for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if block]

    # An option at the top (an index, a link, another file) would decide for whoever installs.
    assert [block.splitlines()[0] for block in blocks if PIN.match(block) is None] == []
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert len(_pins(name)) == len(blocks) > 0


@pytest.mark.parametrize("name", ["runtime", "aws", "lambda-chunk", "lambda-transform", "lambda-simulator"])
def test_tests_run_with_the_versions_that_users_and_functions_get(name: str) -> None:
    # Less their markers: the functions' systems are fewer.
    assert {pin[:2] for pin in _pins(name)} - {pin[:2] for pin in _pins("dev")} == set()


@pytest.mark.parametrize("minor", [6, 7, 8, 9, 10])
def test_the_door_parses_on_old_pythons_so_that_it_can_say_what_it_needs(minor: int) -> None:
    ast.parse((ROOT / "scripts" / "dev.py").read_text(encoding="utf-8"), feature_version=(3, minor))


def test_every_ignored_lint_rule_has_its_reason_on_the_line() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = re.findall(r'^ {4}"[A-Z]+\d*",.*$', text, flags=re.MULTILINE)

    assert ignored
    assert [line for line in ignored if not re.search(r"# \S.{9,}$", line)] == []
