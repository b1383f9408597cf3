"""Which AWS profile an environment is worked on with, when neither the call nor the environment's variables say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from avesa.domain.errors import ConfigError
from avesa.domain.names import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PRODUCTION_PROFILE: Final = "avesa-production"
DEVELOPMENT_PROFILES: Final = "AdministratorAccess-"
"""How AWS's sign-in names the profile of a development account; its number follows."""
_OWN_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def choose_profile(
    environment: Environment, asked: str | None, *, variables: Mapping[str, str], configured: Sequence[str]
) -> str | None:
    """Return the profile to use; None leaves it to AWS's own order (variables, default profile, the machine's role).

    In order: what was asked for, the variables' profile, the variables' credentials, the environment's default. That is
    `avesa-production` for production; elsewhere the one profile called `AdministratorAccess-…`, if there is just one.
    Raises ConfigError for a profile that is not configured.
    """
    chosen = asked or variables.get("AWS_PROFILE") or None
    if chosen is None and not any(variables.get(name) for name in _OWN_CREDENTIALS):
        chosen = _default(environment, configured)
    if chosen is not None and chosen not in configured:
        raise ConfigError(_missing(chosen, configured))
    return chosen


def _default(environment: Environment, configured: Sequence[str]) -> str | None:
    if environment is Environment.PROD:
        return PRODUCTION_PROFILE
    fitting = [name for name in configured if name.startswith(DEVELOPMENT_PROFILES)]
    return fitting[0] if len(fitting) == 1 else None


def _missing(profile: str, configured: Sequence[str]) -> str:
    known = ", ".join(sorted(configured)) or "none"
    return (
        f"AWS profile '{profile}' not configured. Configure it with `aws configure --profile {profile}` "
        f"(or `aws configure sso --profile {profile}`), name another one with --profile, or sign in by variables "
        f"(AWS_ACCESS_KEY_ID …). Configured profiles: {known}"
    )
