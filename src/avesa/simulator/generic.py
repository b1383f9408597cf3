"""Records of the smaller tables, made from the schema alone: plausible values, references that lead somewhere."""
# ruff: noqa: PLR2004 - how many records have what is data

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avesa.simulator import vocabulary as words
from avesa.simulator.pieces import Record, Shared, clean, guid, info, pick
from avesa.simulator.schema import Field, Kind, Schema
from avesa.simulator.wire import date_text
from avesa.simulator.world import DAY, Named, mix, pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.simulator.world import World

# A reference field's name, and the table whose things it refers to.
_REFERENCED = {
    "board": "service/boards", "priority": "service/priorities", "source": "service/sources", "sla": "service/SLAs",
    "location": "system/locations", "companylocation": "system/locations", "defaultlocation": "system/locations",
    "department": "system/departments", "defaultdepartment": "system/departments", "worktype": "time/workTypes",
    "workrole": "time/workRoles", "agreement": "finance/agreements", "project": "project/projects",
    "member": "system/members", "owner": "system/members", "assignto": "system/members", "manager": "system/members",
    "assignedby": "system/members", "primarysalesrep": "system/members", "installedby": "system/members",
    "reportsto": "system/members", "timeapprover": "system/members", "expenseapprover": "system/members",
}  # fmt: skip
_COMPANY_FIELDS = {"company", "billtocompany", "shiptocompany", "customercompany", "vendor"}
# Kept out of the generic filling: secrets of members, and what the record is known by.
_SKIPPED = {"id", "_info", "password", "token", "customfields", "photo", "ssosettings", "office365"}


class Generic:
    """Builds the records of one schema; a table with a pool has exactly the pool's ids and names."""

    def __init__(self, world: World, shared: Shared, schema: Schema, path: str, things: dict[int, Named]) -> None:
        self._world, self._shared, self._schema, self._path, self._things = world, shared, schema, path, things
        self._pools: dict[str, list[Named]] = {}

    def build(self, draw: Callable[[], float], record_id: int, entered: int, updated: int) -> Record:
        """Return one record, entered and last updated at these seconds."""
        record: Record = {"id": record_id}
        company = int(draw() * len(self._world.companies)) if self._world.companies else None
        for key, field in self._schema.fields.items():
            if key not in _SKIPPED and (field.is_required or draw() < 0.7):
                record[field.name] = self._value(draw, field, record_id, entered, company)
        thing = self._things.get(record_id)
        if thing is not None:
            self._name(record, thing)
        if "customfields" in self._schema.fields and draw() < 0.5:
            record["customFields"] = pick(draw, self._shared.custom_fields)
        member = self._shared.member(draw).identifier
        record["_info"] = info(record_id, self._path, updated, member, ())
        return clean(record)

    def _name(self, record: Record, thing: Named) -> None:
        fields = self._schema.fields
        first, _, last = thing.name.partition(" ")
        for key, value in (("name", thing.name), ("description", thing.name), ("identifier", thing.identifier)):
            if key in fields and value:
                record[fields[key].name] = value
        if "firstname" in fields:
            record |= {"firstName": first, "lastName": last}

    def _value(self, draw: Callable[[], float], field: Field, record_id: int, entered: int, company: int | None) -> Any:  # noqa: ANN401, C901, PLR0911 - one case for each kind
        match field.kind:
            case Kind.INTEGER:
                return int(draw() * 50)
            case Kind.NUMBER:
                return int(draw() * 4000) / 4
            case Kind.FLAG:
                return draw() < 0.2
            case Kind.MOMENT:
                return date_text(entered if draw() < 0.5 else entered // DAY * DAY)
            case Kind.CHOICE:
                return pick(draw, field.choices)
            case Kind.GUID:
                return guid(record_id, 70)
            case Kind.REFERENCE:
                return self._reference(draw, field, company)
            case Kind.LIST:
                return []
            case Kind.MAP:
                return None
            case Kind.TEXT:
                return self._text(draw, field, record_id)

    def _reference(self, draw: Callable[[], float], field: Field, company: int | None) -> Any:  # noqa: ANN401 - encoded JSON
        key = field.name.lower()
        if key in _COMPANY_FIELDS:
            return self._world.companies[company].reference if company is not None else None
        if key.endswith("contact"):
            people = self._world.contacts_of[company] if company is not None else []
            return pick(draw, people).reference if people else None
        path = _REFERENCED.get(key)
        things = self._world.pools[path] if path else self._own(field)
        return pick(draw, things).reference if things else None

    def _own(self, field: Field) -> list[Named]:
        """Return the things that a reference without a table here may name."""
        if field.name not in self._pools:
            names = [f"{field.name[0].upper()}{field.name[1:]} {at}" for at in range(1, 6)]
            self._pools[field.name] = pool(names, field.name, f"{self._path}/{field.name}")
        return self._pools[field.name]

    def _text(self, draw: Callable[[], float], field: Field, record_id: int) -> str:
        key = field.name.lower()
        if key in {"name", "summary", "subject", "description", "title"}:
            return f"{words.SUMMARIES[mix(record_id, 8) % len(words.SUMMARIES)]} {record_id}"
        if key in {"identifier", "invoicenumber", "ponumber"}:
            return f"{self._schema.model[:3].upper()}{record_id}"
        if "email" in key:
            return f"{key[:12]}{record_id}@msp.example"
        if "date" in key:
            return date_text(self._world.since)
        if "notes" in key or "text" in key or "memo" in key:
            return pick(draw, words.SENTENCES)
        return "" if draw() < 0.3 else f"{field.name} {record_id % 17}"
