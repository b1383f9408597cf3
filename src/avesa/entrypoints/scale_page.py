"""Writes docs/scale.md from the model, so that the page cannot say what the model does not.

python -m avesa.entrypoints.scale_page > docs/scale.md
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from avesa.application.scale import Profile, parts_of, quotas_of
from avesa.bootstrap.prices import load_prices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.domain.prices import Prices

FLEETS: Final = (10, 500, 10_000)
TENANTS_AT_ONCE: Final = 10
MAX_TENANTS: Final = 600
"""As infrastructure/definitions/asl.py has them; a test compares."""
_AIM: Final = 1.0


def page() -> str:
    """Return the page, ending with a line break."""
    profile, prices = Profile(), load_prices()
    lines = [*_head(profile, prices), *_dollars(profile, prices), *_quotas(profile), *_ways(profile, prices)]
    return "\n".join(lines) + "\n"


def _head(profile: Profile, prices: Prices) -> Iterator[str]:
    tables = ", ".join(f"{count:,}" for count in profile.tables)
    yield "# Cost and scale"
    yield ""
    yield "<!-- Made by `python -m avesa.entrypoints.scale_page`; a test compares. -->"
    yield ""
    yield "Nothing here was measured on an AWS account: operations come from a model (`avesa.application.operations`),"
    yield "seconds of functions are assumed, quotas are AWS's defaults as commonly told. Check before you rely on them."
    yield ""
    yield f"A small tenant: four tables of {tables} records, {profile.changed_an_hour} changed in each an hour;"
    yield "a run every hour, a sweep every day."
    yield f"Prices: {prices.region}, {prices.as_of}; {prices.source}."
    yield ""


def _dollars(profile: Profile, prices: Prices) -> Iterator[str]:
    columns = [dict(parts_of(profile, tenants, prices)) for tenants in FLEETS]
    yield "## Dollars for a tenant and month"
    yield ""
    yield "| | " + " | ".join(f"{tenants:,} tenants" for tenants in FLEETS) + " |"
    yield "|---|" + "---|" * len(FLEETS)
    for name in columns[0]:
        yield f"| {name} | " + " | ".join(f"{column[name]:.3f}" for column in columns) + " |"
    yield "| **together** | " + " | ".join(f"**{sum(column.values()):.2f}**" for column in columns) + " |"
    yield ""


def _quotas(profile: Profile) -> Iterator[str]:
    yield "## What breaks first"
    yield ""
    for tenants in FLEETS:
        yield f"**{tenants:,} tenants**"
        yield ""
        yield "| bound | used | then |"
        yield "|---|---|---|"
        for quota in quotas_of(profile, tenants, at_once=TENANTS_AT_ONCE, most_tenants=MAX_TENANTS)[:3]:
            told = "**broken**" if quota.share > 1 else f"{quota.share:.0%}"
            yield f"| {quota.name} | {quota.used:,.0f} of {quota.limit:,.0f}: {told} | {quota.remedy} |"
        yield ""


def _ways(profile: Profile, prices: Prices) -> Iterator[str]:
    parts = dict(parts_of(profile, FLEETS[1], prices))
    together = sum(parts.values())
    dear = sorted(parts.items(), key=lambda item: item[1], reverse=True)[:4]
    is_met = together < _AIM
    yield f"## The aim: below {_AIM:g} dollar a month for a small tenant"
    yield ""
    yield (
        f"{'Met' if is_met else 'Not met'}: ${together:.2f} at {FLEETS[1]:,} tenants. What it goes to: "
        + ", ".join(f"{name} ${dollars:.2f}" for name, dollars in dear)
        + "."
    )
    yield ""
    yield "What would bring it down, none of it built:"
    yield ""
    yield "- **State transitions**: twelve for each table of each run. An increment of one page needs no map and no"
    yield "  second machine: one function that does the steps of a small table after each other would leave about"
    yield "  three. Or express machines for tables, paid by time."
    yield f"- **The secret**: {prices.secret_month:.2f} dollars whatever is done with it. Encrypted parameters"
    yield "  of Systems Manager cost nothing at this size."
    yield "- **The rhythm**: a run every two hours halves all but the secret."
    yield "- **Mappings**: every step reads seven objects; a function that keeps them for some minutes would not."


if __name__ == "__main__":
    sys.stdout.write(page())
