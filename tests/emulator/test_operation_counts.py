"""The model of what a run costs foretells what it does on AWS's interfaces: each kind of operation within a tenth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from avesa.application.context import Bounds
from avesa.application.forecast import forecast_run
from avesa.application.operations import run_operations, tenant_operations
from avesa.application.setup import setup_service
from avesa.application.workflow import run_pipeline
from avesa.bootstrap.aws import aws_application, publish_mappings
from avesa.bootstrap.aws_settings import read_aws_settings
from avesa.bootstrap.prices import load_prices
from avesa.domain.names import Environment
from avesa.simulator.company import CompanySpec
from avesa.simulator.server import serve
from avesa.simulator.site import Site
from rehearsal.emulator import REGION
from tests.emulator.counting import counted
from tests.emulator.servers import fresh_access, make_bucket, make_tables, open_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from avesa.application.pipeline import Application
    from avesa.domain.prices import Operations
    from rehearsal.emulator import Emulator
    from tests.emulator.counting import Counts

__all__ = ["open_emulator"]  # a fixture, found here by name
pytestmark = pytest.mark.emulator

BUCKET = "data-storage-msp-staging"
SIZES = {"tickets": 2500, "time_entries": 300, "companies": 40, "contacts": 80}
KINDS = ("s3_writes", "s3_reads", "dynamodb_write_units", "dynamodb_read_units", "secret_reads")
WITHIN = 0.10


class Deployed:
    """A tenant in the emulator, behind a proxy that counts what AWS would bill."""

    def __init__(self, application: Application, counts: Counts) -> None:
        self._application, self._counts = application, counts

    def foretold(self, request: Mapping[str, object]) -> Operations:
        tables = list(forecast_run(self._application.context, request, load_prices()))
        return sum((table.operations for table in tables), run_operations() + tenant_operations())

    def taken(self, request: Mapping[str, object]) -> dict[str, int]:
        self._counts.clear()
        result = run_pipeline(self._application, request)
        assert result["status"] == "completed", result
        return dict(self._counts.billed)


@pytest.fixture(scope="module")
def deployed(open_emulator: Emulator) -> Iterator[Deployed]:
    site = Site(seed=11, companies=[CompanySpec(login="acme", sizes=SIZES)])
    with (
        counted(open_emulator.url) as (url, counts),
        serve(site, port=0) as server,
        pytest.MonkeyPatch.context() as env,
    ):
        access = fresh_access(url)
        key = access.credentials()
        variables = {
            "AVESA_ENVIRONMENT": "staging",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        for name, value in variables.items():
            env.setenv(name, value)
        make_tables(access, Environment.STAGING)
        make_bucket(access, BUCKET)
        # One thing after the other, so that nothing waits and asks again.
        settings = replace(read_aws_settings(variables), bounds=Bounds(tenants=1, tables=1, chunks=1))
        publish_mappings(settings)
        with aws_application(settings) as application:
            keys = site.company("acme").credentials
            values = {
                "company_id": keys.company_id,
                "public_key": keys.public_key,
                "private_key": keys.private_key,
                "client_id": keys.client_id,
                "api_base_url": server.url,
            }
            setup_service(
                application.context, tenant_id="acme", service="connectwise", company_name="Acme", values=values
            )
            yield Deployed(application, counts)


def test_a_run_does_what_was_foretold_of_it_within_a_tenth(deployed: Deployed) -> None:
    off = {}
    for name, request in {"first": {}, "nothing new": {}, "sweep": {"detect_deletes": True}}.items():
        expected = deployed.foretold(request)
        taken = deployed.taken(request)
        for kind in KINDS:
            error = getattr(expected, kind) / taken[kind] - 1
            if abs(error) > WITHIN:
                off[name, kind] = (getattr(expected, kind), taken[kind])

    assert off == {}
