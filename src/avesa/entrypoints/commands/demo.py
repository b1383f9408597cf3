"""`avesa demo`: the main job, from nothing to tables that can be asked."""

from __future__ import annotations

import click

from avesa.domain.errors import UsageError
from avesa.entrypoints.options import Place, examples, placed

_LEAST = 400


@click.command(
    epilog=examples(
        "avesa demo",
        "avesa demo --home ./demo --records 200000",
    )
)
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same records.")
@click.option(
    "--records",
    type=click.IntRange(min=_LEAST),
    default=54_000,
    show_default=True,
    metavar="N",
    help="How many records the three tenants have together.",
)
@placed
def demo(place: Place, seed: int, records: int) -> int:
    """See the whole of it: load three simulated tenants, change their records, load again, look at the result.

    Starts a ConnectWise simulator on this machine, registers three tenants as setup-service does, loads their tickets,
    time entries, companies and contacts, changes some at the source, loads what changed, and shows what became of it.
    No account is needed and nothing leaves this machine. The data stays in a new folder for you to look at: --home,
    or one below ./avesa-data. The simulator ends with the demo.
    """
    if not place.is_local:
        raise UsageError("the demo is for this machine: leave --environment out, and unset AVESA_ENVIRONMENT")
    from avesa.entrypoints.demo import run_demo

    return run_demo(place, seed=seed, records=records)
