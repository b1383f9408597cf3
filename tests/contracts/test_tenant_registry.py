"""What every registry of tenants does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from avesa.domain.model import TenantService

if TYPE_CHECKING:
    from datetime import datetime

    from tests.contracts.conftest import State


@pytest.fixture
def acme(noon: datetime) -> TenantService:
    return TenantService(
        tenant_id="acme",
        service="connectwise",
        company_name='Acme "IT" Łódź',
        created_at=noon,
        updated_at=noon.replace(microsecond=0),
        api_base_url="https://api-na.example.com",
        untrusted_filters=("time/entries", "service/tickets"),
    )


def test_an_unknown_tenant_is_none(state: State) -> None:
    assert state.tenants.get("acme", "connectwise") is None
    assert state.tenants.list() == []


def test_a_registration_comes_back_as_it_was(state: State, acme: TenantService) -> None:
    state.tenants.put(acme)

    assert state.tenants.get("acme", "connectwise") == acme


def test_a_later_registration_replaces_the_earlier_one(state: State, acme: TenantService) -> None:
    state.tenants.put(acme)
    state.tenants.put(replace(acme, is_enabled=False))

    assert state.tenants.list() == [replace(acme, is_enabled=False)]


def test_registrations_are_listed_by_tenant_then_service(state: State, acme: TenantService) -> None:
    others = [replace(acme, tenant_id="b-it"), replace(acme, service="zendesk"), acme, replace(acme, tenant_id="a0")]
    for service in others:
        state.tenants.put(service)

    listed = [(service.tenant_id, service.service) for service in state.tenants.list()]

    assert listed == [("a0", "connectwise"), ("acme", "connectwise"), ("acme", "zendesk"), ("b-it", "connectwise")]
