"""`avesa query`: SQL over the canonical tables of all tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from avesa.entrypoints.options import Place, examples, placed

if TYPE_CHECKING:
    from avesa.adapters.delta.views import SqlResult


@click.command(
    epilog=examples(
        "avesa query 'SELECT tenant_id, count(*) FROM tickets WHERE is_current GROUP BY ALL'",
        'avesa query "SELECT summary, status, valid_from, valid_to FROM tickets',
        "             WHERE tenant_id = 'acme' AND id = '100042' ORDER BY valid_from\"",
        "avesa query --tenant-id acme --output csv 'FROM time_entries WHERE is_current' > entries.csv",
        "avesa query 'SHOW TABLES'",
    )
)
@click.argument("sql")
@click.option(
    "--tenant-id", metavar="ID", help="Only this tenant's tables. A filter on tenant_id leaves out the others as well."
)
@click.option(
    "--output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="table for people (the first 200 rows); json: a list of objects; csv: with a header line.",
)
@placed
def query(place: Place, sql: str, tenant_id: str | None, output: str) -> int:
    """Answer SQL over the canonical tables, in DuckDB's dialect.

    Each table is one view over all tenants (tickets, time_entries, companies, contacts), with the column tenant_id
    first, and a row for each version of each record: `WHERE is_current` asks for the present. All views show one
    moment. Times are UTC. Nothing can be written.
    """
    from avesa.entrypoints import rows
    from avesa.entrypoints.reading import sql as sql_over

    with sql_over(place, tenant_id=tenant_id) as session:
        result: SqlResult = session.run(sql)
        {"table": rows.show_table, "json": rows.write_json, "csv": rows.write_csv}[output](result)
    return 0
