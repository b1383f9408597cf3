"""`avesa simulate`: a service to work against without an account."""

from __future__ import annotations

from pathlib import Path

import click

from avesa.entrypoints.options import examples

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def simulate() -> None:
    """Serve a simulated service on this machine."""


@simulate.command(
    epilog=examples(
        "avesa simulate connectwise --port 8080",
        "avesa simulate connectwise --port 8080 --seed 11 --companies 1 --sizes tickets=100000,time_entries=0",
        "avesa simulate connectwise --profile hostile --output json",
    )
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Where to listen on loopback. Default: a free port."
)
@click.option(
    "--seed", type=int, default=7, show_default=True, help="The same seed gives the same data and credentials."
)
@click.option(
    "--companies", type=click.IntRange(1, 1000), default=3, show_default=True, help="How many companies it has."
)
@click.option(
    "--sizes", default="", metavar="TABLE=N,…", help="Records of each company's tables: tickets=8000,contacts=50."
)
@click.option(
    "--profile",
    type=click.Choice(["normal", "hostile"]),
    default="normal",
    show_default=True,
    help="hostile: records and pages as the worst servers send them.",
)
@click.option("--certificate", type=_FILE, help="PEM file of a certificate: serve https.")
@click.option("--key", type=_FILE, help="PEM file of the certificate's key.")
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the companies' credentials are printed: lines for a shell, or one JSON object.",
)
def connectwise(
    port: int,
    seed: int,
    companies: int,
    sizes: str,
    profile: str,
    certificate: Path | None,
    key: Path | None,
    output: str,
) -> int:
    """Serve ConnectWise companies over HTTP until Ctrl-C.

    Prints the five CONNECTWISE_* lines of each company to copy; any client of the REST API, in any language, can use
    them. Data changes and faults are asked for under /_simulator/ (see docs/reference/simulator.md).
    """
    from avesa.simulator.runner import parse_sizes, run

    if key is not None and certificate is None:
        raise click.UsageError("--key needs --certificate")
    try:
        run(
            port=port,
            seed=seed,
            companies=companies,
            sizes=parse_sizes(sizes),
            profile=profile,
            certificate=certificate,
            key=key,
            output=output,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"cannot serve on port {port}: {error.strerror or error}") from None
    return 0
