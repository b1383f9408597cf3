"""`avesa deployments`: who deployed what to an environment, when, why, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from avesa.domain.names import Environment
from avesa.entrypoints.options import OUTPUT, examples

if TYPE_CHECKING:
    from avesa.domain.deployments import DeploymentRecord

_SHOWN_COMMIT = 12


@click.command(
    epilog=examples("avesa deployments --environment prod", "avesa deployments --environment dev --output json")
)
@click.option(
    "--environment",
    required=True,
    type=click.Choice([item.value for item in Environment if item is not Environment.LOCAL]),
    help="Of which environment on AWS.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many, newest first.")
@OUTPUT
def deployments(environment: str, limit: int, output: str) -> int:
    """List the deployments to an environment, newest first: also those that failed, and steps back.

    Their records are kept in a bucket where nobody can change or delete them before their time.
    """
    from avesa.application.releases import to_text
    from avesa.bootstrap.deployed import deployed_settings
    from avesa.bootstrap.releases import open_release_store

    store = open_release_store(deployed_settings(Environment(environment)))
    found = sorted(store.log.records(), key=lambda item: item.started_at, reverse=True)[:limit]
    if output == "json":
        print('{"deployments": [' + ", ".join(to_text(item) for item in found) + "]}")
    elif found:
        _show(found)
    else:
        print(f"nothing is recorded in s3://{store.bucket}; deploy with scripts/deploy.sh")
    return 0


def _show(found: list[DeploymentRecord]) -> None:
    from avesa.entrypoints import telling
    from avesa.entrypoints.terminal import columns, console, show

    heads = columns("began", "outcome", "kind", "components", "release", "commit", "seconds#", "by", "why")
    rows = [
        [
            telling.time(item.started_at),
            item.outcome.value,
            item.kind.value,
            item.components.value,
            item.release_id,
            item.commit[:_SHOWN_COMMIT],
            str(item.duration_seconds),
            item.actor,
            f"{item.reason}; failed: {item.error}" if item.error else item.reason,
        ]
        for item in found
    ]
    show(console(), heads, rows)
