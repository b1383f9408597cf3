"""Holds the core to what no import rule sees: built-ins, and functions of modules that are otherwise allowed."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import CORE, PACKAGE, ROOT, Use, found_in, modules, parse, uses

FILES = frozenset({"builtins.open", "io.open", "pathlib", "pyarrow.parquet"})
CLOCKS = frozenset(
    {
        *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
        *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.sleep"),
        *("time.gmtime", "time.localtime"),
    }
)
# random.Random is a type that a caller may hand in; the functions beside it share one hidden generator.
CHANCE = frozenset(
    {
        *("uuid.uuid1", "uuid.uuid4", "secrets", "random.SystemRandom", "random.seed"),
        *(f"random.{name}" for name in ("random", "randint", "randrange", "uniform", "choice", "choices", "shuffle")),
    }
)
# A lock is allowed: workers share what a use case holds. Starting one is the Executor's business.
THREADS = frozenset({"threading.Thread", "threading.Timer", "concurrent.futures", "_thread"})
ENVIRONMENT = frozenset({"os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv"})
MAY_READ_ENVIRONMENT = ("bootstrap", "entrypoints")


def test_the_core_opens_no_file() -> None:
    assert found_in(modules(*CORE), FILES) == []


def test_the_core_asks_no_clock() -> None:
    assert found_in(modules(*CORE), CLOCKS) == []


def test_the_core_rolls_no_dice() -> None:
    assert found_in(modules(*CORE), CHANCE) == []


def test_the_core_starts_no_thread() -> None:
    assert found_in(modules(*CORE), THREADS) == []


def test_the_environment_is_read_only_by_bootstrap_and_entrypoints() -> None:
    readers = [path for path in modules() if path.relative_to(PACKAGE).parts[0] not in MAY_READ_ENVIRONMENT]

    assert found_in(readers, ENVIRONMENT) == []


def test_the_domain_imports_the_standard_library_and_itself_only() -> None:
    # import-linter can only forbid packages that somebody thought of; this is the rule itself.
    foreign = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in modules("domain")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or "."])
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("avesa.domain")
    ]

    assert foreign == []


def test_no_test_uses_mocks() -> None:
    # The whole tree, scripts and benchmarks included: a mock tests the driver, a fake tests the port.
    everywhere = [
        path for folder in ("src", "tests", "scripts", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]

    assert found_in(sorted(everywhere), frozenset({"unittest.mock", "mock", "pytest_mock"})) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("open('x')", "builtins.open"),
        ("from datetime import datetime as dt\ndt.now()", "datetime.datetime.now"),
        ("import datetime\ndatetime.datetime.now()", "datetime.datetime.now"),
        ("from time import time\nclock = time", "time.time"),
        ("import os as system\nsystem.environ['X']", "os.environ"),
        ("import os.path\nos.environ['X']", "os.environ"),
        ("from unittest import mock\nmock.Mock()", "unittest.mock"),
        ("def f() -> None:\n    from uuid import uuid4\n    uuid4()", "uuid.uuid4"),
    ],
)
def test_a_banned_name_is_seen_however_it_was_imported(source: str, name: str) -> None:
    assert name in {use.name for use in uses(ast.parse(source))}


@pytest.mark.parametrize("source", ["store.open()", "clock.now()", "secrets: SecretStore", "time.time()"])
def test_a_name_that_was_not_imported_is_no_use_of_a_module(source: str) -> None:
    seen = {use.name for use in uses(ast.parse(source))}

    assert not seen & (FILES | CLOCKS | CHANCE)


def test_every_rule_reads_at_least_one_module_of_each_layer() -> None:
    # A renamed folder would make the rules above pass over nothing.
    assert [folder for folder in CORE if not modules(folder)] == []
    assert Use("datetime.datetime.now", 2) in set(uses(ast.parse("from datetime import datetime\ndatetime.now()")))
    assert Path(PACKAGE, "__init__.py") in modules()
