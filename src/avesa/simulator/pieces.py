"""Parts that records of several tables share: notes, custom fields, places, the `_info` map."""
# ruff: noqa: PLR2004 - how many records have what is data

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Raw

from avesa.simulator import vocabulary as words
from avesa.simulator.wire import date_text, encode
from avesa.simulator.world import HREF, Named, mix, pool

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from avesa.simulator.world import World

Record = dict[str, Any]
T = TypeVar("T")
NOTES = 64


def pick(draw: Callable[[], float], choices: Sequence[T]) -> T:
    """Return one of the choices; a quarter of what random.choice costs, and this is most of the work."""
    return choices[int(draw() * len(choices))]


def guid(number: int, salt: int) -> str:
    """Return a GUID that belongs to the number."""
    a, b, c = mix(number, salt), mix(number, salt + 1), mix(number, salt + 2)
    return f"{a:08x}-{b & 0xFFFF:04x}-4{b >> 16 & 0xFFF:03x}-a{c & 0xFFF:03x}-{a ^ c:08x}{b & 0xFFFF:04x}"


def note(rng: random.Random, size: int) -> str:
    """Return an HTML note of at least `size` characters, now and then with a wrapped link or mail headers."""
    parts = [rng.choice(words.HTML_OPENINGS)]
    length = 0
    while length < size:
        sentence = rng.choice(words.SENTENCES)
        parts.append(sentence + rng.choice((" ", "<br>", "</p>\r\n<p>", "\n")))
        length += len(sentence)
    if rng.random() < 0.3:
        parts.append(words.LINK.format(n=rng.randrange(1 << 40)))
    return "".join(parts) + "</p>"


def notes(rng: random.Random, low: int, high: int) -> list[Raw]:
    """Return encoded notes to draw from; making one for each record would be most of its cost."""
    return [Raw(encode(note(rng, rng.randrange(low, high)))) for _ in range(NOTES)]


def custom_fields(rng: random.Random) -> list[Raw]:
    """Return encoded lists of custom fields with values of every type, some without a value; one list is empty."""
    found = [Raw(b"[]")]
    for _ in range(31):
        values: list[object] = [
            f"AT-{rng.randrange(9999)}\u200f",
            date_text(rng.randrange(1_600_000_000, 1_700_000_000) // 86_400 * 86_400),
            rng.random() < 0.5,
            rng.randrange(1, 43),
            float(rng.randrange(1, 400)),  # a fraction here breaks a public client: see the profile hostile
        ]
        kinds = (
            ("Text", "EntryField"),
            ("Date", "Date"),
            ("Checkbox", "Option"),
            ("Number", "EntryField"),
            ("Number", "EntryField"),
        )
        elements = []
        for at, (caption, (kind, entry), value) in enumerate(zip(words.CUSTOM_CAPTIONS, kinds, values, strict=True)):
            element: Record = {"id": at + 1, "caption": caption, "type": kind, "entryMethod": entry}
            element["numberOfDecimals"] = 2 if at == len(kinds) - 1 else 0
            if rng.random() < 0.7:
                element["value"] = value
            if rng.random() < 0.2:
                element["connectWiseId"] = guid(at, 40)
            if rng.random() < 0.5:
                elements.append(element)
        found.append(Raw(encode(elements)))
    return found


def info(record_id: int, path: str, updated: int, member: str, links: Sequence[str]) -> dict[str, str]:
    """Return the `_info` map with links to the record's collections."""
    base = f"{HREF}{path}/{record_id}/"
    found = {"lastUpdated": date_text(updated), "updatedBy": member}
    for link in links:
        found[f"{link}_href"] = f"{base}{link}"
    return found


class Shared:
    """What several builders of one company draw from, made once."""

    def __init__(self, world: World) -> None:
        pools = world.pools
        self.members = world.members
        self.priorities = pools["service/priorities"]
        self.sources = pools["service/sources"]
        self.slas = pools["service/SLAs"]
        self.locations = pools["system/locations"]
        self.departments = pools["system/departments"]
        self.work_types = pools["time/workTypes"]
        self.work_roles = pools["time/workRoles"]
        self.countries = pool(words.COUNTRIES, "country", "company/countries")
        self.custom_fields = custom_fields(world.random("custom fields"))
        self.currencies = [
            Raw(
                encode(
                    {
                        "id": at + 7,
                        "symbol": symbol,
                        "currencyCode": code,
                        "numberOfDecimals": 0 if code == "ISK" else 2,
                        "currencyIdentifier": f"{code}-{at}",
                        "name": name,
                        "_info": {"currency_href": f"{HREF}finance/currencies/{at + 7}"},
                    },
                ),
            )
            for at, (symbol, code, name) in enumerate(words.CURRENCIES)
        ]

    def member(self, draw: Callable[[], float]) -> Named:
        return pick(draw, self.members)


def clean(record: Record) -> Record:
    """Return the record without the keys whose value is null: the API leaves them out."""
    return {key: value for key, value in record.items() if value is not None}


def gone_member(number: int) -> Raw:
    """Return a reference to a member who was deleted: the id leads nowhere and there is no link."""
    return Raw(encode({"id": 9_000 + number % 7, "identifier": f"former{number % 7}", "name": "Former Colleague"}))
