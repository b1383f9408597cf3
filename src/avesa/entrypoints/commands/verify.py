"""`avesa verify`: whether everything in the lake is as it must be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from avesa.entrypoints.options import OUTPUT, TABLE, TENANT, Place, examples, placed

if TYPE_CHECKING:
    from avesa.application.verify import TableCheck


@click.command(
    epilog=examples(
        "avesa verify",
        "avesa verify --tenant-id acme --table-name tickets",
        "avesa verify --output json | jq '.tables[].problems'",
        "avesa verify --environment prod --as-job     in the deployment's own functions, recorded as a job",
    )
)
@click.option(
    "--as-job",
    is_flag=True,
    help="As a run that is recorded: it holds each table while it reads it, and a table with problems fails.",
)
@TENANT
@TABLE
@OUTPUT
@placed
def verify(place: Place, tenant_id: str | None, table_name: str | None, output: str, *, as_job: bool) -> int:
    """Check the lake: raw parts, canonical tables and what the state says of them. Nothing is repaired.

    Every raw part is read back whole and must be in the table's newest commit. The table must equal a fresh fold of
    raw, row for row and column for column; histories have neither gaps (but after deletions) nor overlaps, and at most
    one current row. No data file is without a commit, and no bookmark is ahead of what is folded. Records in
    quarantine are counted, and are no problem.

    Each problem says what would mend it. A table that a run is writing meanwhile is checked as far as that allows.

    Exit status: 0 all is sound, 1 something is wrong, 2 the call was wrong.
    """
    if as_job:
        from avesa.entrypoints.reporting import reported
        from avesa.entrypoints.running import RunOptions

        request = {"tenant_id": tenant_id, "table_name": table_name, "verify": True}
        return reported(RunOptions(place=place, is_json=output == "json"), request)
    from avesa.application.verify import report, verify_lake
    from avesa.entrypoints.working import working

    with working(place) as application:
        run_step = application.run_step
        checks = list(verify_lake(application.context, run_step, tenant_id=tenant_id, table_name=table_name))
    told = report(checks)
    if output == "json":
        print(json.dumps(told, ensure_ascii=False))
    else:
        _show(checks)
    return 0 if told["is_sound"] else 1


def _show(checks: list[TableCheck]) -> None:
    from avesa.entrypoints import telling
    from avesa.entrypoints.terminal import columns, console, printable, show

    if not checks:
        print("no tenant is registered; register one with `avesa setup-service`, or try `avesa demo`")
        return
    out = console()
    heads = columns("tenant", "table", "raw parts#", "raw records#", "rows#", "current#", "quarantined#", "found")
    rows = [
        [
            check.tenant_id,
            check.table_name,
            *(telling.count(n) for n in (check.raw_parts, check.raw_records, check.rows, check.current_rows)),
            telling.count(check.quarantined),
            _found(check),
        ]
        for check in checks
    ]
    show(out, heads, rows)
    for check in checks:
        for problem in check.problems:
            out.print(printable(f"{check.tenant_id} {check.table_name}: {problem.detail}"))
            out.print(printable(f"    to mend it: {problem.repair}"))


def _found(check: TableCheck) -> str:
    told = "sound" if check.is_sound else ", ".join(sorted({problem.kind for problem in check.problems}))
    return f"{told} (a run is writing it)" if check.is_being_written else told
