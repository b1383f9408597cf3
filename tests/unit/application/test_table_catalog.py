"""A table is made known to analysts when it is there, and is whole whether or not that succeeds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from avesa.application.pipeline import Application
from avesa.domain.errors import StorageError
from tests.unit.application.world import World

if TYPE_CHECKING:
    from avesa.canonical.mapping import CanonicalMapping
    from avesa.ports.catalog import TableCatalog


class RecordingCatalog:
    """Remembers what was registered; refuses while `refusal` is set."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, str, str]] = []
        self.refusal: StorageError | None = None

    def register(self, tenant_id: str, mapping: CanonicalMapping) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.registered.append((tenant_id, mapping.table, mapping.digest))

    def forget(self, tenant_id: str) -> None:
        self.registered = [entry for entry in self.registered if entry[0] != tenant_id]


def _world_with(catalog: TableCatalog) -> World:
    world = World("acme")
    world.context = replace(world.context, table_catalog=catalog)
    world.application = Application(world.context)
    return world


def test_a_table_is_registered_by_its_first_run_with_the_mapping_that_made_it() -> None:
    catalog = RecordingCatalog()
    world = _world_with(catalog)

    assert world.run()["status"] == "completed"
    assert [entry[:2] for entry in catalog.registered] == [("acme", "tickets")]


def test_a_catalog_that_refuses_fails_no_table_and_is_asked_again_by_the_next_run() -> None:
    catalog = RecordingCatalog()
    catalog.refusal = StorageError("Glue table avesa_acme_dev.tickets: AWS answered AccessDenied")
    world = _world_with(catalog)

    assert world.run()["status"] == "completed"
    (told,) = [fields for event, fields in world.events.events if event == "table_not_registered"]
    assert told["table"] == "service/tickets"
    assert "AccessDenied" in str(told["reason"])

    catalog.refusal = None
    assert world.run()["status"] == "completed"
    assert [entry[:2] for entry in catalog.registered] == [("acme", "tickets")]
