"""A whole run, step by step as the functions are called, with policies enforced: no step has more than its function.

Tenant steps begin with credentials that open nothing; orchestrator and aggregator have rights of their own.
"""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from avesa.adapters.aws.access import AwsAccess
from avesa.adapters.aws.tenancy import TENANT_OF_SESSION, scope_of_role, tenant_policy
from avesa.application.setup import setup_service
from avesa.application.workflow import run_pipeline
from avesa.bootstrap import aws
from avesa.bootstrap.aws import TENANT_STEPS, aws_application, publish_mappings, run_lambda_step
from avesa.bootstrap.aws_settings import read_aws_settings
from avesa.domain.errors import StorageError, UsageError
from avesa.domain.names import Environment
from avesa.simulator.company import CompanySpec
from avesa.simulator.server import serve
from avesa.simulator.site import Changes, Site
from rehearsal.emulator import ACCOUNT, REGION
from tests.emulator.servers import (
    ROOT,
    client_for,
    enforcing_emulator,
    make_bucket,
    make_function,
    make_role,
    make_tables,
)
from tests.flow.pipeline import PATHS, projected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from avesa.adapters.aws.access import AwsCredentials
    from avesa.application.context import StepContext
    from avesa.application.payloads import Json
    from rehearsal.emulator import Emulator

__all__ = ["enforcing_emulator"]  # a fixture, found here by name
pytestmark = pytest.mark.emulator

BUCKET = "data-storage-msp-staging"
SCOPE = scope_of_role(f"arn:aws:iam::{ACCOUNT}:role/x", environment=Environment.STAGING, bucket=BUCKET, region=REGION)
TRANSFORM_STEPS = ("reconcile_table", "transform_canonical", "maintain_table")
SECONDS_OF_A_FUNCTION = 900


class Functions:
    """Calls steps as their functions do: with the function's variables, credentials and package."""

    def __init__(self, context: StepContext, variables: Mapping[str, str], worker: AwsCredentials) -> None:
        self.context = context
        self._variables = variables
        self._worker = worker
        self.called: list[str] = []
        self.seconds_left = SECONDS_OF_A_FUNCTION
        self.patch = pytest.MonkeyPatch()
        self._one_at_a_time = threading.Lock()
        self._warm: dict[str, dict[Any, Any]] = {"chunk": {}, "transform": {}}

    def run_step(self, name: str, payload: Mapping[str, object]) -> Json:
        # A function's variables are those of its process; here all functions share one, and tables run in threads.
        with self._one_at_a_time:
            return self._run_step(name, payload)

    def _run_step(self, name: str, payload: Mapping[str, object]) -> Json:
        self.called.append(name)
        signs = self._worker if name in TENANT_STEPS else ROOT
        package = "transform" if name in TRANSFORM_STEPS else "chunk"
        variables = {
            **self._variables,
            "AVESA_PACKAGE": package,
            "AWS_ACCESS_KEY_ID": signs.access_key_id,
            "AWS_SECRET_ACCESS_KEY": signs.secret_access_key,
        }
        for variable, value in variables.items():
            self.patch.setenv(variable, value)
        # Each function is a process of its own, which stays warm; here they follow each other in one.
        aws._lambda_settings.cache_clear()
        aws._workplaces.clear()
        aws._workplaces.update(self._warm[package])
        told = {**payload, "execution_arn": f"arn:aws:states:{REGION}:{ACCOUNT}:execution:TableProcessor-staging:one"}
        given = json.loads(json.dumps(told if name == "process_table" else dict(payload)))
        answer = run_lambda_step(name, given, remaining_ms=lambda: self.seconds_left * 1000)
        self._warm[package] = dict(aws._workplaces)
        if answer.get("manifest_key"):
            # The distributed map reads the manifest; the local workflow that maps here wants the ids.
            manifest = json.loads(self.context.lake.get(str(answer["manifest_key"])))
            answer = {**answer, "chunk_ids": [entry["chunk_id"] for entry in manifest]}
        return answer


@pytest.fixture(scope="module")
def site() -> Site:
    sizes = {"tickets": 2500, "time_entries": 300, "companies": 40, "contacts": 80}
    return Site(seed=11, companies=[CompanySpec(login="acme", sizes=sizes)])


@pytest.fixture(scope="module")
def functions(enforcing_emulator: Emulator, site: Site) -> Iterator[Functions]:
    access = AwsAccess(region=REGION, endpoint_url=enforcing_emulator.url, credentials=ROOT)
    make_tables(access, Environment.STAGING)
    make_bucket(access, BUCKET)
    variables = {
        "AVESA_ENVIRONMENT": "staging",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": enforcing_emulator.url,
        "AVESA_TENANT_ROLE_ARN": make_role(
            enforcing_emulator, "avesa-tenant-worker-staging", tenant_policy(SCOPE, TENANT_OF_SESSION)
        ),
    }
    settings = read_aws_settings(variables)
    with pytest.MonkeyPatch.context() as patch, serve(site, port=0) as server:
        patch.setenv("AWS_ACCESS_KEY_ID", ROOT.access_key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", ROOT.secret_access_key)
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
            made = Functions(application.context, variables, make_function(enforcing_emulator, "functions"))
            yield made
            made.patch.undo()


def _rows(functions: Functions, table: str) -> dict[int, dict[str, Any]]:
    uri, options = functions.context.lake.table_uri(f"acme/canonical/{table}/")
    rows = DeltaTable(uri, storage_options=options).to_pyarrow_table().to_pylist()
    return {int(row["id"]): row for row in rows if row["is_current"]}


def test_a_run_through_the_functions_leaves_every_record_in_its_table(functions: Functions, site: Site) -> None:
    result = run_pipeline(functions, {})  # type: ignore[arg-type]

    assert result["status"] == "completed", result
    # Upkeep is called by hand: no part of a run.
    of_a_run = TENANT_STEPS - {"verify_table", "retry_quarantine", "maintain_table"}
    assert set(functions.called) == of_a_run | {"orchestrate_pipeline", "aggregate_results"}
    for table, path in PATHS.items():
        truth = site.company("acme").records(path)
        current = _rows(functions, table)
        assert current.keys() == truth.keys()
        for record_id, record in truth.items():
            expected = projected(table, record)
            assert {name: current[record_id][name] for name in expected} == expected


def test_a_run_through_the_functions_makes_its_table_known_to_athena(
    functions: Functions, enforcing_emulator: Emulator
) -> None:
    run_pipeline(functions, {"tenant_id": "acme", "table_name": "company/contacts"})  # type: ignore[arg-type]

    # Policies are enforced: the worker's own session was allowed to.
    glue = client_for(enforcing_emulator.url, "glue", ROOT)
    entry = glue.get_table(DatabaseName="avesa_acme_staging", Name="contacts")["Table"]
    uri, options = functions.context.lake.table_uri("acme/canonical/contacts/")
    columns = [column["Name"] for column in entry["StorageDescriptor"]["Columns"] + entry["PartitionKeys"]]
    assert entry["StorageDescriptor"]["Location"] == f"{uri}/"
    assert columns == [field.name for field in DeltaTable(uri, storage_options=options).schema().fields]


def test_a_sweep_through_the_functions_closes_what_is_gone(functions: Functions, site: Site) -> None:
    run_pipeline(functions, {"tenant_id": "acme", "table_name": "company/contacts"})  # type: ignore[arg-type]
    gone = max(site.company("acme").records("company/contacts"))
    site.company("acme").delete("company/contacts", gone)

    request = {"tenant_id": "acme", "table_name": "company/contacts", "detect_deletes": True}
    result = run_pipeline(functions, request)  # type: ignore[arg-type]

    assert result["status"] == "completed", result
    assert gone not in _rows(functions, "contacts")


def test_a_function_whose_time_is_up_is_called_again_until_all_is_verified(functions: Functions) -> None:
    request = {"tenant_id": "acme", "table_name": "service/tickets"}
    run_pipeline(functions, request)  # type: ignore[arg-type]
    parts = functions.context.raw.list("acme", "connectwise", "service/tickets")
    functions.called.clear()
    functions.seconds_left = 0

    result = run_pipeline(functions, {**request, "verify": True})  # type: ignore[arg-type]

    functions.seconds_left = SECONDS_OF_A_FUNCTION
    # A part and then a group a call; the session's policy lets a tenant keep what it has done so far.
    assert functions.called.count("transform_canonical") >= len(parts) > 2
    assert result["status"] == "completed", result
    assert functions.context.lake.list("acme/staged/") == []


def test_a_table_is_maintained_by_a_runs_request_and_by_its_own_step(functions: Functions, site: Site) -> None:
    request = {"tenant_id": "acme", "table_name": "company/contacts"}
    run_pipeline(functions, request)  # type: ignore[arg-type]
    site.company("acme").apply("company/contacts", Changes(edits=3))
    run_pipeline(functions, request)  # type: ignore[arg-type]
    before = _rows(functions, "contacts")
    task = {"tenant_id": "acme", "service": "connectwise", "table_name": "company/contacts"}
    # No retention at all: everything but the newest version may go, with the session's own right to delete.
    told = functions.run_step("maintain_table", {**task, "retention_days": -1.0, "is_dry_run": True})

    result = run_pipeline(functions, {**request, "maintain": True})  # type: ignore[arg-type]
    done = functions.run_step("maintain_table", {**task, "retention_days": -1.0})

    assert result["status"] == "completed", result
    assert done["files_deleted"] == told["files_deleted"] != 0
    assert done["skipped"] is None
    assert _rows(functions, "contacts") == before


def test_a_step_for_a_tenant_without_a_role_to_assume_is_refused(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = {"job_id": "j", "tenant_id": "acme", "service": "connectwise", "request": {}}
    poor = Functions(functions.context, {**functions._variables, "AVESA_TENANT_ROLE_ARN": " "}, functions._worker)

    with pytest.raises(UsageError, match="AVESA_TENANT_ROLE_ARN is not set"):
        poor.run_step("process_tenant", task)
    poor.patch.undo()


def test_what_a_function_may_not_do_it_cannot_do_with_its_own_credentials(
    functions: Functions, enforcing_emulator: Emulator
) -> None:
    settings = replace(read_aws_settings(functions._variables), environment=Environment.STAGING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", functions._worker.access_key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", functions._worker.secret_access_key)
        with aws_application(settings) as application, pytest.raises(StorageError, match="AccessDenied"):
            application.context.lake.get("mappings/backfill_config.json")
