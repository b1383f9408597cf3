"""Who and what one simulated company knows: the identities that records of different tables must agree on.

A relation is a pure function of an id: a time entry made tomorrow names the ticket's company as the ticket does.
"""
# ruff: noqa: PLR2004 - how many records have what is data

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Raw

from avesa.simulator import vocabulary as words
from avesa.simulator.wire import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HREF = "https://psa.example/v2025_1/apis/3.0/"  # as records carry it; nobody follows it
_SPREAD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_FIRST_IDS = {"service/tickets": 100_000, "time/entries": 250_000, "company/companies": 250, "company/contacts": 2_000}
DAY = 86_400


def mix(number: int, salt: int = 0) -> int:
    """Return 31 well-spread bits of a number; the same for the same number on every machine."""
    spread = (number + salt * 7919) * _SPREAD & _MASK
    return (spread ^ (spread >> 29)) * _SPREAD >> 33 & 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Named:
    """Something that records refer to: its id, its name, and the reference as JSON."""

    id: int
    name: str
    reference: Raw
    identifier: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A contact: who it is, at which company, and the reference as JSON."""

    id: int
    first: str
    last: str
    company: int
    reference: Raw
    name: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class BoardWorld:
    """One service board and the values that are its own: names repeat from board to board, ids do not."""

    board: Named
    statuses: Sequence[Named]
    types: Sequence[Named]
    subtypes: Sequence[Named]
    items: Sequence[Named]
    teams: Sequence[Named]


def named(id: int, name: str, link: str, path: str, **more: object) -> Named:
    """Return a thing whose reference carries id, name, further fields and a link to itself."""
    reference = {"id": id, **more, "name": name, "_info": {f"{link}_href": f"{HREF}{path}/{id}"}}
    return Named(id, name, Raw(encode(reference)), str(more.get("identifier", "")))


def pool(names: Sequence[str], link: str, path: str, first_id: int = 1) -> list[Named]:
    """Return one thing for each name, with ids that leave gaps."""
    return [named(first_id + at + at // 3, name, link, path) for at, name in enumerate(names)]


class World:
    """The identities of one simulated company, made from its seed and the sizes of its tables when first asked for."""

    def __init__(self, *, seed: str, sizes: Mapping[str, int], since: int, until: int) -> None:
        self.seed, self.sizes, self.since, self.until = seed, sizes, since, until

    def random(self, name: str) -> random.Random:
        """Return the generator that belongs to the name: the order in which tables are made changes nothing."""
        return random.Random(f"{self.seed}/{name}")

    def ids(self, path: str) -> array[int]:
        """Return the ids of a table's first records, ascending, with gaps."""
        rng, found = self.random(f"ids/{path}").random, array("q")
        record_id = _FIRST_IDS.get(path, 0)
        for _ in range(self.sizes[path]):
            step = rng()
            record_id += 1 if step < 0.8 else int((step - 0.8) * 40) + 1
            found.append(record_id)
        return found

    @cached_property
    def companies(self) -> list[Named]:
        found = []
        for record_id in self.ids("company/companies"):
            key = mix(record_id, 1)
            stem = words.COMPANY_STEMS[key % len(words.COMPANY_STEMS)]
            name = f"{stem} {words.COMPANY_KINDS[key // 64 % len(words.COMPANY_KINDS)]}"
            if key % 5 == 0:
                name += f" {record_id}"
            found.append(self.company_named(record_id, name))
        return found

    def company_named(self, record_id: int, name: str) -> Named:
        """Return a company of that id and name; its identifier follows from both."""
        letters = "".join(letter for letter in name if letter.isascii() and letter.isalnum())
        return named(record_id, name, "company", "company/companies", identifier=f"{letters[:12]}{record_id}")

    @cached_property
    def contacts(self) -> list[Person]:
        count = max(1, len(self.companies))
        return [self.person(record_id, mix(record_id, 2) % count) for record_id in self.ids("company/contacts")]

    def person(self, record_id: int, company: int) -> Person:
        """Return the contact of that id at the company of that index."""
        key = mix(record_id, 3)
        first = words.FIRST_NAMES[key % len(words.FIRST_NAMES)]
        last = words.LAST_NAMES[key // 32 % len(words.LAST_NAMES)]
        reference = named(record_id, f"{first} {last}", "contact", "company/contacts").reference
        phone = words.PHONES[key % len(words.PHONES)].format(n=key % 1000)
        name = f"{first} {last} (Inactive)" if key % 97 == 0 else f"{first} {last}"
        return Person(record_id, first, last, company, reference, name, f"contact{record_id}@customer.example", phone)

    @cached_property
    def contacts_of(self) -> list[list[Person]]:
        """The contacts of each company, by the company's index."""
        found: list[list[Person]] = [[] for _ in self.companies]
        for person in self.contacts:
            if found:
                found[person.company].append(person)
        return found

    @cached_property
    def ticket_ids(self) -> array[int]:
        return self.ids("service/tickets")

    def company_of(self, ticket_id: int) -> int:
        """Return the index of the company that a ticket is for; some companies have many times more than others."""
        share = mix(ticket_id, 4) / 0x80000000
        return int(share * share * len(self.companies))

    def summary_of(self, ticket_id: int) -> str:
        return f"{words.SUMMARIES[mix(ticket_id, 5) % len(words.SUMMARIES)]} #{ticket_id % 997}"

    @cached_property
    def members(self) -> list[Named]:
        found = []
        for at in range(24):
            first, last = words.FIRST_NAMES[at], words.LAST_NAMES[(at * 7) % len(words.LAST_NAMES)]
            letters = "".join(letter for letter in f"{first[0]}{last}" if letter.isascii() and letter.isalpha())
            identifier = f"{letters}{at}"
            found.append(
                named(150 + at * 2, f"{first} {last}", "member", "system/members", identifier=identifier),
            )
        return found

    @cached_property
    def boards(self) -> list[BoardWorld]:
        found = []
        for at, name in enumerate(words.BOARDS):
            board = named(at + 1 + at // 2, name, "board", "service/boards")
            inner, first = f"service/boards/{board.id}", board.id * 100
            found.append(
                BoardWorld(
                    board,
                    [
                        named(first + sort, status, "status", f"{inner}/statuses", Sort=sort)
                        for sort, (status, _) in enumerate(words.STATUSES)
                    ],
                    pool(words.TYPES, "type", f"{inner}/types", first),
                    pool(words.SUBTYPES, "subType", f"{inner}/subtypes", first),
                    pool(words.ITEMS, "item", f"{inner}/items", first),
                    pool(words.TEAMS, "team", f"{inner}/teams", first),
                ),
            )
        return found

    @cached_property
    def agreements(self) -> list[Named]:
        """One agreement for each company, in the same order."""
        kinds = ("Managed Services", "Block of Hours", "Backup ☁")
        return [
            named(
                at + 11, f"{kinds[at % 3]} {company.identifier}", "agreement", "finance/agreements", type=kinds[at % 3]
            )
            for at, company in enumerate(self.companies)
        ]

    @cached_property
    def pools(self) -> dict[str, list[Named]]:
        """Things with a table of their own, by its path: a reference and the table's rows agree on id and name."""
        return {
            "system/members": self.members,
            "service/boards": [board.board for board in self.boards],
            "service/priorities": [
                named(at + 4, name, "priority", "service/priorities", sort=at, level=f"Level{at + 1}")
                for at, name in enumerate(words.PRIORITIES)
            ],
            "service/sources": pool(words.SOURCES, "source", "service/sources"),
            "service/SLAs": pool(words.SLAS, "sla", "service/SLAs"),
            "system/locations": pool(words.LOCATIONS, "location", "system/locations", 2),
            "system/departments": pool(words.DEPARTMENTS, "department", "system/departments", 10),
            "time/workTypes": pool(words.WORK_TYPES, "workType", "time/workTypes"),
            "time/workRoles": pool(words.WORK_ROLES, "workRole", "time/workRoles"),
            "company/companies/statuses": pool(words.COMPANY_STATUSES, "status", "company/companies/statuses"),
            "company/companies/types": pool(words.COMPANY_TYPES, "type", "company/companies/types"),
            "company/contacts/types": pool(words.CONTACT_TYPES, "type", "company/contacts/types"),
            "finance/agreements": self.agreements,
            "finance/agreements/types": pool(
                ("Managed Services", "Block of Hours", "Backup ☁"), "type", "finance/agreements/types"
            ),
            "company/configurations/types": pool(
                ("Workstation", "Server", "Firewall"), "type", "company/configurations/types"
            ),
            "project/projects": pool(
                [f"Move {name}" for name in words.COMPANY_STEMS], "project", "project/projects", 30
            ),
        }
