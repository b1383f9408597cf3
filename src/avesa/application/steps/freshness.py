"""The step that looks how old all tables are. It is started by a schedule of its own: it works when no run does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.application.catalog import load_catalog
from avesa.application.freshness import freshness
from avesa.application.payloads import RunRequest, from_json
from avesa.domain.model import TableState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.application.context import StepContext
    from avesa.application.freshness import Freshness
    from avesa.application.payloads import Json


def check_freshness(context: StepContext, payload: Mapping[str, object]) -> Json:
    """Tell each table's greatest age over its tenants, and every tenant whose table is stale; take and store nothing.

    A table is told of although nobody has it, so that its number is missing only when nobody looks.
    """
    from_json(RunRequest, payload)
    catalog = load_catalog(context.lake)
    states = {(state.tenant_id, state.table_name): state for state in context.tables.list()}
    tenants = [tenant for tenant in context.registry.list() if tenant.is_enabled]
    found = list(
        freshness(
            tenants,
            lambda tenant_id, name: states.get((tenant_id, name), TableState(tenant_id=tenant_id, table_name=name)),
            catalog,
            now=context.clock.now(),
        )
    )
    for item in found:
        if item.is_stale:
            context.events.emit(
                "table_stale",
                tenant_id=item.tenant.tenant_id,
                table=item.state.table_name,
                age_seconds=item.age_seconds,
                target_seconds=item.target_seconds,
                error=item.state.last_error,
            )
    return {"tables": [_told(context, name, found) for name in catalog.endpoints.enabled()]}


def _told(context: StepContext, name: str, found: list[Freshness]) -> Json:
    own = [item for item in found if item.state.table_name == name]
    age, stale = max((item.age_seconds for item in own), default=0), sum(item.is_stale for item in own)
    context.events.emit("freshness_checked", table=name, tenants=len(own), age_seconds=age, stale=stale)
    return {"table_name": name, "tenants": len(own), "age_seconds": age, "stale": stale}
