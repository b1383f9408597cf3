"""`avesa rotate-secret`: swaps a tenant's key for a new one, and keeps the old one until the new one is proven."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

import click

from avesa.domain.errors import UsageError
from avesa.domain.names import check_tenant_id
from avesa.entrypoints.options import OUTPUT, Place, examples, placed

if TYPE_CHECKING:
    from avesa.application.pipeline import Application

_NEEDED: Final = {"public_key": "New API public key", "private_key": "New API private key"}


@click.command(
    "rotate-secret",
    epilog=examples(
        "CONNECTWISE_PUBLIC_KEY=… CONNECTWISE_PRIVATE_KEY=… avesa rotate-secret --tenant-id acme",
        "avesa rotate-secret --tenant-id acme            asks for the new key, unseen",
        "avesa rotate-secret --tenant-id acme --finish   after a run: forget the old key",
        "avesa rotate-secret --tenant-id acme --rollback take the old key back",
    ),
)
@click.option("--tenant-id", required=True, metavar="ID", help="The tenant whose key is swapped.")
@click.option("--service", default="connectwise", show_default=True, metavar="NAME", help="The service of the key.")
@click.option("--finish", is_flag=True, help="Forget the old key, if a run since the swap completed.")
@click.option("--rollback", is_flag=True, help="Take the old key back into use, if it still works.")
@OUTPUT
@placed
def rotate_secret(place: Place, *, tenant_id: str, service: str, finish: bool, rollback: bool, output: str) -> int:
    """Swap a tenant's key: test the new one on every table, put it in use, keep the old one until a run has proven it.

    The new key comes from CONNECTWISE_PUBLIC_KEY and CONNECTWISE_PRIVATE_KEY (and CONNECTWISE_CLIENT_ID, if that
    changes too); what is not set is asked for on a terminal, unseen. Keys are never arguments. Company and site stay.

    `avesa run` on this machine forgets the old key itself once the tenant completed; for an environment on AWS, call
    --finish after a run. Revoke the old key at the service only then. On AWS the keys are the versions AWSCURRENT and
    AWSPREVIOUS of the tenant's secret, and running work uses the new one with its next step.

    Exit status: 0 done, 1 the service refused the key or no run has proven it yet, 2 the call was wrong.
    """
    from avesa.application import rotation
    from avesa.entrypoints.working import working

    check_tenant_id(tenant_id)
    if finish and rollback:
        raise UsageError("--finish forgets the old key, --rollback takes it back: choose one")
    values = {} if finish or rollback else _new_key(place)
    with working(place) as application:
        if finish:
            return _finished(application, tenant_id, service, output)
        if rollback:
            rotation.rollback(application.context, tenant_id=tenant_id, service=service)
            return _told(tenant_id, "rolled back", f"the old key of {tenant_id} is in use again", output)
        rotation.rotate(application.context, tenant_id=tenant_id, service=service, values=values)
    after = f"avesa run --tenant-id {tenant_id}{'' if place.is_local else f' --environment {place.environment.value}'}"
    words = f"the new key of {tenant_id} works and is in use; the old one is kept until a run proves it: {after}"
    return _told(tenant_id, "swapped", words, output)


def _finished(application: Application, tenant_id: str, service: str, output: str) -> int:
    from avesa.application import rotation

    job_id = rotation.finish(application.context, tenant_id=tenant_id, service=service)
    if job_id is not None:
        words = (
            f"job {job_id} has proven the new key of {tenant_id}; the old one is forgotten: revoke it at the service"
        )
        return _told(tenant_id, "finished", words, output)
    words = f"no run of {tenant_id} has completed since the swap; the old key stays. Run it, then call this again"
    _told(tenant_id, "unproven", words, output)
    return 1


def _told(tenant_id: str, state: str, words: str, output: str) -> int:
    print(json.dumps({"tenant_id": tenant_id, "rotation": state}) if output == "json" else words)
    return 0


def _new_key(place: Place) -> dict[str, str]:
    """Return what the variables and prompts give. Raises UsageError that names the missing variables."""
    from avesa.bootstrap.environment import CREDENTIAL_VARIABLES

    values = dict(place.settings.credentials)
    missing = [name for name in _NEEDED if name not in values]
    if missing and not sys.stdin.isatty():
        names = ", ".join(CREDENTIAL_VARIABLES[name] for name in missing)
        raise UsageError(f"the new key is missing: set {names}; on a terminal it is asked for")
    for name in missing:
        values[name] = click.prompt(_NEEDED[name], hide_input=True, err=True).strip()
    return values
