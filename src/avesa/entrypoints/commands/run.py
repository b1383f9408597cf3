"""The commands that start a run: `run`, `rebuild`, `backfill`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from avesa.application.context import Bounds
from avesa.entrypoints.options import OUTPUT, TABLE, TENANT, examples, placed
from avesa.entrypoints.reporting import reported
from avesa.entrypoints.running import Parallel, RunOptions
from avesa.entrypoints.times import TIMES, iso

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from avesa.entrypoints.options import Place

F = TypeVar("F", bound="Callable[..., Any]")

_MAPPINGS: Final = click.option(
    "--mappings",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="A folder of mappings to use in the place of the package's own.",
)
_WAIT: Final = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait for a table that another run is working on. Default: skip that table at once.",
)
_MOST: Final = 64
_USUAL: Final = Bounds()


def _at_once(name: str, what: str, usual: str) -> Callable[[F], F]:
    told = f"{what} at the same time, at most. Default: {usual}."
    return click.option(f"--{name}", type=click.IntRange(1, _MOST), metavar="N", help=told)


def _carried_out(function: F) -> F:
    """Give the command `options`, made of the options that every run takes."""

    @_at_once("chunks", "Chunks of a table", "as many as keep max_concurrency requests under way")
    @_at_once("tables", "Tables of a tenant", str(_USUAL.tables))
    @_at_once("tenants", "Tenants", str(_USUAL.tenants))
    @_MAPPINGS
    @_WAIT
    @TABLE
    @TENANT
    @OUTPUT
    @placed
    @functools.wraps(function)
    def command(
        *args: object,
        place: Place,
        output: str,
        mappings: Path | None,
        tenants: int | None,
        tables: int | None,
        chunks: int | None,
        **kwargs: object,
    ) -> object:
        options = RunOptions(
            place=place,
            is_json=output == "json",
            mappings=mappings,
            parallel=Parallel(tenants=tenants, tables=tables, chunks=chunks),
        )
        return function(*args, options=options, **kwargs)

    return command  # type: ignore[return-value]  # six options fewer than click will pass


@click.command(
    epilog=examples(
        "avesa run",
        "avesa run --tenant-id acme --table-name tickets --full-sync",
        "avesa run --detect-deletes --output json | jq .status",
    )
)
@click.option("--full-sync", is_flag=True, help="Read whole tables, whatever the bookmarks say.")
@click.option(
    "--detect-deletes",
    is_flag=True,
    help="Also close the records that are no longer at the source (compares all ids; once a day is enough).",
)
@click.option(
    "--allow-mass-delete",
    is_flag=True,
    help="Let this one run close more records than the guard allows (20 % of a table unless configured).",
)
@_carried_out
def run(
    options: RunOptions,
    *,
    tenant_id: str | None,
    table_name: str | None,
    full_sync: bool,
    detect_deletes: bool,
    allow_mass_delete: bool,
    wait: float,
) -> int:
    """Load what changed at the source since the last run, and fold it into the canonical tables.

    A table's first run reads all of it; later ones read what was updated since, with an overlap. A table completes
    only when the source's own count and the durable records agree. One table's failure leaves the others alone.

    Ctrl-C stops after the pages in flight, and the next run goes on from there; a second Ctrl-C ends at once, and
    loses nothing that was durable.

    Exit status: 0 all completed, 1 something failed or was skipped, 2 the call was wrong.
    """
    return reported(
        options,
        {
            "tenant_id": tenant_id,
            "table_name": table_name,
            "full_sync": full_sync,
            "detect_deletes": detect_deletes,
            "allow_mass_delete": allow_mass_delete,
            "wait_seconds": wait,
        },
    )


@click.command(epilog=examples("avesa rebuild", "avesa rebuild --tenant-id acme --table-name time_entries"))
@_carried_out
def rebuild(options: RunOptions, *, tenant_id: str | None, table_name: str | None, wait: float) -> int:
    """Make the canonical tables again from the raw records; the source is not asked.

    A canonical table is a pure function of raw and the mapping: a rebuild gives the same rows, or those of a mapping
    that changed. The old rows stay readable until the new ones are committed at once.
    """
    return reported(options, {"tenant_id": tenant_id, "table_name": table_name, "rebuild": True, "wait_seconds": wait})


@click.command(
    epilog=examples(
        "avesa backfill --since 2024-01-01 --until 2024-07-01",
        "avesa backfill --since 2024-03-31T22:00:00Z --tenant-id acme --table-name tickets",
    )
)
@click.option("--since", type=TIMES, required=True, help="Records updated after this time; UTC unless it says another.")
@click.option("--until", type=TIMES, help="Records updated up to this time. Default: now.")
@_carried_out
def backfill(
    options: RunOptions,
    *,
    tenant_id: str | None,
    table_name: str | None,
    since: datetime,
    until: datetime | None,
    wait: float,
) -> int:
    """Read a range of update times from the source once more; the bookmarks stay where they are.

    The range is read in windows (backfill_config.json: days, and how many at once). Reading again is harmless: what is
    known already opens no version.
    """
    return reported(
        options,
        {
            "tenant_id": tenant_id,
            "table_name": table_name,
            "since": iso(since),
            "until": None if until is None else iso(until),
            "wait_seconds": wait,
        },
    )
