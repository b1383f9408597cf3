"""What only a file shared by processes can get wrong: races, versions, damage, a full or read-only disk."""

from __future__ import annotations

import os
import pickle
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, NoReturn

import pytest

from avesa.adapters.local.database import SqliteDatabase
from avesa.adapters.local.state import SqliteJobLedger, SqliteTableStates, SqliteTenantRegistry
from avesa.domain.errors import LeaseLost, StorageError
from avesa.domain.model import Holder, Job, Status, TableState
from tests.contracts import racing

if TYPE_CHECKING:
    from datetime import datetime
    from multiprocessing import Queue
    from pathlib import Path

ROUNDS = 25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "state.sqlite3"


@pytest.fixture
def job(noon: datetime) -> Job:
    return Job(tenant_id="acme", job_id="job-1", status=Status.PROCESSING, started_at=noon)


def _run(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows
    finally:
        connection.close()


def test_the_file_has_the_tables_and_keys_of_the_contract(path: Path) -> None:
    SqliteTenantRegistry(SqliteDatabase(path)).list()

    keys = {
        table: [name for (name, _) in _run(path, f"SELECT name, pk FROM pragma_table_info('{table}') WHERE pk > 0")]
        for (table,) in _run(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert keys == {
        "TenantServices": ["tenant_id", "service"],
        "LastUpdated": ["tenant_id", "table_name"],
        "ProcessingJobs": ["tenant_id", "job_id"],
        "ChunkProgress": ["tenant_id", "chunk_id"],
        "RequestPauses": ["company"],  # beside the contract's: no tenant's data, a pause that all processes keep
    }


def test_what_was_stored_is_there_for_the_next_process(path: Path, job: Job, noon: datetime) -> None:
    first = SqliteDatabase(path)
    SqliteJobLedger(first).put(job)
    lease = SqliteTableStates(first).acquire(
        "acme", "t", holder=Holder(job_id="job-1"), now=noon, ttl_seconds=60, is_gone=lambda _: False
    )
    first.close()

    second = SqliteDatabase(path)

    assert SqliteJobLedger(second).get("job-1") == job
    assert SqliteTableStates(second).get("acme", "t").lease == lease


def test_writes_are_durable_and_readers_do_not_wait_for_them(path: Path) -> None:
    database = SqliteDatabase(path)

    with database.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    with database.writing(), SqliteDatabase(path).reading() as connection:
        assert connection.execute("SELECT count(*) FROM ProcessingJobs").fetchone() == (0,)


def test_two_processes_that_create_the_file_and_race_for_leases_share_them_out(path: Path) -> None:
    context = get_context("spawn")
    start, won = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=racing.race, args=(str(path), name, ROUNDS, start, won)) for name in ("one", "two")
    ]
    for process in processes:
        process.start()
    got = _collect(won, len(processes))
    for process in processes:
        process.join()

    assert sorted(got["one"] + got["two"]) == list(range(ROUNDS))
    holders = [state.lease.holder.job_id for state in SqliteTableStates(SqliteDatabase(path)).list() if state.lease]
    assert (holders.count("one"), holders.count("two")) == (len(got["one"]), len(got["two"]))


def _collect(won: Queue[tuple[str, list[int]]], count: int) -> dict[str, list[int]]:
    return dict(won.get(timeout=60) for _ in range(count))


def test_opening_a_file_that_another_process_is_just_making_waits_for_it(path: Path) -> None:
    path.parent.mkdir()
    maker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    maker.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.2, maker.execute, args=("COMMIT",))
    done.start()

    assert SqliteTenantRegistry(SqliteDatabase(path)).list() == []

    done.join()
    maker.close()


def test_many_threads_write_without_losing_or_failing(path: Path, job: Job) -> None:
    database = SqliteDatabase(path)
    jobs = SqliteJobLedger(database)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: jobs.put(replace(job, job_id=f"job-{number}")), range(80)))

    assert len(jobs.list(limit=100)) == 80


def test_no_connection_is_left_when_threads_have_ended(path: Path, job: Job) -> None:
    database = SqliteDatabase(path)
    for number in range(5):
        thread = threading.Thread(target=SqliteJobLedger(database).put, args=(replace(job, job_id=f"{number}"),))
        thread.start()
        thread.join()

    database.close()

    # SQLite removes the log beside the file when the last connection closes.
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_exception_inside_a_write_undoes_all_of_it(path: Path, job: Job) -> None:
    database = SqliteDatabase(path)
    jobs = SqliteJobLedger(database)

    def write_half() -> NoReturn:
        with database.writing() as connection:
            connection.execute("INSERT INTO ProcessingJobs VALUES ('acme', 'half', 0, '{}')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()

    jobs.put(job)
    assert jobs.list(limit=10) == [job]


def test_a_write_after_a_lost_lease_leaves_no_transaction_open(path: Path, noon: datetime) -> None:
    tables = SqliteTableStates(SqliteDatabase(path))
    lease = tables.acquire("acme", "t", holder=Holder(job_id="a"), now=noon, ttl_seconds=1, is_gone=lambda _: False)
    tables.release(lease)

    with pytest.raises(LeaseLost):
        tables.save(lease, TableState(tenant_id="acme", table_name="t"))

    other = SqliteTableStates(SqliteDatabase(path, busy_timeout_seconds=0.0))
    assert (
        other.acquire("acme", "t", holder=Holder(job_id="b"), now=noon, ttl_seconds=1, is_gone=lambda _: False).fence
        == 2
    )


def test_a_file_of_a_newer_release_is_refused_untouched(path: Path) -> None:
    SqliteTenantRegistry(SqliteDatabase(path)).list()
    _run(path, "PRAGMA user_version = 7")

    with pytest.raises(StorageError, match=r"state\.sqlite3.*version 7.*knows 2.*upgrade avesa"):
        SqliteTenantRegistry(SqliteDatabase(path)).list()

    assert _run(path, "PRAGMA user_version") == [(7,)]


def test_a_full_disk_is_told_and_what_was_there_stays(path: Path, job: Job) -> None:
    database = SqliteDatabase(path)
    jobs = SqliteJobLedger(database)
    jobs.put(job)
    with database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(StorageError, match=r"state\.sqlite3.*full.*free space"):
        jobs.put(replace(job, job_id="job-2", error="x" * 100_000))

    assert jobs.list(limit=10) == [job]


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but it is long enough to be looked at" * 20)

    with pytest.raises(StorageError, match=r"state\.sqlite3.*not a database.*move it away"):
        SqliteTenantRegistry(SqliteDatabase(path)).list()


def test_a_damaged_record_is_told_with_the_file(path: Path, job: Job) -> None:
    jobs = SqliteJobLedger(SqliteDatabase(path))
    jobs.put(job)
    _run(path, "UPDATE ProcessingJobs SET value = '{\"tenant_id\": 3'")

    with pytest.raises(StorageError, match=r"state\.sqlite3.*Job cannot be read.*damaged"):
        jobs.get("job-1")


def test_a_lock_held_too_long_is_told(path: Path, job: Job) -> None:
    jobs = SqliteJobLedger(SqliteDatabase(path, busy_timeout_seconds=0.0))

    with SqliteDatabase(path).writing(), pytest.raises(StorageError, match=r"state\.sqlite3.*locked.*wait for its end"):
        jobs.put(job)

    jobs.put(job)
    assert jobs.get("job-1") == job


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_bytes(b"")

    with pytest.raises(StorageError, match=r"state\.sqlite3"):
        SqliteTenantRegistry(SqliteDatabase(tmp_path / "home" / "state.sqlite3")).list()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_without_the_right_to_write_is_told(read_only_folder: Path, job: Job) -> None:
    with pytest.raises(StorageError, match=r"state\.sqlite3.*right to write"):
        SqliteJobLedger(SqliteDatabase(read_only_folder / "state.sqlite3")).put(job)
    with pytest.raises(StorageError, match=r"state\.sqlite3.*Permission denied.*right to write"):
        SqliteJobLedger(SqliteDatabase(read_only_folder / "home" / "state.sqlite3")).put(job)


def test_a_database_can_be_sent_to_another_process(path: Path, job: Job) -> None:
    SqliteJobLedger(SqliteDatabase(path)).put(job)

    sent = pickle.loads(pickle.dumps(SqliteDatabase(path)))  # noqa: S301 - pickled on the same line

    assert SqliteJobLedger(sent).get("job-1") == job
