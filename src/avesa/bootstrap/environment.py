"""What the process's environment says, read once: the one place where variables become settings."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from avesa.domain.errors import ConfigError
from avesa.domain.names import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_HOME: Final = "avesa-data"
CREDENTIAL_VARIABLES: Final = {
    "company_id": "CONNECTWISE_COMPANY_ID",
    "public_key": "CONNECTWISE_PUBLIC_KEY",
    "private_key": "CONNECTWISE_PRIVATE_KEY",
    "client_id": "CONNECTWISE_CLIENT_ID",
    "api_base_url": "CONNECTWISE_API_BASE_URL",
}
"""What a tenant signs in with, and the variable that each part comes from."""
_KEY_BYTES: Final = 32
_KEY_CHARACTERS: Final = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment sets; options of a command come before it."""

    home: Path
    environment: Environment
    is_debugging: bool
    secret_key: str | None = field(repr=False)
    credentials: Mapping[str, str] = field(repr=False)
    """Those of CREDENTIAL_VARIABLES that are set, by the names on its left side."""


def read_settings(variables: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of `variables`, by default the process's own; an empty variable counts as not set.

    Raises ConfigError that names every wrong variable at once, and never a value that may be secret.
    """
    given = {name: text for name, text in (os.environ if variables is None else variables).items() if text.strip()}
    problems = [
        *_not_one_of(given, "AVESA_ENVIRONMENT", [item.value for item in Environment]),
        *_not_one_of(given, "AVESA_DEBUG", ["0", "1"]),
        *_no_key(given),
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return Settings(
        home=Path(given.get("AVESA_HOME", DEFAULT_HOME)).expanduser(),
        environment=Environment(given.get("AVESA_ENVIRONMENT", Environment.LOCAL.value)),
        is_debugging=is_debugging(given),
        secret_key=given["AVESA_SECRET_KEY"].strip() if "AVESA_SECRET_KEY" in given else None,
        credentials={name: given[variable] for name, variable in CREDENTIAL_VARIABLES.items() if variable in given},
    )


def is_debugging(variables: Mapping[str, str] | None = None) -> bool:
    """Whether AVESA_DEBUG=1 asks for tracebacks; never raises, since it is asked when something went wrong already."""
    return (os.environ if variables is None else variables).get("AVESA_DEBUG", "").strip() == "1"


def _not_one_of(given: Mapping[str, str], name: str, allowed: list[str]) -> list[str]:
    if name not in given or given[name] in allowed:
        return []
    return [f"{name} is {given[name]!r}; allowed: {', '.join(allowed)}"]


def _no_key(given: Mapping[str, str]) -> list[str]:
    try:
        key = given["AVESA_SECRET_KEY"].strip()
        # Both lengths: decoding stops at the first padding, whatever follows it.
        is_key = len(key) == _KEY_CHARACTERS and len(base64.urlsafe_b64decode(key)) == _KEY_BYTES
    except KeyError:
        return []
    except (ValueError, binascii.Error):
        is_key = False
    return [] if is_key else ["AVESA_SECRET_KEY is no key: it must be 32 bytes in URL-safe base64 (44 characters)"]
