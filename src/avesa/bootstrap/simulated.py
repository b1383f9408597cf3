"""The source that dev brings itself: a simulated ConnectWise behind a token that only the account knows.

A deployed function cannot reach a laptop, so that a test of the whole pipeline needs a source with a public address.
Everything of it follows from the token: the records, and the keys that every request must bear. Whoever may read the
secret can make the keys; nobody else can, and the records are made up anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.adapters.aws.secrets import SecretsManagerStore
from avesa.domain.errors import ConfigError
from avesa.simulator.company import CompanySpec
from avesa.simulator.control import companies
from avesa.simulator.site import Site

if TYPE_CHECKING:
    from avesa.adapters.aws.access import AwsAccess
    from avesa.domain.names import Environment

COMPANY: Final = "avesa-test"
_SIZES: Final = {"tickets": 200, "time_entries": 300, "companies": 25, "contacts": 60}
"""Small: a page of any table must stay below the 6 MB that a function may answer."""
_SECRET: Final = "avesa-simulator"  # noqa: S105 - a name
_TOKEN: Final = "token"  # noqa: S105 - a name
_SHORTEST: Final = 32


def simulated_site(access: AwsAccess, environment: Environment) -> Site:
    """Return the environment's simulated site; the same one everywhere, as long as the token is the same.

    Raises ConfigError when the environment has none.
    """
    kept = SecretsManagerStore(access.secretsmanager()).get(f"{_SECRET}{environment.suffix}") or {}
    token = kept.get(_TOKEN, "")
    if len(token) < _SHORTEST:
        raise ConfigError(
            f"the environment {environment.value!r} brings no source of its own (no secret "
            f"{_SECRET}{environment.suffix} is there): only dev does, once scripts/deploy.sh has deployed it"
        )
    return Site(seed=int.from_bytes(token.encode()), companies=[CompanySpec(login=COMPANY, sizes=_SIZES)])


def simulated_credentials(site: Site, url: str) -> dict[str, str]:
    """Return what a tenant of the site signs in with at this address."""
    return next(company for company in companies(site, url) if company["company_id"] == COMPANY)
