"""The step that erases a tenant: everything that lake, state and secret store have of it.

It goes in an order in which a crash leaves nothing that could begin again, and every part may be repeated:

    leases of all tables ─► receipt, begun ─► secrets ─► lake ─► state ─► receipt, complete
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from avesa import __version__
from avesa.application.catalog import load_catalog
from avesa.application.erase import Receipt, keys_digest, store
from avesa.application.leasing import leased, upkeep_of
from avesa.application.payloads import from_json, to_json
from avesa.application.steps.run import new_job_id
from avesa.domain.errors import ConfigError, UsageError
from avesa.domain.names import check_tenant_id, secret_name, tenant_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.application.context import StepContext
    from avesa.application.payloads import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantErasure:
    """A tenant to erase; `confirm` repeats its id."""

    tenant_id: str
    confirm: str


def erase_tenant(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Erase all that lake, state and secret store have of a tenant; give a Receipt. A second call finds nothing.

    Takes a TenantErasure. Raises UsageError when the confirmation is another id, LeaseHeld while a run works on one of
    the tenant's tables; nothing is erased then.
    """
    task = from_json(TenantErasure, payload)
    tenant_id = check_tenant_id(task.tenant_id)
    if task.confirm != tenant_id:
        raise UsageError(f"to erase {tenant_id!r}, confirm it by its id: --confirm {tenant_id}")
    return to_json(_erased(context, tenant_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What there is of a tenant before anything is erased."""

    secrets: tuple[str, ...]
    tables: tuple[str, ...]
    """Those whose state is known."""
    objects: dict[str, int]
    """Sizes by key."""
    registrations: int

    @property
    def is_nothing(self) -> bool:
        return not (self.secrets or self.tables or self.objects or self.registrations)


def _erased(context: StepContext, tenant_id: str) -> Receipt:
    left = _left(context, tenant_id)
    receipt = _begun(context, tenant_id, left)
    with ExitStack() as held:
        if not left.is_nothing:
            # Every table that a run could begin on, so that none begins until there are no credentials to read with.
            every = {*left.tables, *load_catalog(context.lake).endpoints.enabled()}
            for name in sorted(every):
                held.enter_context(leased(context, tenant_id, name, job_id=receipt.receipt_id))
            store(context, receipt)
        for name in left.secrets:
            context.secrets.delete(name)
        eraser = upkeep_of(context).eraser
        gone = eraser.below(tenant_prefix(tenant_id))
        state = eraser.state(tenant_id)
    # The leases above made records of their own.
    counts = {"secrets": len(left.secrets), "objects": len(gone.keys), **state, "LastUpdated": len(left.tables)}
    receipt = replace(
        receipt,
        erased_at=context.clock.now(),
        counts=counts,
        size_bytes=gone.size_bytes,
        keys_sha256=keys_digest([*left.secrets, *gone.keys]),
        is_complete=True,
    )
    context.events.emit("tenant_erased", tenant_id=tenant_id, receipt=receipt.receipt_id, objects=len(gone.keys))
    return store(context, receipt)


def _left(context: StepContext, tenant_id: str) -> _Left:
    registered = {item.service for item in context.registry.list() if item.tenant_id == tenant_id}
    services = sorted(registered | {load_catalog(context.lake).service})
    names = [secret_name(tenant_id, service, context.environment) for service in services]
    states = [state.table_name for state in context.tables.list() if state.tenant_id == tenant_id]
    return _Left(
        secrets=tuple(name for name in names if _has_secret(context, name)),
        tables=tuple(states),
        objects={info.key: info.size_bytes for info in context.lake.list(tenant_prefix(tenant_id))},
        registrations=len(registered),
    )


def _has_secret(context: StepContext, name: str) -> bool:
    try:
        return context.secrets.get(name) is not None
    except ConfigError:
        return True  # one that nobody can read any more is erased like any other


def _begun(context: StepContext, tenant_id: str, left: _Left) -> Receipt:
    return Receipt(
        receipt_id=new_job_id(context),
        kind="erase-tenant",
        tenant_id=tenant_id,
        erased_at=context.clock.now(),
        avesa_version=__version__,
        counts={
            "secrets": len(left.secrets),
            "objects": len(left.objects),
            "TenantServices": left.registrations,
            "LastUpdated": len(left.tables),
        },
        size_bytes=sum(left.objects.values()),
        keys_sha256=keys_digest([*left.secrets, *left.objects]),
    )
