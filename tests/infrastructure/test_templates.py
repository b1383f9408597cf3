"""What every environment's templates promise: nothing lost, nothing open, nothing unnamed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.templates import (
    ACCOUNT,
    DATA,
    MONITORING,
    PERFORMANCE,
    PLANTED,
    REGION,
    ROOT,
    Assembly,
    needed_by,
    pairs_of,
    states_of,
)

pytestmark = pytest.mark.infrastructure

TABLES = {
    "TenantServices": ("tenant_id", "service"),
    "LastUpdated": ("tenant_id", "table_name"),
    "ProcessingJobs": ("tenant_id", "job_id"),
    "ChunkProgress": ("tenant_id", "chunk_id"),
}
FUNCTIONS = (
    "pipeline-orchestrator",
    "tenant-processor",
    "table-processor",
    "chunk-processor",
    "canonical-transform",
    "result-aggregator",
    "connectwise-ingestion",
)
SIMULATOR = "connectwise-simulator"
STACKS = (DATA, PERFORMANCE, MONITORING)


def functions_of(assembly: Assembly) -> tuple[str, ...]:
    return (*FUNCTIONS, SIMULATOR) if assembly.environment == "dev" else FUNCTIONS


def test_tables_have_the_contracts_names_and_keys(assembly: Assembly) -> None:
    tables = assembly.resources(DATA, "AWS::DynamoDB::Table")

    found = {
        item["Properties"]["TableName"]: [key["AttributeName"] for key in item["Properties"]["KeySchema"]]
        for item in tables.values()
    }
    assert found == {f"{name}{assembly.suffix}": list(keys) for name, keys in TABLES.items()}


def test_what_holds_data_is_kept_when_the_stack_goes_and_found_again(assembly: Assembly) -> None:
    kept = {
        **assembly.resources(DATA, "AWS::DynamoDB::Table"),
        **assembly.resources(DATA, "AWS::S3::Bucket"),
    }

    assert set(kept) == {*TABLES, "Lake", "Releases"}  # the logical ids are fixed, the names below too
    for item in kept.values():
        assert item["DeletionPolicy"] == "Retain"
        assert item["UpdateReplacePolicy"] == "Retain"
        assert "TableName" in item["Properties"] or "BucketName" in item["Properties"]


def test_nothing_that_holds_data_is_in_a_stack_that_can_be_replaced(assembly: Assembly) -> None:
    for stack in (PERFORMANCE, MONITORING):
        assert not assembly.resources(stack, "AWS::DynamoDB::Table")
        assert not assembly.resources(stack, "AWS::S3::Bucket")


def test_tables_can_be_restored_are_encrypted_and_cost_what_they_are_used(assembly: Assembly) -> None:
    for item in assembly.resources(DATA, "AWS::DynamoDB::Table").values():
        properties = item["Properties"]
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert properties["SSESpecification"]["SSEEnabled"] is True
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert bool(properties.get("DeletionProtectionEnabled")) is (assembly.environment == "prod")


def test_only_progress_expires(assembly: Assembly) -> None:
    tables = assembly.resources(DATA, "AWS::DynamoDB::Table")

    expiring = {name: item["Properties"].get("TimeToLiveSpecification") for name, item in tables.items()}
    assert expiring.pop("ChunkProgress") == {"AttributeName": "expires_at", "Enabled": True}
    assert set(expiring.values()) == {None}


def test_the_lake_is_versioned_encrypted_private_and_tls_only(assembly: Assembly) -> None:
    bucket = assembly.resources(DATA, "AWS::S3::Bucket")["Lake"]["Properties"]
    statements = next(iter(assembly.resources(DATA, "AWS::S3::BucketPolicy").values()))["Properties"]["PolicyDocument"]

    assert bucket["BucketName"] == f"data-storage-msp{assembly.suffix}"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["OldVersions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rules["AbortedUploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    # No rule may end what is current: raw is kept.
    assert not [rule for rule in rules.values() if "ExpirationInDays" in rule]
    denied = [statement for statement in statements["Statement"] if statement["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [statement["Condition"] for statement in denied]


def test_functions_have_the_contracts_names_and_a_role_each(assembly: Assembly) -> None:
    functions = assembly.resources(PERFORMANCE, "AWS::Lambda::Function").values()

    names = [item["Properties"]["FunctionName"] for item in functions]
    roles = [item["Properties"]["Role"] for item in functions]
    assert sorted(names) == sorted(f"avesa-{slug}{assembly.suffix}" for slug in functions_of(assembly))
    assert len(set(roles)) == len(functions_of(assembly))


def test_the_simulator_is_in_dev_alone_behind_a_token_that_only_it_reads(assemblies: dict[str, Assembly]) -> None:
    dev, prod = assemblies["dev"], assemblies["prod"]
    functions = dev.resources(PERFORMANCE, "AWS::Lambda::Function").values()
    simulator = next(item for item in functions if SIMULATOR in item["Properties"]["FunctionName"])
    (secret,) = dev.resources(PERFORMANCE, "AWS::SecretsManager::Secret")
    (url,) = dev.resources(PERFORMANCE, "AWS::Lambda::Url").values()

    assert (url["Properties"]["TargetFunctionArn"], url["Properties"]["AuthType"]) == (
        next(name for name, item in dev.resources(PERFORMANCE, "AWS::Lambda::Function").items() if item == simulator),
        "NONE",
    )
    readers = [
        policy["Properties"]["Roles"]
        for policy in dev.resources(PERFORMANCE, "AWS::IAM::Policy").values()
        if ("secretsmanager:GetSecretValue", secret) in pairs_of(policy["Properties"]["PolicyDocument"])
    ]
    assert readers == [[simulator["Properties"]["Role"]]]
    assert {action.split(":")[0] for action, _ in dev.allowed(simulator["Properties"]["Role"])} == {
        "logs", "secretsmanager", "xray",
    }  # fmt: skip
    assert prod.resources(PERFORMANCE, "AWS::Lambda::Url") == {}
    assert prod.resources(PERFORMANCE, "AWS::SecretsManager::Secret") == {}


def test_functions_run_python_313_on_arm_with_traces_and_an_end(assembly: Assembly) -> None:
    for item in assembly.resources(PERFORMANCE, "AWS::Lambda::Function").values():
        properties = item["Properties"]
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == ["arm64"]
        assert properties["TracingConfig"] == {"Mode": "Active"}
        assert 0 < properties["Timeout"] <= 900
        assert not [name for name in properties["Environment"]["Variables"] if "SECRET" in name or "KEY" in name]


def test_every_log_ends(assembly: Assembly) -> None:
    groups = assembly.resources(PERFORMANCE, "AWS::Logs::LogGroup").values()
    logged = {item["Properties"]["LogGroupName"] for item in groups}

    assert {f"/aws/lambda/avesa-{slug}{assembly.suffix}" for slug in functions_of(assembly)} <= logged
    assert all(item["Properties"]["RetentionInDays"] == 90 for item in groups)


def test_a_function_for_a_tenant_holds_no_data_rights_of_its_own(assembly: Assembly) -> None:
    functions = assembly.resources(PERFORMANCE, "AWS::Lambda::Function").values()
    roles = {item["Properties"]["FunctionName"].removesuffix(assembly.suffix): item for item in functions}
    for name in (
        "avesa-tenant-processor",
        "avesa-table-processor",
        "avesa-chunk-processor",
        "avesa-canonical-transform",
    ):
        allowed = assembly.allowed(roles[name]["Properties"]["Role"])
        tenant_role = roles[name]["Properties"]["Environment"]["Variables"]["AVESA_TENANT_ROLE_ARN"]

        assert {("sts:AssumeRole", tenant_role), ("sts:TagSession", tenant_role)} <= allowed
        services = {action.split(":")[0] for action, _ in allowed}
        assert services <= {"sts", "logs", "xray", "states"}


def test_the_tenant_role_is_taken_by_workers_only_and_with_a_tag(assembly: Assembly) -> None:
    roles = assembly.resources(PERFORMANCE, "AWS::IAM::Role")
    tenant = next(item for item in roles.values() if "tenant-worker" in str(item["Properties"].get("RoleName")))

    for statement in tenant["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
        assert statement["Condition"] == {"StringLike": {"aws:RequestTag/tenant": "?*"}}
        assert statement["Principal"]["AWS"] in roles


def test_the_tenant_role_names_the_tenant_in_every_right_but_the_mappings(assembly: Assembly) -> None:
    policies = assembly.resources(PERFORMANCE, "AWS::IAM::Policy").values()
    document = next(
        item["Properties"]["PolicyDocument"] for item in policies if "PrincipalTag" in json.dumps(item["Properties"])
    )

    for statement in document["Statement"]:
        is_mappings = str(statement["Resource"]).endswith("/mappings/*")
        assert is_mappings or "${aws:PrincipalTag/tenant}" in json.dumps(statement)


def test_a_bare_wildcard_stands_only_where_a_service_has_no_arns(assembly: Assembly) -> None:
    found = set()
    for policy in assembly.resources(PERFORMANCE, "AWS::IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if "*" in action]
            if statement["Resource"] == "*":
                found |= {action.split(":")[0] for action in actions}

    assert found == {"logs", "xray"}


def test_stacks_share_no_values(assembly: Assembly) -> None:
    for stack in STACKS:
        template = assembly.template(stack)
        assert "Outputs" not in template or not any("Export" in item for item in template["Outputs"].values())
        assert "Fn::ImportValue" not in json.dumps(template)


def test_schedules_start_the_pipeline_hourly_and_sweep_daily_within_a_window(assembly: Assembly) -> None:
    schedules = assembly.resources(PERFORMANCE, "AWS::Scheduler::Schedule").values()
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:PipelineOrchestrator{assembly.suffix}"

    inputs = {item["Properties"]["ScheduleExpression"]: item["Properties"]["Target"]["Input"] for item in schedules}
    assert inputs == {
        "rate(1 hour)": "{}",
        "cron(30 3 * * ? *)": '{"detect_deletes": true}',
        "rate(15 minutes)": '{"step": "check_freshness", "payload": {}}',
    }
    look = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:avesa-result-aggregator{assembly.suffix}"
    dead_letters = f"arn:aws:sqs:{REGION}:{ACCOUNT}:avesa-dead-letters{assembly.suffix}"
    for item in schedules:
        is_look = "check_freshness" in item["Properties"]["Target"]["Input"]
        assert item["Properties"]["Target"]["Arn"] == (look if is_look else machine)
        assert item["Properties"]["Target"]["DeadLetterConfig"]["Arn"] == dead_letters
        assert item["Properties"]["FlexibleTimeWindow"]["Mode"] == "FLEXIBLE"


def _alarmed(properties: dict[str, Any]) -> tuple[str, str, frozenset[tuple[str, str]]]:
    """Return namespace, metric and dimensions of what an alarm looks at."""
    # Not metric arithmetic, which the emulator refuses: a deployment could not be rehearsed.
    dimensions = frozenset((item["Name"], item["Value"]) for item in properties["Dimensions"])
    return properties["Namespace"], properties["MetricName"], dimensions


def test_every_alarm_looks_at_a_metric_that_exists_tells_the_topic_and_names_its_page(assembly: Assembly) -> None:
    aws = {
        ("AWS/States", "ExecutionsFailed"),
        ("AWS/States", "ExecutionsTimedOut"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/Lambda", "Duration"),
        ("AWS/Scheduler", "TargetErrorCount"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    }
    published = _published(assembly)
    topic = next(iter(assembly.resources(MONITORING, "AWS::SNS::Topic")))
    for item in assembly.resources(MONITORING, "AWS::CloudWatch::Alarm").values():
        properties = item["Properties"]
        namespace, name, dimensions = _alarmed(properties)
        assert (namespace, name) in aws or (name, dimensions) in published
        assert properties["AlarmActions"] == [topic]
        _, _, page = properties["AlarmDescription"].partition("What to do: ")
        assert (ROOT / page).is_file()


def _published(assembly: Assembly) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Return every metric that the code publishes in this environment, with its dimensions' values."""
    from avesa.domain.metric_names import METRICS
    from infrastructure.stacks.monitoring import enabled_tables

    environment = ("Environment", assembly.environment)
    return {
        (metric.value, frozenset({environment, *([("Table", table)] if measured.by_table else [])}))
        for metric, measured in METRICS.items()
        for table in enabled_tables()
    }


def test_the_overview_shows_every_metric_that_is_published_and_no_other(assembly: Assembly) -> None:
    from avesa.domain.metric_names import NAMESPACE

    (board,) = assembly.resources(MONITORING, "AWS::CloudWatch::Dashboard").values()
    shown = set()
    for widget in json.loads(board["Properties"]["DashboardBody"])["widgets"]:
        for line in widget["properties"].get("metrics", []):
            namespace, name, *rest = (part for part in line if isinstance(part, str))
            if namespace == NAMESPACE:
                shown.add((name, frozenset(zip(rest[::2], rest[1::2], strict=True))))

    assert shown == _published(assembly)


def test_no_secret_of_the_deployers_environment_is_in_an_assembly(assembly: Assembly) -> None:
    files = [path for path in assembly.folder.rglob("*") if path.is_file()]

    assert len(files) > 3
    assert [path for path in files if PLANTED.encode() in path.read_bytes()] == []


def test_a_skipped_table_raises_no_alarm(assembly: Assembly) -> None:
    alarms = assembly.resources(MONITORING, "AWS::CloudWatch::Alarm").values()

    watched = {name for _, name, _ in (_alarmed(item["Properties"]) for item in alarms)}
    # LeaseHeld is an error of the function: counting errors of functions would alarm on every skip.
    assert watched.isdisjoint({"TablesSkipped", "JobsIncomplete", "StepsFailed", "Errors"})


def test_the_overview_has_the_contracts_name(assembly: Assembly) -> None:
    boards = assembly.resources(MONITORING, "AWS::CloudWatch::Dashboard").values()

    assert [item["Properties"]["DashboardName"] for item in boards] == [f"AVESA-Pipeline-Overview{assembly.suffix}"]


def test_the_security_rules_find_nothing_without_a_reason(assembly: Assembly) -> None:
    report = json.loads((assembly.folder / "validation-report.json").read_text(encoding="utf-8"))["pluginReports"]

    assert [(item["pluginName"], item["conclusion"]) for item in report] == [("AwsSolutions", "success")]
    assert not [item for plugin in report for item in plugin["violations"]]


def test_cfn_lint_finds_nothing(assemblies: dict[str, Assembly]) -> None:
    templates = [str(assemblies["dev"].path(stack)) for stack in STACKS]
    # W3005: the CDK's own Function names its role twice, as a reference and as a dependency; neither is ours.
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--ignore-checks", "W3005", "--", *templates]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_a_machine_may_do_what_its_definition_does_and_nothing_else(assembly: Assembly) -> None:
    for machine in assembly.resources(PERFORMANCE, "AWS::StepFunctions::StateMachine").values():
        properties = machine["Properties"]
        base = properties["StateMachineName"].removesuffix(assembly.suffix)
        needed = needed_by(json.loads(properties["DefinitionString"]), base, assembly)

        allowed = assembly.allowed(properties["RoleArn"])
        of_the_service = {pair for pair in allowed if pair[1] == "*"}
        assert allowed - of_the_service == needed
        assert {action.split(":")[0] for action, _ in of_the_service} == {"logs", "xray"}


def test_what_a_machine_calls_is_deployed_beside_it(assembly: Assembly) -> None:
    functions = assembly.resources(PERFORMANCE, "AWS::Lambda::Function").values()
    names = {item["Properties"]["FunctionName"] for item in functions}

    for definition in assembly.definitions().values():
        for state in states_of(definition):
            resource = str(state.get("Resource", ""))
            if ":lambda:" in resource:
                assert resource.rsplit(":", 1)[1] in names
            if "StateMachineArn" in state.get("Arguments", {}):
                assert state["Arguments"]["StateMachineArn"].rsplit(":", 1)[1] in assembly.definitions()


def test_machines_log_every_event_without_what_travels_and_trace(assembly: Assembly) -> None:
    for machine in assembly.resources(PERFORMANCE, "AWS::StepFunctions::StateMachine").values():
        logged = machine["Properties"]["LoggingConfiguration"]
        assert (logged["Level"], logged["IncludeExecutionData"]) == ("ALL", False)
        assert machine["Properties"]["TracingConfiguration"] == {"Enabled": True}


def test_the_asl_validator_finds_nothing(assemblies: dict[str, Assembly], tmp_path: Path) -> None:
    from rehearsal.tools import node_package

    program = node_package("asl-validator", "4.0.0") / "dist" / "bin" / "asl-validator.js"
    for name, definition in assemblies["dev"].definitions().items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(definition), encoding="utf-8")

        done = subprocess.run(["node", program, "--json-path", path], capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout + done.stderr


def test_an_unknown_environment_is_told_all_that_is_wrong(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    context = {"environment": "qa", "architecture": "riscv", "bucket_prefix": "Not_OK"}

    done = subprocess.run(
        [sys.executable, str(root / "infrastructure" / "app.py")],
        env={"PATH": "/usr/bin:/bin", "CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": json.dumps(context)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "environment is 'qa'; allowed: dev, staging, prod" in done.stderr
    assert "architecture is 'riscv'" in done.stderr
    assert "bucket_prefix is 'Not_OK'" in done.stderr
