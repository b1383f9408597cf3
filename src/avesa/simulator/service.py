"""Service tickets and time entries as the simulated API shows them."""
# ruff: noqa: PLR2004 - how many records have what is data

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avesa.simulator import vocabulary as words
from avesa.simulator.pieces import Record, Shared, clean, custom_fields, gone_member, guid, info, notes, pick
from avesa.simulator.wire import date_text
from avesa.simulator.world import DAY, HREF, Person, mix, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.simulator.world import BoardWorld, World

_TICKET_LINKS = ("documents", "tasks", "notes")
_BILLABLE = ("Billable", "DoNotBill", "NoCharge", "NoDefault")
_LEVELS = ("Low", "Medium", "High")
_TIME_STATUSES = (
    "Open",
    "PendingApproval",
    "ApprovedByTierOne",
    "ReadyToBill",
    "Billed",
    "WrittenOff",
    "BilledAgreement",
)


class Tickets:
    """Builds tickets of about 4.8 KB and 86 fields, some of them absent."""

    def __init__(self, world: World, shared: Shared, *, path: str = "service/tickets") -> None:
        self._world, self._shared, self._path = world, shared, path
        self._notes = notes(world.random("ticket notes"), 0, 240)
        self._sites = [named(at + 1, "Main", "site", "company/sites") for at in range(8)]
        self._onsite = [
            named(at + 1, name, "location", "service/locations") for at, name in enumerate(("On-Site", "Remote"))
        ]

    def build(self, draw: Callable[[], float], record_id: int, entered: int, updated: int) -> Record:
        """Return one ticket, entered and last updated at these seconds."""
        key = mix(record_id, 6)
        board = self._world.boards[key % len(self._world.boards)]
        sort = key // 64 % len(words.STATUSES)
        is_closed = words.STATUSES[sort][1]
        member = self._shared.member(draw)
        record: Record = {"id": record_id, "summary": self._world.summary_of(record_id), "recordType": "ServiceTicket"}
        record |= self._placed(draw, board, sort)
        record |= self._customer(draw, record_id)
        record |= self._handling(draw, record_id, member.identifier)
        record |= self._money(draw)
        record |= self._times(draw, entered, updated, closed_by=member.identifier if is_closed else None)
        record["_info"] = info(record_id, self._path, updated, member.identifier, _TICKET_LINKS) | {
            "dateEntered": date_text(entered),
            "enteredBy": pick(draw, self._shared.members).identifier,
        }
        record["customFields"] = pick(draw, self._shared.custom_fields)
        return clean(record)

    def _placed(self, draw: Callable[[], float], board: BoardWorld, sort: int) -> Record:
        shared = self._shared
        return {
            "board": board.board.reference,
            "status": board.statuses[sort].reference,
            "type": pick(draw, board.types).reference,
            "subType": pick(draw, board.subtypes).reference if draw() < 0.8 else None,
            "item": pick(draw, board.items).reference if draw() < 0.6 else None,
            "team": pick(draw, board.teams).reference,
            "priority": pick(draw, shared.priorities).reference,
            "serviceLocation": pick(draw, self._onsite).reference,
            "source": pick(draw, shared.sources).reference,
            "location": pick(draw, shared.locations).reference,
            "department": pick(draw, shared.departments).reference,
            "sla": pick(draw, shared.slas).reference,
            "slaStatus": pick(draw, ("Resolve by Tue 11/04 9:00 AM UTC-05", "Waiting", "Resolved")),
            "workRole": pick(draw, shared.work_roles).reference if draw() < 0.25 else None,
            "workType": pick(draw, shared.work_types).reference if draw() < 0.25 else None,
            "severity": pick(draw, _LEVELS),
            "impact": pick(draw, _LEVELS),
        }

    def _customer(self, draw: Callable[[], float], record_id: int) -> Record:
        world = self._world
        if not world.companies:
            return {}
        index = world.company_of(record_id)
        people = world.contacts_of[index]
        contact: Person | None = pick(draw, people) if people else None
        town, state, code, country = pick(draw, words.TOWNS)
        return {
            "company": world.companies[index].reference,
            "site": pick(draw, self._sites).reference,
            "siteName": "Main",
            "addressLine1": f"{record_id % 250} {pick(draw, words.STREETS)}",
            "addressLine2": "" if draw() < 0.7 else "2º andar",
            "city": town,
            "stateIdentifier": state,
            "zip": code,
            "country": self._shared.countries[country].reference if draw() < 0.4 else None,
            "agreement": world.agreements[index].reference if draw() < 0.7 else None,
            "contact": contact.reference if contact else None,
            "contactName": contact.name if contact else None,
            "contactPhoneNumber": contact.phone if contact else None,
            "contactPhoneExtension": "" if draw() < 0.9 else "204",
            "contactEmailAddress": contact.email if contact else None,
        }

    def _handling(self, draw: Callable[[], float], record_id: int, resource: str) -> Record:
        is_member_gone = draw() < 0.004
        owner = gone_member(record_id) if is_member_gone else pick(draw, self._shared.members).reference
        return {
            "owner": owner if draw() < 0.8 else None,
            "resources": resource,
            "initialDescription": pick(draw, self._notes),
            "initialInternalAnalysis": pick(draw, words.SENTENCES) if draw() < 0.3 else None,
            "initialResolution": pick(draw, words.SENTENCES) if draw() < 0.3 else None,
            "automaticEmailContactFlag": draw() < 0.5,
            "automaticEmailResourceFlag": False,
            "automaticEmailCcFlag": False,
            "automaticEmailCc": "; ".join(["boss@customer.example"] * (1 + int(draw() * 3))) if draw() < 0.2 else "",
            "allowAllClientsPortalView": False,
            "customerUpdatedFlag": draw() < 0.1,
            "knowledgeBaseCategoryId": 0,
            "knowledgeBaseSubCategoryId": 0,
            "parentTicketId": record_id - 3 if draw() < 0.02 else None,
            "hasChildTicket": False,
            "hasMergedChildTicketFlag": False,
            "requestForChangeFlag": False,
            "lagDays": 0,
            "poNumber": f"PO {record_id % 9000}" if draw() < 0.1 else None,
            "externalXRef": f"MON-{record_id}" if draw() < 0.3 else None,
            "integratorTags": [],
            "mobileGuid": guid(record_id, 10),
        }

    def _money(self, draw: Callable[[], float]) -> Record:
        return {
            "budgetHours": int(draw() * 32) / 4 if draw() < 0.6 else None,
            "actualHours": int(draw() * 64) / 4,
            "approved": draw() < 0.9,
            "estimatedExpenseCost": 0.0,
            "estimatedExpenseRevenue": 0.0,
            "estimatedTimeCost": 0.0,
            "estimatedTimeRevenue": 0.0,
            "billingMethod": "ActualRates",
            "billingAmount": int(draw() * 4000) / 4 if draw() < 0.2 else 0.0,
            "hourlyRate": 140.0,
            "subBillingMethod": "ActualRates",
            "subBillingAmount": 0.0,
            "billTime": pick(draw, _BILLABLE),
            "billExpenses": "Billable",
            "billProducts": "Billable",
            "currency": pick(draw, self._shared.currencies),
        }

    def _times(self, draw: Callable[[], float], entered: int, updated: int, *, closed_by: str | None) -> Record:
        minutes = int(draw() * 600)
        required = "0001-01-01T00:00:00Z" if draw() < 0.002 else date_text((entered // DAY + 7) * DAY)
        return {
            "closedFlag": closed_by is not None,
            "closedDate": date_text(updated - 60) if closed_by else None,
            "closedBy": closed_by,
            "requiredDate": required if draw() < 0.7 else None,
            "estimatedStartDate": "1899-12-30T00:00:00Z" if draw() < 0.002 else None,
            "dateResolved": date_text(updated) if closed_by else None,
            "dateResponded": date_text(entered + 60 * (minutes // 10)),
            "dateResplan": date_text(entered + 60 * (minutes // 4)),
            "resolveMinutes": minutes,
            "resPlanMinutes": minutes // 4,
            "respondMinutes": minutes // 10,
            "respondedHours": minutes // 10 / 60,
            "resplanHours": minutes // 4 / 60,
            "resolutionHours": minutes / 60,
            "respondedSkippedMinutes": 0,
            "resplanSkippedMinutes": 0,
            "minutesWaiting": minutes // 3,
            "escalationLevel": 0,
            "escalationStartDateUTC": date_text(entered),
            "isInSla": minutes < 400,
            "duration": 0,
        }


class TimeEntries:
    """Builds time entries of about 2.8 KB; their cost is a number written as text, as the API has it."""

    def __init__(self, world: World, shared: Shared) -> None:
        self._world, self._shared = world, shared
        self._notes = notes(world.random("time notes"), 60, 400)
        self._sheets = [named(at + 900, f"Sheet {at}", "timeSheet", "time/sheets") for at in range(12)]
        self._custom = custom_fields(world.random("time custom fields"))[:6]

    def build(self, draw: Callable[[], float], record_id: int, entered: int, updated: int) -> Record:
        """Return one time entry, entered and last updated at these seconds."""
        member = self._shared.member(draw)
        hours = max(0.25, int(draw() * 16) / 4)
        record: Record = {"id": record_id} | self._charged(draw)
        record |= {
            "member": member.reference,
            "timeStart": date_text(entered - int(hours * 3600)),
            "timeEnd": date_text(entered) if draw() < 0.97 else None,
            "actualHours": -hours if draw() < 0.006 else hours,  # a correction of an earlier entry
            "hoursDeduct": 0.25 if draw() < 0.05 else 0.0,
        }
        record |= self._work(draw) | self._billing(draw, hours)
        record |= {
            "dateEntered": date_text(entered),
            "enteredBy": member.identifier,
            "mobileGuid": guid(record_id, 20),
            "_info": {
                "lastUpdated": date_text(updated),
                "updatedBy": pick(draw, self._shared.members).identifier,
                "chargeToMobileGuid": guid(record_id, 30),
            },
            "customFields": pick(draw, self._custom) if draw() < 0.5 else None,
        }
        return clean(record)

    def _charged(self, draw: Callable[[], float]) -> Record:
        world = self._world
        if not world.ticket_ids or not world.companies:
            return {"chargeToId": 2, "chargeToType": "ChargeCode"}
        ticket_id = pick(draw, world.ticket_ids)
        index = world.company_of(ticket_id)
        board = world.boards[mix(ticket_id, 6) % len(world.boards)]
        found: dict[str, Any] = {
            "company": world.companies[index].reference,
            "companyType": pick(draw, words.COMPANY_TYPES),
            "agreement": world.agreements[index].reference if draw() < 0.6 else None,
            "territory": "North",
        }
        if draw() < 0.05:
            return found | {"chargeToId": 2 + int(draw() * 5), "chargeToType": "ChargeCode"}
        summary = world.summary_of(ticket_id)
        ticket = {"id": ticket_id, "summary": summary, "_info": {"ticket_href": f"{HREF}service/tickets/{ticket_id}"}}
        return found | {
            "chargeToId": ticket_id,
            "chargeToType": "ServiceTicket",
            "ticket": ticket,
            "ticketBoard": board.board.name,
            "ticketStatus": pick(draw, words.STATUSES)[0],
        }

    def _work(self, draw: Callable[[], float]) -> Record:
        shared = self._shared
        location, department = pick(draw, shared.locations), pick(draw, shared.departments)
        return {
            "locationId": location.id,
            "businessUnitId": department.id,
            "location": location.reference,
            "locationName": location.name,
            "department": department.reference,
            "businessGroupDesc": department.name,
            "workType": pick(draw, shared.work_types).reference,
            "workRole": pick(draw, shared.work_roles).reference,
            "notes": pick(draw, self._notes) if draw() < 0.9 else "",
            "internalNotes": pick(draw, words.SENTENCES) if draw() < 0.4 else None,
            "addToDetailDescriptionFlag": True,
            "addToInternalAnalysisFlag": False,
            "addToResolutionFlag": draw() < 0.3,
            "emailResourceFlag": False,
            "emailContactFlag": False,
            "emailCcFlag": False,
            "timeSheet": pick(draw, self._sheets).reference,
        }

    def _billing(self, draw: Callable[[], float], hours: float) -> Record:
        return {
            "billableOption": pick(draw, _BILLABLE),
            "status": pick(draw, _TIME_STATUSES),
            "hourlyRate": 150.0,
            "hourlyCost": pick(draw, ("45.00", "61.50", "0.00", "45")),
            "overageRate": 0.0,
            "agreementHours": hours if draw() < 0.5 else 0.0,
            "agreementAmount": 0.0,
            "agreementAdjustment": 0.0,
            "adjustment": 0.0,
            "hoursBilled": hours,
            "invoiceHours": hours,
            "extendedInvoiceAmount": hours * 150.0,
            "invoiceReady": 0,
            "invoiceFlag": draw() < 0.5,
        }
