"""Companies and contacts as the simulated API shows them."""
# ruff: noqa: PLR2004 - how many records have what is data

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from avesa.simulator import vocabulary as words
from avesa.simulator.pieces import Record, Shared, clean, guid, info, note, notes, pick
from avesa.simulator.wire import date_text, encode
from avesa.simulator.world import DAY, HREF, Person, mix, pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.simulator.world import World

_COMPANY_LINKS = ("contacts", "agreements", "tickets", "sites", "notes")


class Companies:
    """Builds companies of about 3.8 KB; a soft-deleted one stays in the list."""

    def __init__(self, world: World, shared: Shared) -> None:
        self._world, self._shared = world, shared
        self._by_id = {company.id: at for at, company in enumerate(world.companies)}
        self._statuses = world.pools["company/companies/statuses"]
        self._types = world.pools["company/companies/types"]
        self._markets = pool(words.MARKETS, "market", "company/marketDescriptions")
        self._terms = pool(words.TERMS, "billingTerms", "finance/billingTerms")
        self._owners = pool(words.OWNERSHIPS, "ownershipType", "company/ownershipTypes")
        self._zones = pool(words.TIME_ZONES, "timeZoneSetup", "system/timeZoneSetups")
        self._tax = pool(("Tax-Exempt", "VAT 24%"), "taxCode", "finance/taxCodes")
        self._sites = pool(("Main", "Billing"), "site", "company/sites")
        rng = world.random("company texts")
        self._texts = [note(rng, 60) for _ in range(16)]

    def build(self, draw: Callable[[], float], record_id: int, entered: int, updated: int) -> Record:
        """Return one company, entered and last updated at these seconds."""
        index = self._by_id.get(record_id)
        if index is None:
            company = self._world.company_named(record_id, f"Newcomer {record_id}")
            people: list[Person] = []
        else:
            company, people = self._world.companies[index], self._world.contacts_of[index]
        member = self._shared.member(draw).identifier
        record = {"id": record_id, "identifier": company.identifier, "name": company.name}
        record |= self._place(draw, record_id) | self._business(draw, record_id)
        record |= self._billing(draw, record_id, people) | self._flags(draw, entered, updated, member)
        record["_info"] = info(record_id, "company/companies", updated, member, _COMPANY_LINKS) | {
            "dateEntered": date_text(entered),
            "enteredBy": member,
            "mobileGuid": guid(record_id, 50),
        }
        record["customFields"] = pick(draw, self._shared.custom_fields) if draw() < 0.6 else None
        return clean(record)

    def _place(self, draw: Callable[[], float], record_id: int) -> Record:
        town, state, code, country = pick(draw, words.TOWNS)
        return {
            "status": pick(draw, self._statuses).reference,
            "addressLine1": f"{record_id % 250} {pick(draw, words.STREETS)}",
            "addressLine2": "" if draw() < 0.8 else "Suite 4\\B",
            "city": town,
            "state": state,
            "zip": code,
            "country": self._shared.countries[country].reference,
            "phoneNumber": pick(draw, words.PHONES).format(n=record_id % 1000),
            "faxNumber": "" if draw() < 0.7 else None,
            "website": f"https://www.customer{record_id}.example/" if draw() < 0.7 else "",
            "timeZoneSetup": pick(draw, self._zones).reference,
            "site": pick(draw, self._sites).reference,
        }

    def _business(self, draw: Callable[[], float], record_id: int) -> Record:
        types = [kind.reference for kind in self._types if draw() < 0.3]
        return {
            "types": types,
            "territory": pick(draw, self._shared.locations).reference,
            "territoryManager": self._shared.member(draw).reference,
            "market": pick(draw, self._markets).reference if draw() < 0.7 else None,
            "accountNumber": f"{record_id:06d}" if draw() < 0.6 else "",
            "dateAcquired": date_text((self._world.since - int(draw() * 9e7)) // DAY * DAY),
            "annualRevenue": int(draw() * 4e8) / 100 if draw() < 0.5 else 0.0,
            "numberOfEmployees": int(draw() * 400) if draw() < 0.6 else None,
            "yearEstablished": 1950 + int(draw() * 70) if draw() < 0.4 else None,
            "revenueYear": 0,
            "ownershipType": pick(draw, self._owners).reference if draw() < 0.5 else None,
            "leadSource": "Web" if draw() < 0.2 else "",
            "sicCode": {"id": 7, "name": "7371 Services", "_info": {"sicCode_href": f"{HREF}company/sicCodes/7"}}
            if draw() < 0.3
            else None,
            "calendar": {"id": 3, "name": "Standard", "_info": {"calendar_href": f"{HREF}schedule/calendars/3"}}
            if draw() < 0.6
            else None,
            "companyEntityType": {"id": 1, "name": "Private entity"} if draw() < 0.5 else None,
            "integratorTags": [],
        }

    def _billing(self, draw: Callable[[], float], record_id: int, people: list[Person]) -> Record:
        world = self._world
        payer = pick(draw, world.companies).reference if world.companies and draw() < 0.1 else None
        bill_to = payer or (world.companies[self._by_id[record_id]].reference if record_id in self._by_id else None)
        return {
            "defaultContact": people[0].reference if people else None,
            "billingContact": people[-1].reference if people and draw() < 0.5 else None,
            "billingSite": pick(draw, self._sites).reference,
            "billToCompany": bill_to,
            "billingTerms": pick(draw, self._terms).reference,
            "invoiceDeliveryMethod": {"id": 2, "name": "Email"},
            "invoiceToEmailAddress": f"ap@customer{record_id}.example",
            "invoiceCCEmailAddress": "",
            "invoiceTemplate": {
                "id": 1,
                "name": "Standard",
                "_info": {"invoice-template_href": f"{HREF}finance/templates/1"},
            },
            "pricingSchedule": {"id": 1, "name": "Standard"} if draw() < 0.5 else None,
            "taxCode": pick(draw, self._tax).reference,
            "taxIdentifier": f"DE{record_id:09d}" if draw() < 0.2 else "",
            "vendorIdentifier": "",
            "resellerIdentifier": "",
            "currency": pick(draw, self._shared.currencies),
        }

    def _flags(self, draw: Callable[[], float], entered: int, updated: int, member: str) -> Record:
        is_deleted = draw() < 0.02
        return {
            "leadFlag": draw() < 0.1,
            "unsubscribeFlag": draw() < 0.05,
            "isVendorFlag": draw() < 0.05,
            "deletedFlag": is_deleted,
            "dateDeleted": date_text(max(entered, updated - 60)) if is_deleted else None,
            "deletedBy": member if is_deleted else None,
            "facebookUrl": "",
            "twitterUrl": "",
            "linkedInUrl": "",
            "userDefinedField1": pick(draw, self._texts) if draw() < 0.2 else "",
            "userDefinedField2": pick(draw, words.SENTENCES) if draw() < 0.5 else "",
            "userDefinedField3": "" if draw() < 0.5 else "\u200e1.5",
            "mobileGuid": guid(updated, 51),
        }


class Contacts:
    """Builds contacts of about 1.9 KB; some carry what must never reach a disk: a portal password and a security id."""

    def __init__(self, world: World, shared: Shared) -> None:
        self._world, self._shared = world, shared
        self._by_id = {person.id: person for person in world.contacts}
        self._types = world.pools["company/contacts/types"]
        self._relations = pool(words.RELATIONSHIPS, "relationship", "company/relationships")
        self._departments = pool(("Accounts", "IT", "Verkauf"), "department", "company/contacts/departments")
        self._notes = notes(world.random("contact notes"), 30, 90)

    def build(self, draw: Callable[[], float], record_id: int, entered: int, updated: int) -> Record:  # noqa: ARG002 - as every builder
        """Return one contact, last updated at these seconds."""
        world = self._world
        person = self._by_id.get(record_id)
        if person is None:
            person = world.person(record_id, mix(record_id, 2) % max(1, len(world.companies)))
        company = world.companies[person.company].reference if world.companies else None
        town, state, code, country = pick(draw, words.TOWNS)
        member = self._shared.member(draw).identifier
        record: Record = {
            "id": record_id,
            "firstName": person.first,
            "lastName": person.last,
            "company": company if draw() < 0.99 else None,
            "addressLine1": f"{record_id % 250} {pick(draw, words.STREETS)}" if draw() < 0.4 else None,
            "addressLine2": "",
            "city": town,
            "state": state,
            "zip": code,
            "country": self._shared.countries[country].reference if draw() < 0.5 else None,
            "title": pick(draw, words.TITLES) if draw() < 0.7 else None,
        }
        record |= self._person(draw, record_id) | self._relations_of(draw, person) | self._ways(draw, person)
        record["_info"] = info(record_id, "company/contacts", updated, member, ("communications",)) | {
            "image_href": f"{HREF}company/contacts/{record_id}/image?lm={date_text(updated)}",
        }
        record["customFields"] = pick(draw, self._shared.custom_fields) if draw() < 0.25 else None
        return clean(record)

    def _person(self, draw: Callable[[], float], record_id: int) -> Record:
        has_portal = record_id % 4 == 0
        return {
            "inactiveFlag": draw() < 0.08,
            "school": "Háskóli Íslands" if draw() < 0.1 else None,
            "nickName": "Bob 😀" if draw() < 0.1 else None,
            "marriedFlag": draw() < 0.4,
            "childrenFlag": draw() < 0.3,
            "children": "" if draw() < 0.9 else "2",
            "significantOther": pick(draw, words.FIRST_NAMES) if draw() < 0.1 else "",
            "gender": pick(draw, ("Female", "Male")) if draw() < 0.3 else None,
            "birthDay": date_text(int(draw() * 1e9) // DAY * DAY) if draw() < 0.2 else None,
            "anniversary": "0001-01-01T00:00:00Z" if draw() < 0.01 else None,
            "presence": pick(draw, ("NoAgent", "Online", "Away")),
            "portalPassword": f"simulated-password-{record_id}" if has_portal else None,
            "securityIdentifier": f"simulated-sid-{record_id}" if has_portal else None,
            "portalSecurityLevel": 6 if has_portal else None,
            "disablePortalLoginFlag": not has_portal,
            "unsubscribeFlag": draw() < 0.05,
            "ignoreDuplicates": False,
            "mobileGuid": guid(record_id, 60),
            "facebookUrl": "",
            "twitterUrl": "",
            "linkedInUrl": f"https://social.example/in/{record_id}" if draw() < 0.2 else "",
        }

    def _relations_of(self, draw: Callable[[], float], person: Person) -> Record:
        people = self._world.contacts_of[person.company] if self._world.companies and self._world.contacts else []
        return {
            "types": [kind.reference for kind in self._types if draw() < 0.25],
            "relationship": pick(draw, self._relations).reference if draw() < 0.3 else None,
            "department": pick(draw, self._departments).reference if draw() < 0.3 else None,
            "managerContact": pick(draw, people).reference if people and draw() < 0.3 else None,
            "assistantContact": pick(draw, people).reference if people and draw() < 0.1 else None,
            "defaultMergeContactId": pick(draw, people).id if people and draw() < 0.05 else None,
            "defaultFlag": bool(people) and people[0].id == person.id,
            "defaultBillingFlag": False,
            "companyLocation": pick(draw, self._shared.locations).reference if draw() < 0.3 else None,
            "userDefinedField1": pick(draw, self._notes) if draw() < 0.15 else None,
        }

    def _ways(self, draw: Callable[[], float], person: Person) -> Record:
        has_email = draw() < 0.92
        items: list[Raw] = []
        if draw() < 0.8:
            items.append(_communication(person.id * 3, 2, "Direct", person.phone, "Phone", is_default=True))
        if has_email:
            items.append(_communication(person.id * 3 + 1, 1, "Email", person.email, "Email", is_default=True))
        if draw() < 0.2:
            second = f"home{person.id}@mail.example"
            items.append(_communication(person.id * 3 + 2, 5, "Home Email", second, "Email", is_default=False))
        return {
            "communicationItems": items or None,
            "defaultPhoneType": "Direct",
            "defaultPhoneNbr": person.phone,
            "defaultPhoneExtension": "" if draw() < 0.9 else "17",
        }


def _communication(item_id: int, type_id: int, type_name: str, value: str, kind: str, *, is_default: bool) -> Raw:
    item: Record = {
        "id": item_id,
        "type": {
            "id": type_id,
            "name": type_name,
            "_info": {"type_href": f"{HREF}company/communicationTypes/{type_id}"},
        },
        "value": value,
        "defaultFlag": is_default,
        "communicationType": kind,
    }
    if kind == "Email":
        item["domain"] = f"@{value.partition('@')[2]}"
    return Raw(encode(item))
