"""`avesa maintain`: few files, a short log, and nothing kept that no reader needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from avesa.entrypoints.options import OUTPUT, TABLE, TENANT, Place, examples, placed

if TYPE_CHECKING:
    from avesa.application.maintain import TableMaintenance

_LEAST_DAYS = 1
_MOST_DAYS = 30
"""Delta's log keeps its own entries for so long; a version without them could not be opened."""


@click.command(
    epilog=examples(
        "avesa maintain --dry-run",
        "avesa maintain --tenant-id acme --table-name tickets",
        "avesa maintain --retention-days 14 --output json | jq '.tables[].bytes_freed'",
    )
)
@TENANT
@TABLE
@click.option(
    "--retention-days",
    type=click.IntRange(_LEAST_DAYS, _MOST_DAYS),
    default=7,
    show_default=True,
    help="How long a replaced version of a table stays readable.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@OUTPUT
@placed
def maintain(
    place: Place, *, tenant_id: str | None, table_name: str | None, retention_days: int, dry_run: bool, output: str
) -> int:
    """Keep canonical tables small and quick to open; raw is never touched.

    A bucket of several files is written as one. Data files are deleted when no version of the retention needs them:
    those replaced before it began, and those of runs that died while they folded; so are such runs' manifests. The
    table's log is summed up in a checkpoint. Whoever opened a table within the retention reads it to its end.

    Runs do this by themselves, with a retention of 7 days: the first run of each day maintains its tables. A table
    that a run is working on is skipped.

    Exit status: 0 all is done, 1 something failed or was skipped, 2 the call was wrong.
    """
    from avesa.application.maintain import maintain_tables, report
    from avesa.entrypoints.working import working

    with working(place) as application:
        done = list(
            maintain_tables(
                application.context,
                application.run_step,
                tenant_id=tenant_id,
                table_name=table_name,
                retention_days=retention_days,
                is_dry_run=dry_run,
            )
        )
    if output == "json":
        print(json.dumps(report(done, is_dry_run=dry_run), ensure_ascii=False))
    else:
        _show(done, is_dry_run=dry_run)
    return 1 if any(item.skipped for item in done) else 0


def _show(done: list[TableMaintenance], *, is_dry_run: bool) -> None:
    from avesa.entrypoints import telling
    from avesa.entrypoints.terminal import columns, console, printable, show

    if not done:
        print("no tenant is registered; register one with `avesa setup-service`, or try `avesa demo`")
        return
    out = console()
    heads = columns(
        *("tenant", "table", "version#", "kept since version#", "files joined#", "files deleted#"),
        *("manifests deleted#", "bytes freed#", "log entries summed up#", "and deleted#"),
    )
    rows = [
        [
            item.tenant_id,
            item.table_name,
            *("" if n is None else telling.count(n) for n in (item.version, item.oldest_kept)),
            *(telling.count(n) for n in (item.files_joined, item.files_deleted, item.manifests_deleted)),
            *(telling.count(n) for n in (item.bytes_freed, item.log_entries_summed, item.log_entries_deleted)),
        ]
        for item in done
        if item.skipped is None
    ]
    show(out, heads, rows)
    if is_dry_run:
        out.print("this is what would be done: nothing was, because of --dry-run")
    for item in done:
        if item.skipped is not None:
            out.print(printable(f"{item.tenant_id} {item.table_name}: skipped: {item.skipped}"))
