"""Every locked dependency has a licence under which AVESA may be given on; a new one is looked at first."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING, Final

import pytest

from tests.architecture.sources import ROOT

if TYPE_CHECKING:
    from importlib.metadata import PackageMetadata

PERMISSIVE: Final = frozenset(
    {
        "0BSD", "Apache-2.0", "Apache Software License", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0",
        "CNRI-Python", "MIT", "MIT License", "MIT No Attribution License (MIT-0)", "MIT-0", "PSF-2.0", "Zlib",
    }
)  # fmt: skip
# Used for tests and checks, unchanged, and in no package of ours: their terms are on their own files alone.
TOOLS_ALONE: Final = {"hypothesis": "MPL-2.0", "pathspec": "Mozilla Public License 2.0 (MPL 2.0)"}
# Their metadata has the bare words "OSI Approved"; read in the sources' LICENSE files (2026-11): Apache-2.0.
READ_BY_HAND: Final = frozenset(
    {
        "aws-cdk-asset-awscli-v1", "aws-cdk-asset-node-proxy-agent-v6", "aws-cdk-cloud-assembly-schema", "aws-cdk-lib",
        "cdk-nag", "constructs",
    }
)  # fmt: skip
PIN: Final = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[.*?\])?==\S+", re.MULTILINE)


def pinned(name: str) -> set[str]:
    return set(PIN.findall((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")))


def licences(told: PackageMetadata) -> set[str]:
    """Return the names of a package's licences, of each group of alternatives too."""
    expression, words = (str(told.json.get(name) or "") for name in ("license_expression", "license"))
    names = [str(item) for item in told.json.get("classifier", [])]
    classifiers = set() if expression else {item.split(" :: ")[-1] for item in names if item.startswith("License ::")}
    text = expression or ("" if classifiers else words)
    return classifiers | {item for item in re.split(r" (?:AND|OR) |[()]", text) if item}


def refused(package: str, found: set[str]) -> set[str]:
    allowed = PERMISSIVE | {TOOLS_ALONE.get(package, "")} | ({"OSI Approved"} if package in READ_BY_HAND else set())
    return found - allowed if found else {"no licence"}


def test_every_locked_dependency_has_a_licence_that_is_allowed() -> None:
    problems = {}
    for package in pinned("dev"):
        try:
            found = refused(package, licences(metadata(package)))
        except PackageNotFoundError:
            continue  # for another platform
        if found:
            problems[package] = found

    assert problems == {}


def test_what_the_check_looks_at_is_all_that_is_shipped_or_deployed() -> None:
    shipped = set().union(*(pinned(name) for name in ("runtime", "aws", "infrastructure", "lambda-chunk")))

    assert shipped | pinned("lambda-transform") <= pinned("dev")
    assert not set(TOOLS_ALONE) & (pinned("lambda-chunk") | pinned("lambda-transform"))


@pytest.mark.parametrize(
    ("package", "found"),
    [
        ("new", {"GPL-3.0-only"}),
        ("new", set()),
        ("new", {"OSI Approved"}),
        ("new", {"MIT", "SSPL-1.0"}),
        ("new", {"MPL-2.0"}),
    ],
)
def test_another_licence_or_none_is_refused(package: str, found: set[str]) -> None:
    assert refused(package, found)
