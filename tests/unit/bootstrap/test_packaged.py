"""The mappings are found the same way in a wheel and in a checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from avesa.bootstrap.packaged import _read_mappings, packaged_mappings
from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def _folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_a_wheel_reads_the_folder_inside_the_package(tmp_path: Path) -> None:
    package = _folder(tmp_path / "avesa", {"_mappings/canonical/tickets.json": b"{}", "_mappings/a.json": b"[]"})

    found = _read_mappings(package, tmp_path / "nothing")

    assert list(found.items()) == [("a.json", b"[]"), ("canonical/tickets.json", b"{}")]


def test_a_checkout_reads_the_folder_beside_the_sources(tmp_path: Path) -> None:
    checkout = _folder(tmp_path, {"mappings/integrations/x_endpoints.json": b"{}", "mappings/README.md": b"no JSON"})

    found = _read_mappings(tmp_path / "src" / "avesa", checkout)

    assert found == {"integrations/x_endpoints.json": b"{}"}


def test_the_package_goes_before_the_checkout(tmp_path: Path) -> None:
    _folder(tmp_path, {"avesa/_mappings/a.json": b"wheel", "mappings/a.json": b"checkout"})

    assert _read_mappings(tmp_path / "avesa", tmp_path) == {"a.json": b"wheel"}


def test_an_installation_without_mappings_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--mappings DIR"):
        _read_mappings(tmp_path, tmp_path)


def test_this_installation_brings_the_mappings_that_a_run_needs() -> None:
    names = set(packaged_mappings())

    tables = {f"canonical/{table}.json" for table in ("tickets", "time_entries", "companies", "contacts")}
    assert tables | {"integrations/connectwise_endpoints.json", "backfill_config.json"} <= names
