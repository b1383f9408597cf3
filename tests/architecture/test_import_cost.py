"""Keeps `avesa --help` quick: a command pays for an engine when it uses one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.architecture.sources import PACKAGE

HEAVY = (
    "duckdb",
    "deltalake",
    "pyarrow",
    "arro3",
    "polars",
    "boto3",
    "botocore",
    "cryptography",
    "pydantic",
    "urllib3",
)
MODULES_AT_MOST = 180
PROBE = """
import json, sys
sys.argv = ["avesa", "--help"]
from avesa.entrypoints.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print()
print(json.dumps(sorted(sys.modules)))
"""

pytestmark = pytest.mark.skipif(
    not (PACKAGE / "entrypoints" / "cli.py").is_file(), reason="avesa.entrypoints.cli is not written yet"
)


@pytest.fixture(scope="module")
def imported() -> list[str]:
    """Return the modules that a fresh interpreter holds after `avesa --help`."""
    # -I: neither PYTHONPATH nor the current folder decides what is found; the package is named explicitly.
    probe = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{PROBE}"
    done = subprocess.run([sys.executable, "-I", "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(names, list)
    return names


@pytest.mark.parametrize("package", HEAVY)
def test_help_imports_no_engine(imported: list[str], package: str) -> None:
    assert [name for name in imported if name.split(".")[0] == package] == []


def test_help_imports_no_simulator_and_no_adapter(imported: list[str]) -> None:
    assert [name for name in imported if name.startswith(("avesa.simulator", "avesa.adapters"))] == []


def test_help_imports_few_modules(imported: list[str]) -> None:
    assert len(imported) <= MODULES_AT_MOST


CHUNK_MODULES_AT_MOST = 760
CHUNK_PROBE = """
import json, sys
import avesa.entrypoints.aws.chunk_processor
import avesa.adapters.parquet.raw  # what its first call imports
print(json.dumps(sorted(sys.modules)))
"""
NOT_IN_A_CHUNK = ("duckdb", "deltalake", "arro3", "pandas", "polars", "sqlite3", "rich", "click", "cryptography")


def test_the_chunk_function_starts_with_few_modules_and_no_table_engine() -> None:
    probe = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{CHUNK_PROBE}"
    done = subprocess.run([sys.executable, "-I", "-c", probe], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    names = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in names if name.split(".")[0] in NOT_IN_A_CHUNK] == []
    assert len(names) <= CHUNK_MODULES_AT_MOST
