"""The main job from nothing to tables that can be asked, against a simulator: what `avesa demo` does, step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from avesa.application.setup import setup_service
from avesa.bootstrap.local import LocalSettings, local_application
from avesa.domain.errors import UsageError
from avesa.domain.model import Status
from avesa.entrypoints import telling
from avesa.entrypoints.demo_report import Act, show_demo, verdict
from avesa.entrypoints.demo_source import demo_source
from avesa.entrypoints.report import tenants_of
from avesa.entrypoints.running import RunOptions, perform
from avesa.entrypoints.terminal import console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from avesa.entrypoints.demo_source import DemoSource
    from avesa.entrypoints.options import Place

_SHARES: Final = {
    "service/tickets": 8 / 54,
    "time/entries": 6 / 54,
    "company/companies": 1.5 / 54,
    "company/contacts": 2.5 / 54,
}
"""A table's part of all records, for each of three tenants."""
_NAMES: Final = {"acme": "Acme IT", "birch": "Birch Managed Services", "cedar": "Cedar Helpdesk"}
_EDITED_PER_MILLE: Final = 10
_LEAST_EDITED: Final = 4
"""So few give one delete still, in each table."""


def run_demo(place: Place, *, seed: int, records: int) -> int:
    """Carry out the demo and show it; 0 when every count agreed, else 1 after the reasons."""
    place = _own_home(place)
    out = console()
    sizes = {table: max(20, round(records * share)) for table, share in _SHARES.items()}
    _say(out, f"1/5  a ConnectWise simulator of three companies, {telling.count(3 * sum(sizes.values()))} records")
    with demo_source(seed=seed, companies=len(_NAMES), sizes=sizes) as source:
        out.print(f"     serves {source.url}")
        _say(out, "2/5  registering the tenants: credentials tested, then stored encrypted")
        _register(out, place, source)
        _say(out, "3/5  first load: everything")
        act = Act(place=place, full=perform(RunOptions(place=place), {}))
        # Who asked for the end while the last pages were in flight wants no second load.
        if _is_complete(act.full.result) and not act.full.is_stopped:
            _say(out, "4/5  the source changes: edits, touches (only the update time), inserts, deletes")
            act = replace(act, changes=_changed(out, source, sizes))
            _say(out, "     second load: what is new, and what is gone")
            act = replace(act, increment=perform(RunOptions(place=place), {"detect_deletes": True}))
    _say(out, "5/5  what became of it")
    show_demo(out, act)
    problems = verdict(act)
    if any(load is not None and load.is_stopped for load in (act.full, act.increment)):
        problems = [*problems, "it was stopped before its end"]
    for problem in problems:
        out.print(f"NOT AS IT SHOULD BE: {problem}", style="red" if out.is_terminal else "")
    return 1 if problems else 0


def _own_home(place: Place) -> Place:
    """Return a home of the demo's own: real tenants and simulated ones are never mixed."""
    home = place.home
    if not place.is_home_given:
        home = home / f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if (home / "state.sqlite3").exists():
        raise UsageError(
            f"{home} holds AVESA data already; the demo needs a folder of its own: name a new one, or none"
        )
    return replace(place, home=home)


def _say(out: Console, text: str) -> None:
    out.print(text, style="bold" if out.is_terminal else "")


def _register(out: Console, place: Place, source: DemoSource) -> None:
    settings = LocalSettings(home=place.home, secret_key=place.settings.secret_key)
    with local_application(settings) as application:
        for values in source.companies:
            tenant_id = values["company_id"]
            done = setup_service(
                application.context,
                tenant_id=tenant_id,
                service="connectwise",
                company_name=_NAMES.get(tenant_id, tenant_id),
                values=values,
            )
            found = ", ".join(f"{_short(probe.table_name)} {telling.count(probe.records)}" for probe in done.tables)
            out.print(f"     {tenant_id}: {found}")


def _short(table_name: str) -> str:
    return table_name.rpartition("/")[2]


def _is_complete(result: Mapping[str, object]) -> bool:
    return all(tenant.status is Status.COMPLETED for tenant in tenants_of(result["tenants"]))


def _changed(
    out: Console, source: DemoSource, sizes: Mapping[str, int]
) -> Mapping[tuple[str, str], Mapping[str, list[int]]]:
    changes = {}
    for values in source.companies:
        for table, size in sizes.items():
            edits = max(_LEAST_EDITED, size * _EDITED_PER_MILLE // 1000)
            counts = {"edits": edits, "touches": edits // 2, "inserts": edits // 2, "deletes": edits // 4}
            changes[values["company_id"], table] = source.change(
                values["company_id"], table, recent_share=1.0, **counts
            )
    totals = {
        kind: sum(len(applied[kind]) for applied in changes.values())
        for kind in ("edited", "touched", "inserted", "deleted")
    }
    out.print("     " + ", ".join(f"{telling.count(number)} {kind}" for kind, number in totals.items()))
    return changes
