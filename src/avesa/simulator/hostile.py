"""The nasty kinds of record that have been seen or feared in the wild, each planted into otherwise normal ones.

They come with the profile `hostile`; the normal profile has only what every site has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Record = dict[str, Any]

_TEXTS = {"Ticket": "initialDescription", "TimeEntry": "notes", "Company": "name", "Contact": "lastName"}
_NUMBERS = {
    "Ticket": "budgetHours",
    "TimeEntry": "actualHours",
    "Company": "numberOfEmployees",
    "Contact": "portalSecurityLevel",
}
_FLAGS = {"Ticket": "approved", "TimeEntry": "invoiceFlag", "Company": "deletedFlag", "Contact": "inactiveFlag"}
_REFERENCES = {"Ticket": "board", "TimeEntry": "member", "Company": "status", "Contact": "company"}
_DATES = {"Ticket": "requiredDate", "TimeEntry": "timeStart", "Company": "dateAcquired", "Contact": "birthDay"}
HUGE_NOTE_BYTES = 200_000


def _nul(record: Record, model: str) -> None:
    record[_TEXTS.get(model, "name")] = "before\x00after"


def _surrogate(record: Record, model: str) -> None:
    record[_TEXTS.get(model, "name")] = Raw(b'"half a pair: \\ud83d."')


def _huge_number(record: Record, model: str) -> None:
    record[_NUMBERS.get(model, "count")] = Raw(b"123456789012345678901234567890")


def _number_as_words(record: Record, model: str) -> None:
    record[_NUMBERS.get(model, "count")] = "a few"


def _flag_as_text(record: Record, model: str) -> None:
    record[_FLAGS.get(model, "inactiveFlag")] = "maybe"


def _reference_as_list(record: Record, model: str) -> None:
    record[_REFERENCES.get(model, "status")] = [1, 2]


def _reference_as_text(record: Record, model: str) -> None:
    record[_REFERENCES.get(model, "status")] = "just text"


def _impossible_date(record: Record, model: str) -> None:
    record[_DATES.get(model, "date")] = "2025-02-30T25:61:00Z"


def _no_info(record: Record, _: str) -> None:
    del record["_info"]


def _empty_info(record: Record, _: str) -> None:
    record["_info"] = {}


def _bad_info_date(record: Record, _: str) -> None:
    record["_info"] = {**record["_info"], "lastUpdated": "yesterday"}


def _far_future(record: Record, _: str) -> None:
    record["_info"] = {**record["_info"], "lastUpdated": "2099-12-31T23:59:59Z"}


def _explicit_nulls(record: Record, model: str) -> None:
    record |= {"customFields": None, _REFERENCES.get(model, "status"): None, _FLAGS.get(model, "flag"): None}


def _doubled_captions(record: Record, _: str) -> None:
    field = {"id": 1, "caption": "Same", "type": "Number", "entryMethod": "EntryField", "numberOfDecimals": 0}
    record["customFields"] = [{**field, "value": 1.5}, {**field, "id": 2, "value": {"nested": [None]}}]


def _huge_note(record: Record, model: str) -> None:
    record[_TEXTS.get(model, "name")] = "<p>" + "x" * HUGE_NOTE_BYTES + "</p>"


def _unknown_fields(record: Record, _: str) -> None:
    record |= {"aFieldOfNextYear": {"deep": [{"er": 1}]}, "ID": 5}


KINDS: dict[str, Callable[[Record, str], None]] = {
    "nul": _nul,
    "surrogate": _surrogate,
    "huge_number": _huge_number,
    "number_as_words": _number_as_words,
    "flag_as_text": _flag_as_text,
    "reference_as_list": _reference_as_list,
    "reference_as_text": _reference_as_text,
    "impossible_date": _impossible_date,
    "no_info": _no_info,
    "empty_info": _empty_info,
    "bad_info_date": _bad_info_date,
    "far_future": _far_future,
    "explicit_nulls": _explicit_nulls,
    "doubled_captions": _doubled_captions,
    "huge_note": _huge_note,
    "unknown_fields": _unknown_fields,
}
_ORDER = tuple(KINDS)
_EVERY = 12


def spoil(record: Record, model: str, rng: random.Random) -> None:
    """Make one record in twelve nasty, in place; each kind is as likely as any other."""
    if rng.randrange(_EVERY) == 0:
        KINDS[rng.choice(_ORDER)](record, model)
