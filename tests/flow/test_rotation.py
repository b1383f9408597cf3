"""A key is swapped by the command, and no key is anywhere that a run, a rotation or a failure writes."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from avesa.simulator.company import CompanySpec
from avesa.simulator.server import serve
from avesa.simulator.site import Site
from tests.flow.calling import Called, avesa, credentials
from tests.flow.searching import files_with

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = {"tickets": 40, "time_entries": 20, "companies": 10, "contacts": 10}
OLD, NEW = "planted-old-key-0451", "planted-new-key-0452"
PUBLIC = "planted-public-0453"


class Tenant:
    """A home, the company that it reads, and everything that the commands have said."""

    def __init__(self, home: Path, site: Site, url: str) -> None:
        self.home, self.site, self.url = home, site, url
        self.said: list[Called] = []
        self.accept(OLD)

    def accept(self, private_key: str) -> None:
        """Let the service know one key and no other."""
        company = self.site.company("acme")
        company.credentials = replace(company.credentials, public_key=PUBLIC, private_key=private_key)

    def key(self, private_key: str) -> dict[str, str]:
        keys = self.site.company("acme").credentials
        return credentials(
            {
                "company_id": keys.company_id,
                "public_key": PUBLIC,
                "private_key": private_key,
                "client_id": keys.client_id,
                "api_base_url": self.url,
            }
        )

    def call(self, *arguments: str, key: str | None = None) -> Called:
        variables = {"AVESA_DEBUG": "1", **({} if key is None else self.key(key))}
        self.said.append(avesa(*arguments, "--home", self.home, variables=variables))
        return self.said[-1]

    def rotation(self, *options: str, key: str | None = None) -> Called:
        return self.call("rotate-secret", "--tenant-id", "acme", *options, key=key)


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Tenant]:
    site = Site(seed=3, companies=[CompanySpec(login="acme", sizes=SIZES)])
    with serve(site, port=0) as server:
        made = Tenant(tmp_path / "home", site, server.url)
        assert made.call("setup-service", "--tenant-id", "acme", "--company-name", "A", key=OLD).status == 0
        yield made


def test_a_key_is_swapped_proven_by_a_run_and_its_predecessor_forgotten(tenant: Tenant) -> None:
    refused = tenant.rotation(key=NEW)
    tenant.accept(NEW)
    swapped = tenant.rotation(key=NEW)
    unproven = tenant.rotation("--finish", "--output", "json")
    ran = tenant.call("run", "--output", "json")
    again = tenant.rotation("--finish")

    assert (refused.status, swapped.status, unproven.status) == (1, 0, 1)
    assert "nothing was stored" in refused.err
    assert unproven.json == {"tenant_id": "acme", "rotation": "unproven"}
    assert ran.json["status"] == "completed"
    assert again.status == 2  # the run has finished it
    assert len(list((tenant.home / "secrets").iterdir())) == 1


def test_a_swap_is_rolled_back_only_to_a_key_that_works(tenant: Tenant) -> None:
    tenant.accept(NEW)
    tenant.rotation(key=NEW)

    revoked = tenant.rotation("--rollback")
    tenant.accept(OLD)
    back = tenant.rotation("--rollback")

    assert (revoked.status, back.status) == (1, 0)
    assert "the new one stays in use" in revoked.err
    assert tenant.call("run", "--output", "json").json["status"] == "completed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--finish", "--rollback"), "choose one"),
        ((), "set CONNECTWISE_PUBLIC_KEY, CONNECTWISE_PRIVATE_KEY"),
        (("--finish",), "was not swapped"),
    ],
)
def test_a_wrong_call_says_what_to_do(tenant: Tenant, options: tuple[str, ...], message: str) -> None:
    called = tenant.rotation(*options)

    assert called.status == 2
    assert message in called.err


@contextmanager
def process_list() -> Iterator[set[str]]:
    """Give the command lines of all processes that were there while the context lasted."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:
                    continue  # it has ended since

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield seen
    finally:
        over.set()
        looker.join()


def _forms(secret: str) -> list[str]:
    """Return the secret as headers, addresses and JSON would have it."""
    signed = [base64.b64encode(f"acme+{PUBLIC}:{key}".encode()).decode() for key in (OLD, NEW)]
    return [secret, quote(secret), json.dumps(secret)[1:-1], *signed]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs Linux's /proc")
def test_no_key_is_in_anything_that_runs_rotations_and_failures_leave_behind(tenant: Tenant) -> None:
    with process_list() as processes:
        tenant.call("plan")
        tenant.call("run")
        tenant.rotation(key=NEW)  # refused
        tenant.accept(NEW)
        tenant.rotation(key=NEW)
        tenant.call("run", "--full-sync", "--detect-deletes")
        tenant.accept("another")  # from now on the service refuses the tenant
        failed = tenant.call("run", "--output", "json")
        for command in (["status", "--output", "json"], ["jobs"], ["job", failed.json["job_id"]], ["verify"], ["plan"]):
            tenant.call(*command)
        tenant.call("erase-record", "--tenant-id", "acme", "--table-name", "tickets", "--id", "1", "--confirm", "1")

    said = [text for called in tenant.said for text in (called.out, called.err)]
    assert failed.status == 1
    assert any("rotate-secret" in line for line in processes)
    for secret in (OLD, NEW, PUBLIC):
        for form in _forms(secret):
            assert [text for text in said if form in text] == []
            assert [line for line in processes if form in line] == []
            assert files_with(tenant.home, form) == []
