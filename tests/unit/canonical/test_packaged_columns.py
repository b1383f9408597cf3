"""The four mappings that ship say what the contract says, column by column."""

from __future__ import annotations

import pytest

from avesa.bootstrap.packaged import packaged_mappings
from avesa.canonical.mapping import CanonicalMapping, ColumnType, parse_mapping

ENDPOINTS = {
    "tickets": "service/tickets",
    "time_entries": "time/entries",
    "companies": "company/companies",
    "contacts": "company/contacts",
}

COLUMNS = {
    "tickets": """
        ticket_number summary description status priority severity impact urgency company_id company_name contact_id
        contact_name board_id board_name type_id type_name subtype_id subtype_name item_id item_name team_id
        team_name owner_id owner_name created_by created_date required_date budget_hours actual_hours approved
        closed_date closed_by
    """,
    "time_entries": """
        company_id company_name charge_to_id charge_to_type member_id member_name location_id business_unit_id
        work_type_id work_type_name work_role_id work_role_name agreement_id agreement_name time_start time_end
        hours_deduct actual_hours billable_option notes internal_notes date_entered entered_by
    """,
    "companies": """
        company_name company_identifier company_type status address_line1 address_line2 city state zip country
        phone_number fax_number website territory_id territory_name market_id market_name account_number
        default_contact_id default_contact_name date_acquired annual_revenue number_of_employees ownership_type
        time_zone lead_source lead_flag unsubscribe_flag calendar_id vendor_identifier tax_identifier tax_code
        billing_contact_id billing_contact_name invoice_template_id price_schedule_id company_entity_type
        bill_to_company_id bill_to_company_name billing_terms invoice_delivery_method currency_id currency_symbol
        deleted_flag
    """,
    "contacts": """
        company_id company_name first_name last_name title school nickname married_flag children_flag
        significant_other disable_portal_login_flag unsubscribe_flag gender birth_day anniversary presence
        facebook_url twitter_url linked_in_url default_merge_contact_id manager_contact_id manager_contact_name
        assistant_contact_id assistant_contact_name address_line1 address_line2 city state zip country relationship
        type department inactive_flag default_phone_type default_phone_number default_phone_extension
        default_email_type default_email_address
    """,
}

NOT_STRING = {
    "tickets": {
        ColumnType.TIMESTAMP: "created_date required_date closed_date",
        ColumnType.FLOAT64: "budget_hours actual_hours",
        ColumnType.BOOL: "approved",
    },
    "time_entries": {
        ColumnType.TIMESTAMP: "time_start time_end date_entered",
        ColumnType.FLOAT64: "hours_deduct actual_hours",
    },
    "companies": {
        ColumnType.TIMESTAMP: "date_acquired",
        ColumnType.FLOAT64: "annual_revenue",
        ColumnType.INT64: "number_of_employees",
        ColumnType.BOOL: "lead_flag unsubscribe_flag deleted_flag",
    },
    "contacts": {
        ColumnType.BOOL: "married_flag children_flag disable_portal_login_flag unsubscribe_flag inactive_flag",
        ColumnType.TIMESTAMP: "birth_day anniversary",
    },
}

# Columns that are not simply one field, and some that are easily taken from the wrong one.
SOURCES = {
    ("tickets", "ticket_number"): ("id",),
    ("tickets", "description"): ("initialDescription",),
    ("tickets", "urgency"): (),
    ("tickets", "subtype_id"): ("subType/id",),
    ("tickets", "created_by"): ("_info/enteredBy", "enteredBy"),
    ("tickets", "created_date"): ("_info/dateEntered", "dateEntered"),
    ("time_entries", "date_entered"): ("dateEntered",),
    ("companies", "company_name"): ("name",),
    ("companies", "price_schedule_id"): ("pricingSchedule/id",),
    ("companies", "time_zone"): ("timeZoneSetup/name",),
    ("contacts", "nickname"): ("nickName",),
    ("contacts", "default_phone_number"): ("defaultPhoneNbr",),
}


def mapping(table: str) -> CanonicalMapping:
    name = f"canonical/{table}.json"
    return parse_mapping(packaged_mappings()[name], file=name)


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_has_the_contracts_columns_in_the_contracts_order(table: str) -> None:
    found = mapping(table)

    assert (found.table, found.service, found.endpoint) == (table, "connectwise", ENDPOINTS[table])
    assert [column.name for column in found.columns] == [
        "id",
        *COLUMNS[table].split(),
        "last_updated",
        "last_updated_by",
    ]


@pytest.mark.parametrize("table", COLUMNS)
def test_a_column_is_text_unless_the_contract_says_otherwise(table: str) -> None:
    types = {column.name: column.type for column in mapping(table).columns}

    other = {name: kind for name, kind in types.items() if kind is not ColumnType.STRING}
    assert other == {name: kind for kind, names in NOT_STRING[table].items() for name in names.split()} | {
        "last_updated": ColumnType.TIMESTAMP
    }


@pytest.mark.parametrize(("table", "name"), SOURCES)
def test_a_column_comes_from_its_field(table: str, name: str) -> None:
    (column,) = [column for column in mapping(table).columns if column.name == name]

    assert column.source == SOURCES[table, name]


@pytest.mark.parametrize(("table", "name"), [("companies", "company_type"), ("contacts", "type")])
def test_type_names_are_joined(table: str, name: str) -> None:
    (column,) = [column for column in mapping(table).columns if column.name == name]

    assert (column.each, column.value, column.join, column.where) == ("types", "name", ", ", {})


@pytest.mark.parametrize(("name", "value"), [("default_email_type", "type/name"), ("default_email_address", "value")])
def test_the_default_email_is_that_of_the_default_email_item(name: str, value: str) -> None:
    (column,) = [column for column in mapping("contacts").columns if column.name == name]

    assert (column.each, column.value, column.join) == ("communicationItems", value, None)
    assert column.where == {"communicationType": "Email", "defaultFlag": True}


def test_every_table_that_ships_is_checked_here() -> None:
    shipped = {name for name in packaged_mappings() if name.startswith("canonical/")}

    assert shipped == {f"canonical/{table}.json" for table in COLUMNS}
