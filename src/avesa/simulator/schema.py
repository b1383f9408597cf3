"""Which tables the simulated API has and which fields each knows, read from one compact description.

A field that is not listed cannot be filtered on: the real API answers such a condition with 400, and so must this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class Kind(StrEnum):
    """How a field is written in tables.txt."""

    INTEGER = "i"
    NUMBER = "f"
    FLAG = "b"
    TEXT = "s"
    MOMENT = "d"
    REFERENCE = "r"  # an object with id and name
    LIST = "l"
    CHOICE = "e"  # text out of a fixed set
    GUID = "g"
    MAP = "m"


# What may follow a reference's name in a condition.
REFERENCE_FIELDS = {
    "id": Kind.INTEGER,
    "name": Kind.TEXT,
    "identifier": Kind.TEXT,
    "summary": Kind.TEXT,
    "sort": Kind.INTEGER,
    "level": Kind.TEXT,
    "symbol": Kind.TEXT,
    "currencycode": Kind.TEXT,
    "type": Kind.TEXT,
}
_INFO_FIELDS = {
    "lastupdated": ("lastUpdated", Kind.MOMENT),
    "updatedby": ("updatedBy", Kind.TEXT),
    "dateentered": ("dateEntered", Kind.MOMENT),
    "enteredby": ("enteredBy", Kind.TEXT),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a table: its name on the wire, its kind, its allowed values, whether every record has it."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A name of a condition, resolved: where the value lies in a record, and what kind it is of."""

    path: tuple[str, ...]
    kind: Kind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """One table: its path under the API base, its model's name and its fields by lower-cased name."""

    path: str
    model: str
    fields: dict[str, Field]

    def resolve(self, path: tuple[str, ...]) -> Known | None:
        """Return what the name means in a condition, or None when the API does not recognize it.

        `lastUpdated` and its like lie under `_info`, and are found with or without that prefix.
        """
        lowered = [part.lower() for part in path]
        if lowered[0] == "_info" and len(lowered) > 1:
            lowered = lowered[1:]
        match lowered:
            case [name] if name in self.fields:
                known = self.fields[name]
                return Known((known.name,), known.kind, known.choices)
            case [name] if name in _INFO_FIELDS:
                inner, kind = _INFO_FIELDS[name]
                return Known(("_info", inner), kind)
            case [name, inner] if self._has_reference(name) and inner in REFERENCE_FIELDS:
                spelled = "currencyCode" if inner == "currencycode" else inner
                return Known((self.fields[name].name, spelled), REFERENCE_FIELDS[inner])
            case _:
                return None

    def _has_reference(self, name: str) -> bool:
        return name in self.fields and self.fields[name].kind is Kind.REFERENCE


def _field(text: str) -> Field:
    name, _, code = text.partition(":")
    is_required = code.endswith("!")
    code = code.rstrip("!")
    choices = tuple(code[2:-1].split("|")) if code[0] == Kind.CHOICE else ()
    return Field(name, Kind(code[0]), choices, is_required)


@cache
def schemas() -> dict[str, Schema]:
    """Return every table by its path; a child's path holds `{parent}` where the parent's id goes."""
    lines = files("avesa.simulator").joinpath("tables.txt").read_text("utf-8").splitlines()
    known = {}
    for head, body in zip(lines[::2], lines[1::2], strict=True):
        path, model = head.split()
        fields = [_field(text) for text in body.split()]
        known[path] = Schema(path, model, {field.name.lower(): field for field in fields})
    return known
