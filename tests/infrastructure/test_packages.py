"""The Lambda packages hold what their functions import, nothing that functions must not load, and fit with room."""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from infrastructure.components.functions import PackageName

pytestmark = pytest.mark.infrastructure

MARGIN_BYTES = 12 * 1024 * 1024
HANDLERS = {
    "chunk": (
        "pipeline_orchestrator",
        "tenant_processor",
        "table_processor",
        "chunk_processor",
        "result_aggregator",
        "connectwise_ingestion",
    ),
    "transform": ("canonical_transform",),
    "simulator": ("connectwise_simulator",),
}
# What Lambda's Python runtime brings; the packages leave it out.
RUNTIME = ("boto3", "botocore", "s3transfer", "dateutil", "six", "jmespath", "urllib3")
FORBIDDEN = {
    "chunk": ("duckdb", "deltalake", "arro3", "sqlite3", "boto3", "click", "rich", "polars"),
    "transform": ("pyarrow", "sqlite3", "boto3", "click", "rich", "polars"),
    "simulator": ("pyarrow", "duckdb", "deltalake", "sqlite3", "boto3", "click", "rich", "urllib3"),
}
PROGRAM = """
import importlib, json, sys
sys.path[:0] = sys.argv[1:3]
package, lake = sys.argv[3], object()
for name in sys.argv[4:]:
    importlib.import_module("avesa.entrypoints.aws." + name)
if package != "simulator":
    from avesa.bootstrap.aws_packages import canonical_store, raw_store
    raw_store(package, lake)
    canonical_store(package, lake, lake)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} | set(sys.modules))))
"""


@pytest.fixture(scope="module", params=["chunk", "transform", "simulator"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[PackageName, Path]:
    from infrastructure.components.package import Package

    name: PackageName = request.param
    folder = tmp_path_factory.mktemp(name)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    Package(name=name, architecture="x86_64", python_version=version).build(folder)
    return name, folder


def test_the_larger_platform_fits_with_room(built: tuple[PackageName, Path]) -> None:
    from infrastructure.components.package import LIMIT_BYTES, size_bytes

    # x86-64 wheels are the larger ones: what fits here fits for arm64.
    assert size_bytes(built[1]) < LIMIT_BYTES - MARGIN_BYTES


def test_what_no_function_may_load_is_not_there(built: tuple[PackageName, Path]) -> None:
    name, folder = built

    for module in FORBIDDEN[name]:
        assert not list(folder.glob(f"{module}*"))
    others = () if name == "simulator" else ("simulator", "bootstrap/simulated.py")
    for part in (*others, "adapters/local", "adapters/memory", "entrypoints/cli.py", "entrypoints/commands"):
        assert not (folder / "avesa" / part).exists()


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="the package is for Linux on x86-64"
)
def test_every_handler_and_store_can_be_imported_from_the_package_alone(
    built: tuple[PackageName, Path], tmp_path: Path
) -> None:
    name, folder = built
    for module in RUNTIME:
        origin = Path(str(importlib.util.find_spec(module).origin))  # type: ignore[union-attr]
        place = origin.parent if origin.name == "__init__.py" else origin
        (tmp_path / place.name).symlink_to(place)

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(folder), str(tmp_path), name, *HANDLERS[name]],
        capture_output=True,
        text=True,
        check=False,
        env={"AWS_DEFAULT_REGION": "us-east-2"},
    )

    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert {"sqlite3", "avesa.adapters.local"}.isdisjoint(loaded)
    assert ("avesa.simulator" in loaded) is (name == "simulator")


def test_the_same_sources_give_the_same_digest_and_a_platform_its_own() -> None:
    from infrastructure.components.package import Package

    arm = Package(name="chunk", architecture="arm64", python_version="3.13")
    assert arm.digest() == Package(name="chunk", architecture="arm64", python_version="3.13").digest()
    assert arm.digest() != Package(name="chunk", architecture="x86_64", python_version="3.13").digest()
    assert arm.digest() != Package(name="transform", architecture="arm64", python_version="3.13").digest()


@pytest.mark.parametrize("name", ["chunk", "transform", "simulator"])
def test_every_requirement_of_a_package_is_hashed(name: str) -> None:
    text = (Path(__file__).resolve().parents[2] / "requirements" / f"lambda-{name}.txt").read_text(encoding="utf-8")

    pinned = [line for line in text.splitlines() if "==" in line]
    assert pinned
    assert all(line.endswith("\\") for line in pinned)
    assert text.count("--hash=sha256:") >= len(pinned)
