"""A disk that is full and a folder that may not be written: the run says so and ends, and the next one goes on."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from avesa.entrypoints.demo_source import DemoSource, demo_source
from tests.flow.calling import COMMAND, Called, avesa, credentials, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither such limits nor such rights"),
]

SIZES = {"service/tickets": 2400, "time/entries": 20, "company/companies": 20, "company/contacts": 20}
ALL = {"source": 2400, "lake": 2400}


@pytest.fixture(scope="module")
def source() -> Iterator[DemoSource]:
    with demo_source(seed=6, companies=1, sizes=SIZES) as running:
        yield running


@pytest.fixture
def home(source: DemoSource, tmp_path: Path) -> Path:
    _set_up(source, tmp_path / "home")
    return tmp_path / "home"


def _set_up(source: DemoSource, home: Path) -> None:
    called = avesa(
        *("setup-service", "--tenant-id", "acme", "--company-name", "Acme", "--home", home),
        variables=credentials(source.companies[0]),
    )
    assert called.status == 0, called.err


def _assert_goes_on(home: Path) -> None:
    after = avesa("run", "--home", home, "--table-name", "tickets", "--output", "json")
    assert after.status == 0, after.err
    assert after.json["tenants"][0]["tables"][0]["reconciled"] == ALL
    verified = avesa("verify", "--home", home, "--table-name", "tickets")
    assert verified.status == 0, verified.out


def _run_with_files_up_to(home: Path, most_bytes: int) -> Called:
    """Run in a process that may write no file longer than this, as on a disk that is full at that byte."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    done = subprocess.run(
        [*COMMAND, "run", "--home", str(home), "--table-name", "tickets", "--output", "json"],
        env=environment({"PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=limit,
    )
    return Called(status=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.parametrize("kilobytes", [12, 40, 120, 260])
def test_a_disk_that_is_full_at_some_byte_fails_the_run_by_name_and_the_next_goes_on(
    home: Path, kilobytes: int
) -> None:
    called = _run_with_files_up_to(home, kilobytes * 1024)

    told = called.out + called.err
    assert called.status == 1, told
    assert "Traceback" not in told
    assert any(words in told for words in ("File too large", "disk", "state file", "no space"))
    assert "unforeseen" not in told
    _assert_goes_on(home)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("kilobytes", [40, 120, 260])
def test_a_disk_without_room_fails_the_run_by_name_and_the_next_goes_on_when_there_is(
    source: DemoSource, kilobytes: int
) -> None:
    place = Path(tempfile.mkdtemp(prefix="avesa-small-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=False)
    if mounted.returncode != 0:
        shutil.rmtree(place)
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        _set_up(source, place / "home")
        used = os.statvfs(place)
        size = (used.f_blocks - used.f_bfree) * used.f_frsize + kilobytes * 1024
        subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)

        called = avesa("run", "--home", place / "home", "--table-name", "tickets", "--output", "json")

        told = called.out + called.err
        assert called.status == 1, told
        assert "Traceback" not in told
        assert "unforeseen" not in told
        assert "No space left on device" in told or "database or disk is full" in told or "disk" in told
        subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
        _assert_goes_on(place / "home")
    finally:
        subprocess.run(["umount", str(place)], check=True)
        shutil.rmtree(place)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_may_not_be_written_is_named_and_nothing_is_changed(home: Path) -> None:
    folders = [home, *(path for path in home.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)

    called = avesa("run", "--home", home, "--table-name", "tickets")

    for folder in folders:
        folder.chmod(0o755)
    assert called.status == 1
    assert "Traceback" not in called.err
    assert str(home) in called.err
    _assert_goes_on(home)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv to give up root's rights")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="for root; others have the test above")
def test_a_user_without_the_right_to_write_the_lake_is_told_which_file(source: DemoSource) -> None:
    place = Path(tempfile.mkdtemp(prefix="avesa-rights-"))
    place.chmod(0o755)
    try:
        _set_up(source, place / "home")
        for path in (place / "home").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (place / "home").chmod(0o755)

        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", *COMMAND, "run", "--home", str(place / "home")],
            env=environment({"HOME": str(place)}),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert str(place / "home") in done.stdout + done.stderr
        _assert_goes_on(place / "home")
    finally:
        shutil.rmtree(place)
