"""What a user can get wrong, and what a machine can refuse: told plainly, and nothing is half-written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from avesa.application.setup import setup_service
from avesa.bootstrap.local import LocalSettings, local_application
from avesa.domain.errors import AvesaError, ConfigError, StorageError, TenantPermanentError, UsageError
from avesa.simulator.server import serve
from avesa.simulator.site import CompanySpec, Site
from tests.flow.calling import COMMAND, avesa, environment
from tests.flow.pipeline import PATHS, SECRET_KEY, mapping_folder, pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL = {"service/tickets": 300, "time/entries": 100, "company/companies": 30, "company/contacts": 60}
NOBODY = 65534


@pytest.fixture
def site() -> Site:
    return Site(seed=5, companies=[CompanySpec(login="acme", sizes=SMALL)])


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file that a run could have written; the state store's own log files come and go."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "sqlite3" not in path.name and "logs" not in path.parts and "runs" not in path.parts
    }


# --------------------------------------------------------------------------------------------- wrong calls


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"tenant_id": "nobody"}, "unknown tenant 'nobody'"),
        ({"tenant_id": "../x"}, "tenant id '../x' is not allowed"),
        ({"tenant_id": "acme/../other"}, "is not allowed"),
        ({"table_name": "service/unicorns"}, "unknown table 'service/unicorns'"),
        ({"table_name": "../../etc"}, "unknown table"),
        ({"everything": True}, "unknown key 'everything'"),
    ],
)
def test_a_wrong_call_changes_nothing_and_the_right_one_works(
    tmp_path: Path, site: Site, request_: dict[str, object], told: str
) -> None:
    with pipeline(site, tmp_path / "home", "acme") as made:
        before = contents(made.home)

        with pytest.raises(UsageError, match=told):
            made.run(**request_)

        assert contents(made.home) == before
        assert made.run(table_name="companies")["status"] == "completed"


def test_wrong_credentials_store_nothing_and_the_right_ones_work(tmp_path: Path, site: Site) -> None:
    with pipeline(site, tmp_path / "home") as made:
        keys = site.company("acme").credentials
        values = {
            "company_id": keys.company_id,
            "public_key": keys.public_key,
            "private_key": "planted-secret",
            "client_id": keys.client_id,
            "api_base_url": made.url,
        }

        with pytest.raises(TenantPermanentError, match="nothing was stored") as caught:
            setup_service(
                made.application.context, tenant_id="acme", service="connectwise", company_name="Acme", values=values
            )

        assert "planted-secret" not in str(caught.value)
        assert not any((made.home / "secrets").rglob("*connectwise*"))
        assert not any(b"planted-secret" in file.read_bytes() for file in made.home.rglob("*") if file.is_file())
        with pytest.raises(UsageError, match="no tenant is registered"):
            made.run()
        made.register("acme")
        assert made.run(table_name="companies")["status"] == "completed"


def test_http_to_another_machine_is_refused_before_anything_is_sent(tmp_path: Path, site: Site) -> None:
    with pipeline(site, tmp_path / "home") as made:
        values = dict.fromkeys(("company_id", "public_key", "private_key", "client_id"), "x")

        with pytest.raises(UsageError, match="would send the credentials unencrypted"):
            setup_service(
                made.application.context,
                tenant_id="acme",
                service="connectwise",
                company_name="Acme",
                values=values | {"api_base_url": "http://psa.example"},
            )

        assert site.statistics.requests() == {}


# ------------------------------------------------------------------------------------------------- mappings


def _page_size(documents: dict[str, Any]) -> None:
    documents["integrations/connectwise_endpoints.json"]["limits"]["page_size"] = 5000


def _type(documents: dict[str, Any]) -> None:
    documents["canonical/tickets.json"]["columns"][3]["type"] = "text"


def _table(documents: dict[str, Any]) -> None:
    documents["integrations/connectwise_endpoints.json"]["endpoints"]["time/entries"]["canonical_table"] = "hours"


def _other_endpoint(documents: dict[str, Any]) -> None:
    documents["canonical/tickets.json"]["endpoint"] = "project/tickets"


def _missing(documents: dict[str, Any]) -> None:
    del documents["backfill_config.json"]


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (_page_size, r"integrations/connectwise_endpoints\.json: limits\.page_size is 5000"),
        (_type, r"canonical/tickets\.json: columns\[3\]\.type is 'text'; allowed: string, int64, float64"),
        (_table, r"endpoints\['time/entries'\]\.canonical_table is 'hours'; there are mappings for: companies"),
        (_other_endpoint, r"canonical_table is 'tickets', whose mapping is for 'project/tickets'"),
        (_missing, r"backfill_config\.json is missing"),
    ],
)
def test_a_broken_mapping_is_refused_whole_and_mended_by_mending_it(
    tmp_path: Path, site: Site, mistake: Callable[[dict[str, Any]], None], told: str
) -> None:
    with pipeline(site, tmp_path / "home", "acme") as made:
        made.run(table_name="companies")
        before = contents(made.home)
    broken = mapping_folder(tmp_path / "broken", mistake)

    with (
        pytest.raises(ConfigError, match=told),
        local_application(LocalSettings(home=tmp_path / "home", mappings=broken, secret_key=SECRET_KEY)),
    ):
        pass

    assert contents(tmp_path / "home") == before
    mended = mapping_folder(tmp_path / "mended", lambda _: None)
    with pipeline(site, tmp_path / "home", "acme", mappings=mended) as made:
        assert made.run(table_name="companies")["status"] == "completed"


def test_a_mapping_that_is_no_json_names_the_file(tmp_path: Path) -> None:
    folder = mapping_folder(tmp_path / "m", lambda _: None)
    (folder / "canonical/contacts.json").write_text("{", encoding="utf-8")

    with (
        pytest.raises(ConfigError, match=r"canonical/contacts\.json"),
        local_application(LocalSettings(home=tmp_path / "home", mappings=folder, secret_key=SECRET_KEY)),
    ):
        pass


def test_a_mappings_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="there is no such folder"),
        local_application(LocalSettings(home=tmp_path / "home", mappings=tmp_path / "no", secret_key=SECRET_KEY)),
    ):
        pass


# --------------------------------------------------------------------------------------------- the machine


def test_a_home_of_a_newer_version_is_left_as_it_is(tmp_path: Path, site: Site) -> None:
    home = tmp_path / "home"
    with pipeline(site, home, "acme") as made:
        made.run(table_name="companies")
    (known,) = sqlite3.connect(home / "state.sqlite3").execute("PRAGMA user_version").fetchone()
    _set_version(home, 999)
    before = contents(home)

    with pytest.raises(StorageError, match="newer"), pipeline(site, home):
        pass

    assert contents(home) == before
    _set_version(home, known)
    with pipeline(site, home, "acme") as made:
        assert made.run(table_name="companies")["status"] == "completed"


def _set_version(home: Path, version: int) -> None:
    connection = sqlite3.connect(home / "state.sqlite3")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may enter; to root no folder is read-only, so root runs the test as somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="avesa-test-"))
    folder.chmod(0o777)
    yield folder
    for place in folder.rglob("*"):
        place.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.skipif(os.name == "nt", reason="file modes mean something else on Windows")
def test_a_read_only_home_is_told_and_works_when_it_is_writable(open_folder: Path, site: Site) -> None:
    home = open_folder / "home"
    home.mkdir()
    home.chmod(0o555)
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        with pytest.raises(StorageError, match=r"--home|right to write"), pipeline(site, home):
            pass
        assert list(home.iterdir()) == []
    finally:
        os.seteuid(user)

    home.chmod(0o755)
    with pipeline(site, home, "acme") as made:
        assert made.run(table_name="companies")["status"] == "completed"


@pytest.mark.parametrize("writes", [0, 1, 3, 5, 8, 11])
def test_a_full_disk_fails_the_run_and_leaves_nothing_half_written(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    with pipeline(site, tmp_path / "home", "acme") as made:
        left = [writes]

        def write(descriptor: int, data: bytes) -> int:
            left[0] -= 1
            if left[0] < 0:
                # Half of it goes out, as on a real disk, and then no more.
                os.pwrite(descriptor, bytes(data)[: len(data) // 2], 0)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return os.pwrite(descriptor, bytes(data), 0)

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", write)
            result = made.run()

        assert result["status"] in {"failed", "partial_success"}
        errors = [table["error"] for table in made.tables(result).values() if table["error"]]
        assert errors
        assert all("free space on this disk" in error for error in errors)
        assert not list(made.home.rglob(".tmp-*"))
        again = made.run()
        assert again["status"] == "completed"
        made.assert_true()


@pytest.mark.skipif(os.name == "nt", reason="there is no limit on a file's size to set on Windows")
def test_a_file_that_may_not_grow_fails_the_command_and_the_same_command_works_without_the_limit(
    tmp_path: Path, site: Site
) -> None:
    keys = site.company("acme").credentials
    home = tmp_path / "home"
    with serve(site, port=0) as server:
        variables = {
            "CONNECTWISE_COMPANY_ID": keys.company_id,
            "CONNECTWISE_PUBLIC_KEY": keys.public_key,
            "CONNECTWISE_PRIVATE_KEY": keys.private_key,
            "CONNECTWISE_CLIENT_ID": keys.client_id,
            "CONNECTWISE_API_BASE_URL": server.url,
        }
        set_up = ["setup-service", "--tenant-id", "acme", "--company-name", "Acme", "--service", "connectwise"]
        called = avesa(*set_up, "--home", home, variables=variables)
        assert called.status == 0, called.err
        command = [*COMMAND, "run", "--table-name", "service/tickets", "--output", "json", "--home", str(home)]
        # 160 blocks of 512 bytes: the state store fits, a page of tickets does not.
        limited = subprocess.run(
            ["sh", "-c", 'ulimit -f 160; exec "$@"', "sh", *command],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        freed = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    assert limited.returncode == 1, limited.stderr
    assert "raise it, then run again" in limited.stdout + limited.stderr
    assert "Traceback" not in limited.stderr
    assert freed.returncode == 0, freed.stderr
    assert json.loads(freed.stdout.splitlines()[-1])["status"] == "completed"
    assert not list(home.rglob(".tmp-*"))


def test_every_table_is_named_when_the_mistake_is_in_the_lake_itself(tmp_path: Path, site: Site) -> None:
    """Somebody edits the lake's own mappings between two runs: the package's are brought again at the next start."""
    with pipeline(site, tmp_path / "home", "acme") as made:
        (made.lake / "mappings/canonical/tickets.json").write_text("{", encoding="utf-8")
        with pytest.raises(AvesaError, match=r"mappings/canonical/tickets\.json"):
            made.run()
    with pipeline(site, tmp_path / "home", "acme") as made:
        assert made.run()["status"] == "completed"
        assert sorted(made.tables(made.run())) == sorted(PATHS)


def test_the_python_that_runs_this_is_the_one_that_is_tested() -> None:
    assert COMMAND[0] == sys.executable
