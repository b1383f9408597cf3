"""What only threads and processes can get wrong: how many at once, Ctrl-C, a death on either side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, NoReturn

import pytest

from avesa.adapters.machine.blocks import SharedBlocks
from avesa.adapters.machine.processes import ProcessExecutor
from avesa.domain.errors import AvesaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

posix_only = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

# A pipe to the test stays open as long as any process of the program lives; the test waits for its end.
PROGRAM = """
import sys, threading
from avesa.adapters.machine.processes import ProcessExecutor

def hang(number):
    print(number, flush=True)
    threading.Event().wait(120)

if __name__ == "__main__":
    executor = ProcessExecutor(parsing_processes=2)
    try:
        list(executor.map_parsing(hang, range(9)))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
"""


@pytest.fixture
def executor() -> Iterator[ProcessExecutor]:
    made = ProcessExecutor(parsing_processes=2)
    yield made
    made.close()


def _process_id(_: int) -> int:
    return os.getpid()


def _die(number: int) -> int:
    if number == 1:
        os._exit(9)
    return number


def test_no_more_than_the_limit_work_at_once_and_that_many_do(executor: ProcessExecutor) -> None:
    together = threading.Barrier(3)
    lock = threading.Lock()
    at_once = most = 0

    def work(_: int) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        together.wait(timeout=30)  # returns only when three are here together
        with lock:
            at_once -= 1

    executor.map(work, range(12), limit=3)

    assert most == 3


def test_parsing_leaves_this_process(executor: ProcessExecutor) -> None:
    assert os.getpid() not in set(executor.map_parsing(_process_id, range(4)))


@pytest.mark.parametrize("processes", [0, 1])
def test_parsing_stays_in_this_process_when_told_to(processes: int) -> None:
    executor = ProcessExecutor(parsing_processes=processes)

    assert set(executor.map_parsing(_process_id, range(4))) == {os.getpid()}


def test_a_closed_executor_starts_again(executor: ProcessExecutor) -> None:
    before = set(executor.map_parsing(_process_id, range(4)))
    executor.close()
    executor.close()

    assert before.isdisjoint(executor.map_parsing(_process_id, range(4)))


def test_a_process_that_dies_is_explained_and_replaced(executor: ProcessExecutor) -> None:
    with pytest.raises(AvesaError, match="want of memory"):
        list(executor.map_parsing(_die, range(4)))

    assert list(executor.map_parsing(abs, [-1, -2])) == [1, 2]


def test_a_caller_that_stops_early_leaves_nothing_under_way(executor: ProcessExecutor) -> None:
    results = executor.map_parsing(abs, range(100))
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined] # the iterator is a generator here

    assert list(executor.map_parsing(abs, [-3, -4])) == [3, 4]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        assert started.stdout is not None
        started.stdout.readline()  # a worker has begun
        yield started
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)


@posix_only
def test_parsing_processes_end_with_a_parent_that_was_killed(program: subprocess.Popen[str]) -> None:
    program.kill()

    program.communicate(timeout=60)

    assert program.returncode == -signal.SIGKILL


def _is_in(thread: threading.Thread, *functions: str) -> bool:
    """Tell whether the thread is in a call of a function of one of these names."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and frame.f_code.co_name not in functions:
        frame = frame.f_back
    return frame is not None


@posix_only
def test_interrupting_a_map_hands_out_nothing_new_and_waits_for_what_has_begun(executor: ProcessExecutor) -> None:
    begun: list[int] = []
    ended: list[int] = []
    together = threading.Barrier(2)
    heard = threading.Event()

    def interrupt(*_: object) -> NoReturn:
        heard.set()
        raise KeyboardInterrupt

    def work(number: int) -> None:
        begun.append(number)
        together.wait(timeout=30)
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        assert heard.wait(timeout=30)
        # Work that ends after the main thread has heard, however long that takes it.
        for _ in range(3000):
            if _is_in(threading.main_thread(), "shutdown", "wait_for"):
                break
            threading.Event().wait(0.01)
        ended.append(number)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            executor.map(work, range(50), limit=2)
    finally:
        signal.signal(signal.SIGINT, before)

    assert sorted(begun) == sorted(ended) == [0, 1]


def test_ctrl_c_while_a_thread_starts_still_waits_for_what_that_thread_began(
    executor: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    both_have_begun = threading.Barrier(3)
    is_interrupted = threading.Event()
    start = threading.Thread.start

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "avesa_1":
            both_have_begun.wait(timeout=30)
            is_interrupted.set()
            raise KeyboardInterrupt

    def work(number: int) -> None:
        both_have_begun.wait(timeout=30)
        assert is_interrupted.wait(timeout=30)
        if threading.current_thread().name == "avesa_1":
            # Only makes sure that a map which does not wait for it is found out.
            threading.Event().wait(0.2)
        ended.append(number)

    monkeypatch.setattr(threading.Thread, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        executor.map(work, range(50), limit=2)

    assert sorted(ended) == [0, 1]


@posix_only
def test_ctrl_c_prints_no_traceback_of_a_worker(tmp_path: Path) -> None:
    # Ctrl-C of a terminal goes to the whole group: the moment when the processes are just starting is the worst.
    program = PROGRAM.replace("threading.Event().wait(120)", "threading.Event().wait(2)")
    (tmp_path / "program.py").write_text(program)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        assert started.stdout is not None
        started.stdout.readline()
        os.killpg(started.pid, signal.SIGINT)
        _, told = started.communicate(timeout=60)

    assert told == "interrupted\n"
    assert started.returncode == 0


def _length_and_process(body: bytes, more: int) -> tuple[int, int]:
    return len(body) + more, os.getpid()


def _refuse(body: bytes, _: int) -> NoReturn:
    raise ValueError(f"{len(body)} bytes")


def test_a_large_body_is_parsed_in_another_process_once_they_are_there(executor: ProcessExecutor) -> None:
    body = os.urandom(3_000_000)
    before = executor.parse(_length_and_process, body, 1)

    list(executor.map_parsing(_process_id, range(2)))
    after = [executor.parse(_length_and_process, body[:size], 1) for size in (3_000_000, 2_000_000, 2_500_000)]

    assert before == (3_000_001, os.getpid())
    assert [length for length, _ in after] == [3_000_001, 2_000_001, 2_500_001]
    assert os.getpid() not in {process for _, process in after}


def test_a_small_body_is_parsed_here(executor: ProcessExecutor) -> None:
    list(executor.map_parsing(_process_id, range(2)))

    assert executor.parse(_length_and_process, b"small", 0) == (5, os.getpid())


def test_what_a_parse_raises_reaches_the_caller(executor: ProcessExecutor) -> None:
    list(executor.map_parsing(_process_id, range(2)))

    with pytest.raises(ValueError, match="3000000 bytes"):
        executor.parse(_refuse, bytes(3_000_000), 0)


def test_shared_memory_is_given_back_at_the_end() -> None:
    blocks = SharedBlocks()
    with blocks.holding(bytes(5_000_000)) as name:
        pass
    blocks.close()

    with pytest.raises(FileNotFoundError):
        SharedMemory(name=name)
