"""The newcomer's door decides rightly what to make again, and never removes what is not its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from scripts import dev

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the files that decide what an environment holds."""
    for name in ("requirements/runtime.txt", "requirements/dev.txt", "pyproject.toml", "src/avesa/__init__.py"):
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n", encoding="utf-8")
    return tmp_path / "checkout"


class Installed(dev.Environment):
    """An environment whose Python runs everything, or nothing."""

    works = True

    def runs(self, code: str) -> bool:
        return self.works


@pytest.fixture
def environment(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    monkeypatch.setattr(dev, "ROOT", checkout)
    folder = checkout / ".venv"
    folder.mkdir()
    return Installed(folder)


@pytest.mark.parametrize("name", ["requirements/runtime.txt", "pyproject.toml", "src/avesa/__init__.py"])
def test_a_changed_file_asks_for_a_new_setup(checkout: Path, name: str) -> None:
    before = dev.digest(dev.RUNTIME, checkout)

    (checkout / name).write_text("changed\n", encoding="utf-8")

    assert dev.digest(dev.RUNTIME, checkout) != before


def test_a_copied_tree_does_not_take_the_environment_of_the_original(checkout: Path, tmp_path: Path) -> None:
    copy = checkout.rename(tmp_path / "copy")
    (tmp_path / "checkout").symlink_to(copy)

    assert dev.digest(dev.RUNTIME, tmp_path / "checkout") != dev.digest(dev.RUNTIME, copy)


def test_an_unstamped_environment_is_not_ready(environment: Installed) -> None:
    assert not environment.is_ready(dev.RUNTIME)


@pytest.mark.parametrize(
    ("stamped", "asked", "is_ready"),
    [("runtime", "runtime", True), ("dev", "dev", True), ("dev", "runtime", True), ("runtime", "dev", False)],
)
def test_the_tools_include_what_a_run_needs_and_not_the_other_way(
    environment: Installed, checkout: Path, stamped: str, asked: str, *, is_ready: bool
) -> None:
    environment.stamp(stamped).write_text(dev.digest(stamped, checkout), encoding="utf-8")

    assert environment.is_ready(asked) is is_ready


def test_a_stamp_does_not_hide_an_environment_that_lost_the_project(environment: Installed, checkout: Path) -> None:
    environment.stamp(dev.RUNTIME).write_text(dev.digest(dev.RUNTIME, checkout), encoding="utf-8")

    environment.works = False

    assert not environment.is_ready(dev.RUNTIME)


def test_a_failed_installation_leaves_no_stamp(environment: Installed, capfd: pytest.CaptureFixture[str]) -> None:
    environment.stamp(dev.RUNTIME).write_text("of an earlier setup", encoding="utf-8")
    environment.python.parent.mkdir()
    environment.python.write_text("#!/bin/sh\necho no matching distribution\nexit 1\n", encoding="utf-8")
    environment.python.chmod(0o755)

    with pytest.raises(dev.SetupError, match=r"requirements/runtime\.txt"):
        environment.install(dev.RUNTIME)

    assert not environment.stamp(dev.RUNTIME).exists()
    assert "no matching distribution" in capfd.readouterr().err


def test_a_folder_that_is_no_environment_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    with pytest.raises(dev.SetupError, match="AVESA_VENV"):
        dev.Environment(tmp_path).discard()

    assert (tmp_path / "thesis.txt").is_file()


def test_a_broken_environment_is_removed(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "pyvenv.cfg").write_text("home = nowhere\n", encoding="utf-8")

    dev.Environment(tmp_path / "broken").discard()

    assert not (tmp_path / "broken").exists()


def test_a_python_without_venv_says_which_package_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def finds_nothing(name: str) -> None:
        """Stand for a Debian without python3-venv."""

    monkeypatch.setattr(dev, "find_spec", finds_nothing)

    with pytest.raises(dev.SetupError, match=rf"python3\.{sys.version_info[1]}-venv"):
        dev.Environment(tmp_path / "missing").create()


def test_every_check_runs_and_one_failure_is_enough(capfd: pytest.CaptureFixture[str]) -> None:
    status = dev.run_checks([("first", [sys.executable, "-c", "exit(3)"]), ("second", [sys.executable, "-c", "0"])])

    errors = capfd.readouterr().err
    assert status == 1
    assert "FAILED first" in errors
    assert "ok     second" in errors
