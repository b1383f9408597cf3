"""`avesa setup-service`: registers a tenant after its credentials were tested."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from avesa.domain.errors import UsageError
from avesa.domain.names import Environment, check_tenant_id
from avesa.entrypoints.options import OUTPUT, Place, examples, placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.application.pipeline import Application
    from avesa.application.setup import SetupResult

_PROMPTS: Final = {
    "company_id": "ConnectWise company id (the one you log in with)",
    "public_key": "API public key",
    "private_key": "API private key",
    "client_id": "Client id (from developer.connectwise.com)",
    "api_base_url": "Address of the site, such as https://api-na.myconnectwise.net",
}
_HIDDEN: Final = frozenset({"public_key", "private_key", "client_id"})


@click.command(
    "setup-service",
    epilog=examples(
        "avesa setup-service --tenant-id acme --company-name 'Acme IT' --service connectwise",
        "avesa setup-service --tenant-id acme --disabled     pause it; data and credentials stay",
        "avesa setup-service --tenant-id acme --enabled      resume it",
    ),
)
@click.option(
    "--tenant-id", required=True, metavar="ID", help="2 to 63 characters of a-z, 0-9 and '-'; part of every path."
)
@click.option("--company-name", metavar="TEXT", help="How people call the tenant.")
@click.option("--service", default="connectwise", show_default=True, metavar="NAME", help="The service to read from.")
@click.option(
    "--region",
    metavar="NAME",
    help="The region of an AWS environment (default: AWS_REGION, else us-east-2); without meaning for local.",
)
@click.option("--enabled/--disabled", "is_enabled", default=None, help="Resume or pause the tenant's service.")
@OUTPUT
@placed
def setup_service(
    place: Place,
    tenant_id: str,
    company_name: str | None,
    service: str,
    region: str | None,
    *,
    is_enabled: bool | None,
    output: str,
) -> int:
    """Register a tenant: test its credentials on every table, then store them encrypted.

    The credentials come from the variables CONNECTWISE_COMPANY_ID, CONNECTWISE_PUBLIC_KEY, CONNECTWISE_PRIVATE_KEY,
    CONNECTWISE_CLIENT_ID and CONNECTWISE_API_BASE_URL; what is not set is asked for on a terminal, keys unseen. They
    are never arguments, which other users of a machine could read.

    Calling it again tests again and replaces the credentials. Nothing is stored when a test fails.
    """
    check_tenant_id(tenant_id)
    is_switch = is_enabled is not None and company_name is None
    if company_name is None and not is_switch:
        raise UsageError("--company-name is missing: it is how people recognise the tenant")
    values = {} if is_switch else _credentials(place)

    from avesa.application.setup import enable_service
    from avesa.application.setup import setup_service as set_up

    with _application(place, region) as application:
        result = None
        if company_name is not None:
            result = set_up(
                application.context, tenant_id=tenant_id, service=service, company_name=company_name, values=values
            )
        if is_enabled is not None:
            enable_service(application.context, tenant_id=tenant_id, service=service, is_enabled=is_enabled)
        _tell(application, result, tenant_id, service, output=output)
    return 0


@contextmanager
def _application(place: Place, region: str | None) -> Iterator[Application]:
    if place.is_local:
        from avesa.bootstrap.local import LocalSettings, local_application

        with local_application(LocalSettings(home=place.home, secret_key=place.settings.secret_key)) as application:
            yield application
        return
    from avesa.bootstrap.deployed import deployed_application, deployed_settings

    with deployed_application(deployed_settings(place.environment, region=region)) as application:
        yield application


def _credentials(place: Place) -> dict[str, str]:
    """Return the five parts, from variables and prompts. Raises UsageError that names the missing variables."""
    from avesa.bootstrap.environment import CREDENTIAL_VARIABLES

    values = dict(place.settings.credentials)
    missing = [name for name in CREDENTIAL_VARIABLES if name not in values]
    if missing and not sys.stdin.isatty():
        names = ", ".join(CREDENTIAL_VARIABLES[name] for name in missing)
        raise UsageError(f"credentials are missing: set {names}; on a terminal they are asked for")
    for name in missing:
        values[name] = click.prompt(_PROMPTS[name], hide_input=name in _HIDDEN, err=True).strip()
    return values


def _tell(application: Application, result: SetupResult | None, tenant_id: str, service: str, *, output: str) -> None:
    tenant = application.context.registry.get(tenant_id, service)
    if tenant is None:
        raise UsageError(f"tenant {tenant_id!r} vanished while it was being set up; run it again")
    tables = [] if result is None else [asdict(probe) for probe in result.tables]
    if output == "json":
        found = {"tenant_id": tenant_id, "service": service, "is_enabled": tenant.is_enabled, "tables": tables}
        print(json.dumps(found))
        return
    if result is None:
        print(f"{tenant_id} ({tenant.company_name}): {service} is {'enabled' if tenant.is_enabled else 'paused'}")
        return
    _show(result)
    environment = application.context.environment
    place = "" if environment is Environment.LOCAL else f" --environment {environment.value}"
    print(
        f"{tenant_id} ({tenant.company_name}) is {'registered' if result.is_new else 'set up again'} for {service}"
        f"{'' if tenant.is_enabled else ', and paused: resume it with --enabled'}. "
        f"Load it with: avesa run --tenant-id {tenant_id}{place}"
    )


def _show(result: SetupResult) -> None:
    from avesa.entrypoints import telling
    from avesa.entrypoints.terminal import columns, console, show

    rows = [
        [
            probe.table_name,
            telling.count(probe.records),
            "works" if probe.is_filter_trusted else "not trusted: every run reads the whole table",
        ]
        for probe in result.tables
    ]
    show(console(), columns("table", "records#", "filter by update time"), rows, title="The credentials work:")
