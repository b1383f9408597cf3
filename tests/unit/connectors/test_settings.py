"""A connector's files: what they may say, and how their mistakes are told."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from avesa.bootstrap.packaged import packaged_mappings
from avesa.connectors.settings import BackfillConfig, EndpointCatalog, parse_config
from avesa.domain.errors import ConfigError

FILE = "mappings/integrations/connectwise_endpoints.json"
ENDPOINTS = json.loads(packaged_mappings()["integrations/connectwise_endpoints.json"])
BACKFILL = json.loads(packaged_mappings()["backfill_config.json"])


def changed(document: dict[str, Any], path: str, value: object) -> str:
    """Return the document as text with the value at `path` (parts divided by |) replaced."""
    made = copy.deepcopy(document)
    target: Any = made
    *outer, last = path.split("|")
    for part in outer:
        target = target[part]
    target[last] = value
    return json.dumps(made)


def problem(path: str, value: object) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(EndpointCatalog, changed(ENDPOINTS, path, value), file=FILE)
    return str(caught.value)


def test_the_packaged_files_are_valid() -> None:
    catalog = parse_config(EndpointCatalog, json.dumps(ENDPOINTS), file=FILE)

    assert catalog.enabled() == ("service/tickets", "time/entries", "company/companies", "company/contacts")
    assert catalog.endpoints["company/contacts"].drop_fields == ("portalPassword", "securityIdentifier")


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("limits|page_size", 5000, "limits.page_size is 5000: input should be less than or equal to 1000"),
        ("limits|page_size", 0, "limits.page_size is 0: input should be greater than or equal to 1"),
        ("limits|page_size", "1000", "limits.page_size is '1000': input should be a valid integer"),
        ("limits|max_concurrency", 65, "limits.max_concurrency is 65: input should be less than or equal to 64"),
        ("limits|timeout_seconds", 0, "limits.timeout_seconds is 0: input should be greater than 0"),
        ("limits|delete_guard_percent", 100, "limits.delete_guard_percent is 100: input should be less than 100"),
        ("limits|overlap_minutes", -1, "limits.overlap_minutes is -1: input should be greater than or equal to 0"),
        ("limits|chunk_records", 10, "limits.chunk_records is 10: input should be greater than or equal to 1000"),
        ("limits|max_attempts", 51, "limits.max_attempts is 51: input should be less than or equal to 50"),
        ("limits|pagesize", 5, "limits.pagesize is 5: extra inputs are not permitted"),
        ("api_version", "latest", "api_version is 'latest': string should match pattern"),
        ("service", "Connect Wise", "service is 'Connect Wise': string should match pattern"),
        ("endpoints|service/tickets|paging", "page-number",
         "endpoints.service/tickets.paging is 'page-number': input should be 'forward-only' or 'id-condition'"),
        ("endpoints|service/tickets|enabled", 1,
         "endpoints.service/tickets.enabled is 1: input should be a valid boolean"),
        ("endpoints|service/tickets|path", "../x",
         "endpoints.service/tickets.path is '../x': string should match pattern"),
        ("endpoints|service/tickets|canonical_table", "Tickets!",
         "endpoints.service/tickets.canonical_table is 'Tickets!': string should match pattern"),
        ("endpoints|company/contacts|drop_fields", ["a b"],
         "endpoints.company/contacts.drop_fields[0] is 'a b': string should match pattern"),
        ("endpoints|service/tickets|limits", {"page_size": 9999},
         "endpoints.service/tickets.limits.page_size is 9999: input should be less than or equal to 1000"),
    ],
)  # fmt: skip
def test_a_problem_is_told_by_file_path_value_and_what_is_allowed(path: str, value: object, told: str) -> None:
    assert f"{FILE}: {told}" in problem(path, value)


def test_an_endpoint_name_must_be_a_path() -> None:
    assert f"{FILE}: endpoints.tickets" in problem("endpoints", {"tickets": {"enabled": True, "path": "x"}})


def test_every_problem_is_told_at_once() -> None:
    made = json.loads(changed(ENDPOINTS, "limits|page_size", 5000))
    made["api_version"] = "x"
    made["surprise"] = None

    with pytest.raises(ConfigError) as caught:
        parse_config(EndpointCatalog, json.dumps(made), file=FILE)

    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", b"\xff", "null"])
def test_what_is_no_json_object_is_told_as_that(text: str | bytes) -> None:
    with pytest.raises(ConfigError, match=f"^{FILE}: the file"):
        parse_config(EndpointCatalog, text, file=FILE)


def test_an_endpoints_own_limits_win() -> None:
    text = changed(ENDPOINTS, "endpoints|service/tickets|limits", {"page_size": 250})

    catalog = parse_config(EndpointCatalog, text, file=FILE)

    assert catalog.limits_of("service/tickets").page_size == 250
    assert catalog.limits_of("time/entries").page_size == 1000


def test_a_tenants_backfill_rule_wins_over_the_services() -> None:
    made = copy.deepcopy(BACKFILL)
    made["services"] = {"connectwise": {"lookback_days": 90, "window_days": 7}}
    made["tenants"] = {"acme": {"window_days": 1, "concurrent_windows": 2}}

    config = parse_config(BackfillConfig, json.dumps(made), file="mappings/backfill_config.json")

    assert config.rule("connectwise", "acme") == (90, 1, 2)
    assert config.rule("connectwise", "umbra") == (90, 7, 4)
    assert config.rule("other", "umbra") == (365, 30, 4)


def test_a_backfill_problem_is_told_with_its_place() -> None:
    text = changed(BACKFILL, "tenants", {"acme": {"window_days": 0}})

    with pytest.raises(ConfigError, match=r"tenants\.acme\.window_days is 0: input should be greater than"):
        parse_config(BackfillConfig, text, file="mappings/backfill_config.json")
