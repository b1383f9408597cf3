"""`avesa plan`: what a run or a backfill will take, before it is begun."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from avesa.entrypoints.options import OUTPUT, TABLE, TENANT, Place, examples, placed
from avesa.entrypoints.times import TIMES, iso

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from avesa.application.forecast import TableForecast
    from avesa.application.forecasts import Total
    from avesa.domain.prices import Prices


@click.command(
    epilog=examples(
        "avesa plan                                      the next run, of all tenants",
        "avesa plan --tenant-id acme --full-sync         reading everything again",
        "avesa plan --since 2024-01-01 --until 2024-07-01 --table-name tickets     a backfill",
        "avesa plan --output json | jq .total.dollars",
    )
)
@TENANT
@TABLE
@click.option("--full-sync", is_flag=True, help="Plan for reading whole tables, whatever the bookmarks say.")
@click.option("--detect-deletes", is_flag=True, help="Plan for a run that also looks for records that are gone.")
@click.option("--since", type=TIMES, help="Plan for a backfill of records updated after this time; UTC.")
@click.option("--until", type=TIMES, help="The backfill's end. Default: now.")
@OUTPUT
@placed
def plan(
    place: Place,
    *,
    tenant_id: str | None,
    table_name: str | None,
    full_sync: bool,
    detect_deletes: bool,
    since: datetime | None,
    until: datetime | None,
    output: str,
) -> int:
    """Say what a run will take: requests, minutes, records, bytes, and dollars on AWS. Nothing is read or changed.

    The source is asked for one count a table (and one page of 25 records of a table that was never read). Minutes and
    bytes come from what the table's last runs took; where there are none they are guessed, and every guess is named.
    Dollars are the operations that the run would make on AWS at list prices with a date, wherever it runs; storing the
    data is not in them.

    The forecast is kept with the tenant's data; `avesa job ID` of a run within a day shows how far off it was.

    Exit status: 0 all tables have a forecast, 1 a source refused, 2 the call was wrong.
    """
    from avesa.application.forecast import forecast_run
    from avesa.application.forecasts import keep, total_of
    from avesa.application.payloads import to_json
    from avesa.bootstrap.prices import load_prices
    from avesa.entrypoints.working import working

    request = {
        "tenant_id": tenant_id,
        "table_name": table_name,
        "full_sync": full_sync,
        "detect_deletes": detect_deletes,
        "since": None if since is None else iso(since),
        "until": None if until is None else iso(until),
    }
    prices = load_prices()
    with working(place) as application:
        context = application.context
        tables = list(forecast_run(context, request, prices))
        keep(context.lake, tables, at=context.clock.now())
        total = total_of(tables, context.bounds, prices)
    if output == "json":
        told = {"tables": [to_json(table) for table in tables], "total": to_json(total), "prices_as_of": prices.as_of}
        print(json.dumps(told, ensure_ascii=False))
    else:
        _show(tables, total, prices)
    return 1 if any(table.error is not None for table in tables) else 0


def _show(tables: list[TableForecast], total: Total, prices: Prices) -> None:
    from avesa.entrypoints import telling
    from avesa.entrypoints.terminal import columns, console, printable, show

    out = console()
    heads = columns("tenant", "table", "read", "records#", "chunks#", "requests#", "time#", "received#", "dollars#")
    show(out, heads, [_row(table) for table in tables])
    out.print(
        f"together: {telling.count(total.requests)} requests, {telling.count(total.records)} records, "
        f"about {telling.age(max(1, total.seconds))}, {telling.size(total.received_bytes)} received and "
        f"{telling.size(total.stored_bytes)} stored, ${total.dollars:.4f} on AWS (prices of {prices.as_of})"
    )
    _show_guesses(out, tables)
    for table in tables:
        if table.error is not None:
            out.print(printable(f"{table.tenant_id} {table.table_name}: no forecast: {table.error}"))


def _row(table: TableForecast) -> list[str]:
    from avesa.entrypoints import telling

    if table.error is not None:
        return [table.tenant_id, table.table_name, "refused", *["-"] * 6]
    return [
        table.tenant_id,
        table.table_name,
        "-" if table.mode is None else table.mode.value,
        *(telling.count(number) for number in (table.records, table.chunks, table.requests)),
        telling.age(max(1, table.seconds)),
        telling.size(table.received_bytes),
        f"{table.dollars:.4f}",
    ]


def _show_guesses(out: Console, tables: list[TableForecast]) -> None:
    """Print each guess once, with the tables that rest on it."""
    from avesa.entrypoints.terminal import printable

    by_guess: dict[str, list[str]] = {}
    for table in tables:
        for guess in table.guesses:
            by_guess.setdefault(guess, []).append(f"{table.tenant_id} {table.table_name}")
    for guess, where in by_guess.items():
        told = ", ".join(where) if len(where) <= 2 else f"{len(where)} tables"  # noqa: PLR2004 - what fits a line
        out.print(printable(f"guessed ({told}): {guess}"))
