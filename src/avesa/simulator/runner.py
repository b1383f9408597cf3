"""Starts a simulated site as a program: says how to reach it, serves until it is told to stop."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from typing import TYPE_CHECKING

from avesa.simulator.company import CompanySpec
from avesa.simulator.control import companies as credentials_of
from avesa.simulator.server import serve
from avesa.simulator.site import Site
from avesa.simulator.wire import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LOGINS = ("acme", "birch", "cedar", "dune", "ember", "fjord", "grove", "haven")
_VARIABLES = ("company_id", "public_key", "private_key", "client_id", "api_base_url")


def parse_sizes(text: str) -> dict[str, int]:
    """Return sizes from text like `tickets=8000,system/members=20`; raise ValueError that says what is wrong."""
    sizes = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if not part.strip():
            continue
        if not number.isdigit():
            message = f"sizes: {part.strip()!r} is not of the form table=number, such as tickets=8000"
            raise ValueError(message)
        sizes[name] = int(number)
    return sizes


def specs(count: int, sizes: Mapping[str, int]) -> list[CompanySpec]:
    """Return that many companies of these sizes; the first ones have names, the others numbers."""
    return [
        CompanySpec(login=_LOGINS[at] if at < len(_LOGINS) else f"company-{at + 1}", sizes=sizes) for at in range(count)
    ]


def run(
    *,
    port: int = 0,
    seed: int = 7,
    companies: int = 3,
    sizes: Mapping[str, int] | None = None,
    profile: str = "normal",
    output: str = "text",
    certificate: str | Path | None = None,
    key: str | Path | None = None,
) -> None:
    """Serve a new site until SIGINT or SIGTERM; first write, for each company, the five variables of a client.

    With output `json` that is one object on one line: `{"url", "seed", "companies": [{"company_id", …}]}`.
    Must be called in the main thread.
    """
    site = Site(seed=seed, companies=specs(companies, sizes or {}), profile=profile)
    stopping = threading.Event()
    with _stopped_by_signals(stopping), serve(site, port=port, certificate=certificate, key=key) as server:
        sys.stdout.write(announcement(site, server.url, output))
        sys.stdout.flush()
        # With a bound, so that a signal is seen on systems where a wait is not interrupted.
        while not stopping.wait(0.5):
            pass


def announcement(site: Site, url: str, output: str) -> str:
    """Return what a user copies to reach the site, ending with a line break."""
    found = credentials_of(site, url)
    if output == "json":
        return encode({"url": url, "seed": site.seed, "companies": found}).decode() + "\n"
    blocks = [
        "\n".join(
            [
                f"# {company['company_id']}",
                *(f"export CONNECTWISE_{name.upper()}={company[name]}" for name in _VARIABLES),
            ]
        )
        for company in found
    ]
    return "\n\n".join([f"# ConnectWise simulator on {url}; stop it with Ctrl-C", *blocks]) + "\n"


@contextlib.contextmanager
def _stopped_by_signals(stopping: threading.Event) -> Iterator[None]:
    """Set the event on SIGINT and SIGTERM, and put the former handlers back afterwards."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    former = [signal.signal(number, lambda _number, _frame: stopping.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, former, strict=True):
            signal.signal(number, handler)
