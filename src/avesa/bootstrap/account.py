"""A deployment's way into the account: the right profile, the settings that go with it, and what is asked there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from avesa.bootstrap.deployed import configured_profiles
from avesa.bootstrap.profiles import choose_profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.adapters.aws.account import Account
    from avesa.bootstrap.aws_settings import AwsSettings
    from avesa.domain.names import Environment
    from avesa.ports.time import Clock

_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One environment in one region, with the credentials that were chosen for it."""

    environment: Environment
    settings: AwsSettings
    account: Account
    variables: dict[str, str]
    """What programs that are started for it get as their environment."""

    @property
    def region(self) -> str:
        """Where it is deployed."""
        return self.settings.region

    @property
    def clock(self) -> Clock:
        """The time, for waiting and for records."""
        return machine_clock()

    @property
    def table_names(self) -> list[str]:
        """The tables of its state."""
        from avesa.adapters.aws.tables import STATE_TABLES

        return [shape.name(self.environment) for shape in STATE_TABLES]


def open_site(environment: Environment, *, region: str, profile: str | None) -> Site:
    """Return the environment's site; nothing is asked of AWS yet. Raises ConfigError for a missing profile."""
    from avesa.adapters.aws.account import Account
    from avesa.bootstrap.aws_settings import read_aws_settings

    configured = configured_profiles(environment)
    chosen = choose_profile(environment, profile, variables=os.environ, configured=configured)
    settings = replace(read_aws_settings(environment=environment), region=region, profile=chosen)
    variables = {name: text for name, text in os.environ.items() if name != "AWS_PROFILE"}
    if profile is not None:
        # Keys of the variables would come before the profile that was asked for.
        variables = {name: text for name, text in variables.items() if name not in _KEYS}
    variables |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "CDK_DEFAULT_REGION": region}
    if chosen is not None:
        variables["AWS_PROFILE"] = chosen
    account = Account(region=region, profile=chosen, endpoint_url=settings.endpoint_url)
    return Site(environment=environment, settings=settings, account=account, variables=variables)


def machine_clock() -> Clock:
    """Return this machine's clock."""
    from avesa.adapters.machine.clock import SystemClock

    return SystemClock()


def checkout_mappings() -> Mapping[str, bytes]:
    """Return the checkout's mappings by their paths."""
    from avesa.bootstrap.packaged import packaged_mappings

    return packaged_mappings()


def upload_mappings(site: Site, files: Mapping[str, bytes]) -> int:
    """Bring mappings into the environment's lake; return how many files there are."""
    from avesa.bootstrap.aws import publish_mappings

    publish_mappings(site.settings, files)
    return len(files)
