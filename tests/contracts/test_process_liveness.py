"""What only locks on files can get wrong: a holder that was killed, leftovers, a file that is shared."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from avesa.adapters.local import liveness as module
from avesa.adapters.local.liveness import ProcessLiveness
from avesa.domain.errors import LeaseLost, StorageError
from avesa.domain.model import Holder
from tests.contracts.test_liveness import LEASE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from avesa.domain.model import Lease

QUICK = 0.004

PROGRAM = """
import sys
from avesa.adapters.local.liveness import ProcessLiveness
print(ProcessLiveness(sys.argv[1], ttl_seconds=75, host="here").holder("job-1").process, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "locks"


@pytest.fixture
def here(folder: Path) -> Iterator[ProcessLiveness]:
    liveness = ProcessLiveness(folder, ttl_seconds=QUICK, host="here")
    yield liveness
    liveness.close()


@pytest.fixture
def other(folder: Path) -> Iterator[ProcessLiveness]:
    """Another process on the same machine, as far as a lock can tell."""
    liveness = ProcessLiveness(folder, ttl_seconds=QUICK, host="here")
    yield liveness
    liveness.close()


def test_a_holder_is_alive_until_its_process_is_killed(folder: Path, here: ProcessLiveness) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        holder = Holder(job_id="job-1", host="here", process=process.stdout.readline().strip())
        assert holder.process == str(process.pid)
        assert not here.is_gone(holder)

        process.kill()
        process.wait(timeout=30)

        assert here.is_gone(holder)
        assert here.is_gone(holder)


def test_a_holder_names_host_and_process(here: ProcessLiveness) -> None:
    assert here.holder("job-1") == Holder(job_id="job-1", host="here", process=str(os.getpid()))


def test_without_a_name_the_host_is_this_machine(folder: Path) -> None:
    liveness = ProcessLiveness(folder, ttl_seconds=QUICK)

    assert liveness.holder("job-1").host
    liveness.close()


def test_a_job_without_a_lock_file_is_gone_here_and_unknown_elsewhere(here: ProcessLiveness) -> None:
    assert here.is_gone(Holder(job_id="job-9", host="here"))
    assert not here.is_gone(Holder(job_id="job-9", host="there"))


def test_a_closed_holder_is_gone_and_leaves_no_file(
    here: ProcessLiveness, other: ProcessLiveness, folder: Path
) -> None:
    holder = here.holder("job-1")
    assert not other.is_gone(holder)

    here.close()

    assert other.is_gone(holder)
    assert list(folder.iterdir()) == []


def test_asking_does_not_take_the_holder_for_dead_to_others(here: ProcessLiveness, other: ProcessLiveness) -> None:
    holder = here.holder("job-1")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: other.is_gone(holder), range(16)))

    assert answers == [False] * 16


def test_another_one_who_asks_is_not_taken_for_the_holder(
    folder: Path, other: ProcessLiveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    asking = FileLock(folder / "job-1.lock", thread_local=False)  # the file is what a killed process leaves
    asking.acquire()
    monkeypatch.setattr(module, "_ASKING_SECONDS", 30.0)
    done = threading.Timer(0.05, asking.release)
    done.start()

    assert other.is_gone(Holder(job_id="job-1", host="here"))

    done.join()


def test_a_job_that_another_process_works_as_is_refused(
    here: ProcessLiveness, other: ProcessLiveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HOLDING_SECONDS", 0.0)
    here.holder("job-1")

    with pytest.raises(StorageError, match=r"job-1\.lock.*another process"):
        other.holder("job-1")


def test_a_job_id_never_leaves_the_folder(here: ProcessLiveness, folder: Path) -> None:
    here.holder("../../job")

    assert [path.name for path in folder.iterdir()] == ["..%2F..%2Fjob.lock"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StorageError, match=r"job-1\.lock"):
        ProcessLiveness(tmp_path / "file" / "locks", ttl_seconds=QUICK).holder("job-1")


def test_each_renewal_begins_with_the_lease_of_the_one_before(here: ProcessLiveness) -> None:
    seen: list[Lease] = []
    enough = threading.Event()

    def renew(lease: Lease) -> Lease:
        seen.append(lease)
        if len(seen) == 3:
            enough.set()
        return replace(lease, expires_at=lease.expires_at + timedelta(seconds=1))

    with here.keeping(LEASE, renew):
        assert enough.wait(timeout=30)

    assert [(lease.expires_at - LEASE.expires_at).seconds for lease in seen[:3]] == [0, 1, 2]


def test_nothing_is_renewed_after_the_context(here: ProcessLiveness) -> None:
    renewals: list[Lease] = []
    begun = threading.Event()

    def renew(lease: Lease) -> Lease:
        begun.set()
        renewals.append(lease)
        return lease

    with here.keeping(LEASE, renew):
        assert begun.wait(timeout=30)
    count = len(renewals)

    assert [thread.name for thread in threading.enumerate() if thread.name == "avesa-lease"] == []
    assert len(renewals) == count


def test_a_lost_lease_is_renewed_no_more(here: ProcessLiveness) -> None:
    lost = threading.Event()
    asked: list[Lease] = []

    def renew(lease: Lease) -> Lease:
        asked.append(lease)
        lost.set()
        raise LeaseLost("taken over")

    with here.keeping(LEASE, renew):
        assert lost.wait(timeout=30)
        for thread in threading.enumerate():
            if thread.name == "avesa-lease":
                thread.join(timeout=30)

    assert asked == [LEASE]


def test_a_store_that_refuses_once_is_asked_again(here: ProcessLiveness) -> None:
    asked: list[Lease] = []
    again = threading.Event()

    def renew(lease: Lease) -> Lease:
        asked.append(lease)
        if len(asked) == 1:
            raise StorageError("locked")
        again.set()
        return lease

    with here.keeping(LEASE, renew):
        assert again.wait(timeout=30)
