"""What the demo shows at its end: numbers of both loads, a record's history, where the files lie, what to try."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from avesa.bootstrap.local_reading import local_sql
from avesa.domain.names import Environment
from avesa.entrypoints import telling
from avesa.entrypoints.report import failures, tenants_of
from avesa.entrypoints.rows import text
from avesa.entrypoints.terminal import columns, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from avesa.domain.model import TableResult
    from avesa.entrypoints.options import Place
    from avesa.entrypoints.running import RunEnding

_TICKETS: Final = "service/tickets"
_EXPLAINED: Final = (
    "changes: edited / touched / inserted / deleted at the source. An edit closes a",
    "version and opens one, an insert opens one, a delete closes one, a touch does",
    "neither. source = lake: the source's own count of what was asked (companies are",
    "read whole, of the others what was updated) and the ids that are durable.",
)
_HISTORY: Final = (
    "SELECT summary, actual_hours, valid_from, valid_to, is_current "
    "FROM tickets WHERE tenant_id = '{tenant_id}' AND id = '{id}' ORDER BY valid_from"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What the demo has done so far."""

    place: Place
    full: RunEnding
    changes: Mapping[tuple[str, str], Mapping[str, list[int]]] = field(default_factory=dict)
    """Tenant and table to the ids that changed, by what happened to them."""
    increment: RunEnding | None = None


def verdict(act: Act) -> list[str]:
    """Return everything that is not as it should be: failures, counts that differ, changes that were not found."""
    problems = []
    for ending in (act.full, act.increment):
        if ending is None:
            continue
        problems += failures(tenants_of(ending.result["tenants"]))
        for tenant_id, table in _tables(ending):
            agreed = table.reconciled
            if table.error is None and (agreed is None or agreed.source != agreed.lake):
                problems.append(f"{tenant_id} {table.table_name}: source and lake were not reconciled")
    return problems + list(_missed(act))


def _missed(act: Act) -> Iterator[str]:
    for tenant_id, table in _tables(act.increment) if act.increment is not None else ():
        opened, closed = _expected(act, tenant_id, table.table_name)
        if table.error is None and (table.versions_opened, table.versions_closed) != (opened, closed):
            yield (
                f"{tenant_id} {table.table_name}: the changes call for {opened} versions opened and {closed} closed; "
                f"there are {table.versions_opened} and {table.versions_closed}"
            )


def _expected(act: Act, tenant_id: str, table_name: str) -> tuple[int, int]:
    """Return the versions that the changes must have opened and closed: a touch does neither."""
    applied = act.changes.get((tenant_id, table_name), {})
    edited, inserted, deleted = (len(applied.get(kind, [])) for kind in ("edited", "inserted", "deleted"))
    return edited + inserted, edited + deleted


def _tables(ending: RunEnding) -> list[tuple[str, TableResult]]:
    return [(tenant.tenant_id, table) for tenant in tenants_of(ending.result["tenants"]) for table in tenant.tables]


def show_demo(out: Console, act: Act) -> None:
    """Print the whole of it."""
    _show_full(out, act.full)
    if act.increment is not None:
        _show_increment(out, act, act.increment)
        _show_history(out, act)
    _show_files(out, act.place.home / Environment.LOCAL.lake_name)
    _show_next(out, act)


def _show_full(out: Console, ending: RunEnding) -> None:
    rows = [
        [tenant_id, table.canonical_table, table.status.value, *_counts(table), _agreed(table)]
        for tenant_id, table in _tables(ending)
    ]
    heads = columns("tenant", "table", "status", "extracted#", "opened#", "closed#", "corrected#", "source = lake#")
    show(out, heads, rows, title="\nFirst load")
    extracted = sum(table.records_extracted for _, table in _tables(ending))
    rate = extracted / ending.seconds if ending.seconds > 0 else 0.0
    out.print(
        f"{telling.count(extracted)} records read, stored raw and folded in {ending.seconds:.1f} s: "
        f"{telling.count(round(rate))} a second"
    )


def _show_increment(out: Console, act: Act, ending: RunEnding) -> None:
    rows = []
    for tenant_id, table in _tables(ending):
        applied = act.changes.get((tenant_id, table.table_name), {})
        changed = "/".join(str(len(applied.get(kind, []))) for kind in ("edited", "touched", "inserted", "deleted"))
        rows.append([tenant_id, table.canonical_table, changed, *_counts(table), _agreed(table)])
    heads = columns(
        *("tenant", "table", "changes#", "extracted#", "opened#", "closed#", "corrected#", "source = lake#"),
    )
    show(out, heads, rows, title="\nSecond load")
    for line in _EXPLAINED:
        out.print(line)


def _counts(table: TableResult) -> list[str]:
    numbers = (table.records_extracted, table.versions_opened, table.versions_closed, table.versions_corrected)
    return [telling.count(number) for number in numbers]


def _agreed(table: TableResult) -> str:
    """Return the source's count and the lake's, as reconciled at the end of the load."""
    agreed = table.reconciled
    if agreed is None:
        return "not reconciled"
    return f"{telling.count(agreed.source)} {'=' if agreed.source == agreed.lake else '/'} {telling.count(agreed.lake)}"


def _edited_ticket(act: Act) -> tuple[str, int]:
    return next(
        (tenant_id, applied["edited"][0])
        for (tenant_id, table), applied in act.changes.items()
        if table == _TICKETS and applied["edited"]
    )


def _show_history(out: Console, act: Act) -> None:
    tenant_id, record_id = _edited_ticket(act)
    with local_sql(act.place.home) as session:
        result = session.run(_HISTORY.format(tenant_id=tenant_id, id=record_id))
        rows = [[text(value) for value in row] for row in result.rows]
    heads = columns("summary", "actual_hours#", "valid_from", "valid_to", "is_current")
    show(out, heads, rows, title=f"\nThe history of one edited ticket ({tenant_id}, {record_id})")


def _show_files(out: Console, lake: Path) -> None:
    out.print("\nWhere the Parquet lies", style="bold" if out.is_terminal else "")
    out.print(f"{lake.resolve()}")
    tenants = sorted(folder for folder in lake.iterdir() if (folder / "raw").is_dir())
    for at, tenant in enumerate(tenants):
        is_last = at == len(tenants) - 1
        out.print(f"{'└──' if is_last else '├──'} {tenant.name}  {_sum(tenant)}")
        if at > 0:
            continue  # the others look the same
        folders = sorted({_table_folder(path, tenant) for path in tenant.rglob("*.parquet")})
        width = max(len(folder) for folder in folders)
        for number, folder in enumerate(folders):
            branch = "└──" if number == len(folders) - 1 else "├──"
            out.print(f"{' ' if is_last else '│'}   {branch} {folder:{width}}  {_sum(tenant / folder)}")


def _table_folder(path: Path, tenant: Path) -> str:
    """Return raw/<service>/<endpoint> or canonical/<table> of a file below them."""
    parts = path.relative_to(tenant).parts
    return "/".join(parts[:2] if parts[0] == "canonical" else parts[:4])


def _sum(folder: Path) -> str:
    sizes = [path.stat().st_size for path in folder.rglob("*.parquet")]
    return f"{len(sizes)} files, {telling.size(sum(sizes))}"


def _show_next(out: Console, act: Act) -> None:
    home = shlex.quote(_near(act.place.home))
    asked = "SELECT tenant_id, status, count(*) AS tickets FROM tickets WHERE is_current GROUP BY ALL ORDER BY ALL"
    job = (act.increment or act.full).result["job_id"]
    out.print("\nTry next", style="bold" if out.is_terminal else "")
    for arguments in (f'query "{asked}"', "status", f"job {job}"):
        out.print(f"  {_program()} {arguments} --home {home}")
    out.print(f"With your own ConnectWise: {_program()} setup-service --help")
    out.print("All of the demo lies in that folder; delete it when you are done.")


def _near(path: Path) -> str:
    """Return the path from the current folder when it lies below it."""
    full, here = path.absolute(), Path.cwd()
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(full)


def _program() -> str:
    """Return what starts this program from a shell here: its name when the shell finds it, else its path."""
    called = Path(sys.argv[0])
    if called.stem != "avesa" or not called.is_file():
        return "avesa"
    found = shutil.which("avesa")
    is_found = found is not None and Path(found).resolve() == called.resolve()
    return "avesa" if is_found else shlex.quote(_near(called))
