"""Two runs at once on AWS's stores: who comes second is skipped by name, and who was taken over cannot come back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from avesa.adapters.memory.executor import InlineExecutor
from avesa.application.pipeline import Application
from avesa.application.workflow import run_pipeline
from reliability.account import AwsBackend
from reliability.mischief import COMPANIES, TABLES, TICKETS
from reliability.scenario import SERVICE, TENANT, LoggingTransport, perform, source_at
from tests.emulator.servers import open_emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from avesa.application.payloads import Json
    from avesa.simulator.site import Site
    from rehearsal.emulator import Emulator

__all__ = ["open_emulator"]  # a fixture, found here by name
pytestmark = pytest.mark.emulator


class Interrupted(Application):
    """Does something else once, before a step of a table."""

    def __init__(self, application: Application, step: str, table: str, then: Callable[[], None]) -> None:
        super().__init__(application.context)
        self._where, self._then = (step, table), then

    def run_step(self, name: str, payload: Mapping[str, object]) -> Json:
        if (name, _table_of(payload)) == self._where:
            self._where = ("", "")
            self._then()
        return super().run_step(name, payload)


def _table_of(payload: Mapping[str, Any]) -> str:
    work = payload.get("work", payload)
    return str(work.get("task", work).get("table_name", ""))


@pytest.fixture
def site() -> Site:
    return source_at("full load")


@pytest.fixture
def backend(open_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> AwsBackend:
    # The backend signs as the account of a home, through these; they are put back.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    return AwsBackend(open_emulator)


def plain(application: Application, site: Site, home: Path) -> Application:
    """Return the application with one thing at a time, on a source without a socket."""
    transport = LoggingTransport(site, home.parent / "requests.log")
    return Application(replace(application.context, transport=transport, executor=InlineExecutor()))


def tables(result: Json) -> dict[str, dict[str, Any]]:
    found: Any = result
    return {table["table_name"]: table for table in found["tenants"][0]["tables"]}


def assert_sound(application: Application, site: Site) -> None:
    from avesa.application.catalog import load_catalog

    for path, table in TABLES.items():
        task = {"tenant_id": TENANT, "service": SERVICE, "table_name": path}
        check = application.run_step("verify_table", task)
        assert check["is_sound"], check["problems"]
        mapping = load_catalog(application.context.lake).canonical[table]
        canonical = application.context.canonical
        assert check["current_rows"] == check["rows"]  # each record once: nobody's second reading opened a version
        # What cannot be read is in quarantine, and no row.
        unreadable = {100_020} if path == TICKETS else set()
        ids = canonical.current_ids(canonical.open(TENANT, SERVICE, mapping))
        assert ids == set(site.company(TENANT).table(path).snapshot.ids) - unreadable


def test_a_second_run_skips_the_table_that_the_first_reads_and_does_the_others(
    backend: AwsBackend, site: Site, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    second: list[Json] = []
    with backend.opened(home) as opened, backend.opened(home) as other:
        one, two = plain(opened, site, home), plain(other, site, home)
        perform(one, "set up", site)

        first = run_pipeline(
            Interrupted(one, "process_chunk", TICKETS, lambda: second.append(run_pipeline(two, {}))), {}
        )

        assert {path: table["status"] for path, table in tables(first).items()} == dict.fromkeys(TABLES, "completed")
        found = tables(second[0])
        assert (found[TICKETS]["status"], found[COMPANIES]["status"]) == ("skipped", "completed")
        assert "has held the table" in found[TICKETS]["error"]
        assert_sound(one, site)


def test_a_run_whose_execution_was_stopped_is_taken_over_and_its_late_commit_harms_nothing(
    backend: AwsBackend, site: Site, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    taken_over: list[Json] = []

    def stop_and_take_over() -> None:
        backend.ended(home)
        with backend.opened(home) as other:
            taken_over.append(run_pipeline(plain(other, site, home), {}))

    with backend.opened(home) as opened:
        one = plain(opened, site, home)
        perform(one, "set up", site)

        late = run_pipeline(Interrupted(one, "transform_canonical", TICKETS, stop_and_take_over), {})

        assert tables(taken_over[0])[TICKETS]["status"] == "completed"
        assert tables(late)[TICKETS]["status"] == "failed"
        assert "lease" in tables(late)[TICKETS]["error"]
        assert_sound(one, site)
