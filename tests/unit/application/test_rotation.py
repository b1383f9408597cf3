"""A key is swapped when the new one works, and the old one goes when a run has proven it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from avesa.application.rotation import finish, finish_proven, rollback, rotate
from avesa.domain.errors import TenantPermanentError, UsageError
from avesa.ports.source import HttpRequest, HttpResponse
from tests.unit.application.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "acme/connectwise-local"
NEW = {"public_key": "new-public", "private_key": "new-private"}


def accepting(*public_keys: str) -> Callable[[HttpRequest], HttpResponse | None]:
    """Refuse with 401 whoever signs with another key; the others are answered as the simulator's own."""
    import base64

    def before(request: HttpRequest) -> HttpResponse | None:
        signed = dict(request.headers).get("Authorization", "")
        told = base64.b64decode(signed.removeprefix("Basic ")).decode() if signed else ""
        is_known = not told or any(f"+{key}:" in told for key in public_keys)
        return None if is_known else HttpResponse(status=401, headers={}, body=b"{}")

    return before


class Rotating:
    """A world whose simulator takes the new key for the old one."""

    def __init__(self) -> None:
        self.world = World()
        self.old = self.world.values("acme")
        self.accepted = {self.old["public_key"], NEW["public_key"]}
        send = self.world.transport.send

        def as_old(request: HttpRequest) -> HttpResponse:
            refused = accepting(*self.accepted)(request)
            return refused or send(self._signed_with_old(request))

        self.world.transport.send = as_old  # type: ignore[method-assign]  # one transport, two keys

    def _signed_with_old(self, request: HttpRequest) -> HttpRequest:
        from dataclasses import replace

        from avesa.connectors.connectwise import Credentials

        if "Authorization" not in request.headers:
            return request
        signed = Credentials.from_mapping(self.old).headers("2025.1")["Authorization"]
        return replace(request, headers={**request.headers, "Authorization": signed})

    def key(self) -> str:
        found = self.world.secrets.get(NAME)
        assert found is not None
        return found["public_key"]

    def rotate(self) -> None:
        rotate(self.world.context, tenant_id="acme", service="connectwise", values=NEW)

    def finish(self) -> str | None:
        return finish(self.world.context, tenant_id="acme", service="connectwise")


@pytest.fixture
def made() -> Rotating:
    return Rotating()


def test_a_new_key_is_in_use_at_once_and_the_old_one_is_kept(made: Rotating) -> None:
    made.rotate()

    assert made.key() == "new-public"
    assert made.world.secrets.previous(NAME) == made.old


def test_a_key_that_the_service_refuses_changes_nothing(made: Rotating) -> None:
    made.accepted = {made.old["public_key"]}

    with pytest.raises(TenantPermanentError, match="nothing was stored"):
        made.rotate()

    assert made.key() == made.old["public_key"]
    assert made.world.secrets.previous(NAME) is None


def test_the_old_key_goes_only_after_a_run_that_began_after_the_swap_completed(made: Rotating) -> None:
    made.world.run()
    made.world.clock.advance(60)
    made.rotate()

    before = made.finish()
    job_id = made.world.run()["job_id"]

    assert before is None
    assert made.finish() == job_id
    assert made.world.secrets.previous(NAME) is None
    assert made.key() == "new-public"


def test_a_run_that_failed_or_asked_the_source_nothing_proves_nothing(made: Rotating) -> None:
    made.world.run()
    made.rotate()
    made.world.run(rebuild=True)
    made.accepted = set()
    made.world.run()

    assert made.finish() is None
    assert made.world.secrets.previous(NAME) == made.old


def test_a_rollback_takes_the_old_key_back_if_it_still_works(made: Rotating) -> None:
    made.rotate()
    rollback(made.world.context, tenant_id="acme", service="connectwise")

    assert made.key() == made.old["public_key"]
    with pytest.raises(UsageError, match="was not swapped"):
        made.finish()


def test_a_rollback_to_a_revoked_key_leaves_the_new_one_in_use(made: Rotating) -> None:
    made.rotate()
    made.accepted = {NEW["public_key"]}

    with pytest.raises(TenantPermanentError, match="the new one stays in use"):
        rollback(made.world.context, tenant_id="acme", service="connectwise")

    assert made.key() == "new-public"


def test_a_second_rotation_waits_for_the_first(made: Rotating) -> None:
    made.rotate()

    with pytest.raises(UsageError, match="--finish"):
        made.rotate()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**NEW, "company_id": "other"}, "company_id differ"),
        ({**NEW, "api_base_url": "https://api-eu.simulated.example"}, "api_base_url differ"),
        ({}, "uses already"),
    ],
)
def test_a_rotation_is_of_the_key_alone(made: Rotating, values: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rotate(made.world.context, tenant_id="acme", service="connectwise", values=values)


def test_what_a_run_has_proven_is_finished_for_the_tenants_that_completed(made: Rotating) -> None:
    made.rotate()
    made.world.run()

    assert finish_proven(made.world.context, ["birch"]) == []
    assert finish_proven(made.world.context, ["acme"]) == ["acme"]
    assert made.world.secrets.previous(NAME) is None


def test_a_set_up_anew_forgets_the_key_from_before_the_swap(made: Rotating) -> None:
    made.rotate()
    made.world.register("acme")

    assert made.world.secrets.previous(NAME) is None
    assert made.key() == made.old["public_key"]
