"""What an AWS account holds of AVESA: asked before a deployment, so that it fails early, and after it, as proof."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from avesa.adapters.aws.refusals import code_of, refusals
from avesa.domain.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOTSTRAP_PARAMETER: Final = "/cdk-bootstrap/hnb659fds/version"
_ANSWER_SECONDS: Final = 120
_LONGEST_SUBJECT: Final = 99
_FORBIDDEN: Final = {"403", "AccessDenied", "301", "PermanentRedirect"}
_NOT_FOUND: Final = {"404", "NoSuchBucket", "NotFound"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What a function answered."""

    is_error: bool
    answer: Mapping[str, object]
    seconds: float


class Account:
    """One account in one region, as the caller's credentials see it. Nothing here changes anything."""

    def __init__(self, *, region: str, profile: str | None = None, endpoint_url: str | None = None) -> None:
        self.region = region
        self._endpoint_url = endpoint_url
        self._session = boto3.Session(region_name=region, profile_name=profile)

    def caller(self) -> Caller:
        """Return whose credentials these are. Raises StorageError that says how to sign in."""
        with refusals("signing in to AWS"):
            found = self._client("sts").get_caller_identity()
        return Caller(account=found["Account"], arn=found["Arn"])

    def is_bootstrapped(self) -> bool:
        """Whether `cdk bootstrap` was run for this account and region."""
        with refusals(f"parameter {BOOTSTRAP_PARAMETER}"):
            try:
                self._client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)
            except ClientError as error:
                if code_of(error) == "ParameterNotFound":
                    return False
                raise
        return True

    def stack_status(self, name: str) -> str | None:
        """Return a stack's status; None when there is no such stack."""
        with refusals(f"stack {name}"):
            try:
                found = self._client("cloudformation").describe_stacks(StackName=name)["Stacks"]
            except ClientError as error:
                if code_of(error) == "ValidationError" and "does not exist" in str(error):
                    return None
                raise
        status = str(found[0]["StackStatus"]) if found else "DELETE_COMPLETE"
        return None if status == "DELETE_COMPLETE" else status

    def template(self, stack: str) -> dict[str, Any] | None:
        """Return the template with which a stack was last deployed; None when there is no such stack."""
        if self.stack_status(stack) is None:
            return None
        with refusals(f"stack {stack}"):
            body = self._client("cloudformation").get_template(StackName=stack, TemplateStage="Original")[
                "TemplateBody"
            ]
        found: dict[str, Any] = json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))
        return found

    def running_executions(self, machine: str) -> list[str]:
        """Return the names of a state machine's executions that run now; none when there is no such machine."""
        with refusals(f"state machine {machine}"):
            try:
                found = self._client("stepfunctions").list_executions(
                    stateMachineArn=self._machine_arn(machine), statusFilter="RUNNING"
                )
            except ClientError as error:
                if code_of(error) == "StateMachineDoesNotExist":
                    return []
                raise
        return [str(execution["name"]) for execution in found["executions"]]

    def physical_id(self, stack: str, logical_id: str) -> str | None:
        """Return the name of a stack's resource; None when the stack has none such."""
        with refusals(f"stack {stack}"):
            try:
                found = self._client("cloudformation").describe_stack_resource(
                    StackName=stack, LogicalResourceId=logical_id
                )
            except ClientError as error:
                if code_of(error) in {"ValidationError", "ResourceNotFoundException"}:
                    return None
                raise
        physical = found["StackResourceDetail"].get("PhysicalResourceId")
        return str(physical) if physical else None

    def owns_bucket(self, name: str) -> bool | None:
        """Whether the account has the bucket; None when nobody has, False when another account has it."""
        client = self._client("s3")
        with refusals(f"bucket {name}"):
            if name in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                return True
            try:
                client.head_bucket(Bucket=name)
            except ClientError as error:
                if code_of(error) in _NOT_FOUND:
                    return None
                if code_of(error) not in _FORBIDDEN:
                    raise
        return False

    def bucket_region(self, name: str) -> str:
        """Return where a bucket of this account is."""
        with refusals(f"bucket {name}"):
            found = self._client("s3").get_bucket_location(Bucket=name).get("LocationConstraint")
        return str(found or "us-east-1")

    def table_status(self, name: str) -> str | None:
        """Return a DynamoDB table's status; None when there is no such table."""
        with refusals(f"table {name}"):
            try:
                return str(self._client("dynamodb").describe_table(TableName=name)["Table"]["TableStatus"])
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":
                    return None
                raise

    def await_function(self, name: str) -> str:
        """Return a function's runtime once it can be called. Raises StorageError when there is none, or it fails."""
        client = self._client("lambda")
        with refusals(f"function {name}"):
            try:
                client.get_waiter("function_active_v2").wait(FunctionName=name)
            except WaiterError as error:
                raise StorageError(f"function {name} does not become active: {error}") from error
            return str(client.get_function_configuration(FunctionName=name)["Runtime"])

    def function_url(self, name: str) -> str:
        """Return the address at which a function answers everybody. Raises StorageError when it has none."""
        with refusals(f"the URL of function {name}"):
            return str(self._client("lambda").get_function_url_config(FunctionName=name)["FunctionUrl"]).rstrip("/")

    def invoke(self, name: str, event: Mapping[str, object]) -> Invocation:
        """Call a function and wait for its answer."""
        started = time.monotonic()
        with refusals(f"function {name}"):
            found = self._client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
            answer = json.loads(found["Payload"].read() or b"{}")
        return Invocation(
            is_error="FunctionError" in found,
            answer=answer if isinstance(answer, dict) else {"answer": answer},
            seconds=time.monotonic() - started,
        )

    def machine_status(self, name: str) -> str:
        """Return a state machine's status. Raises StorageError when there is no such machine."""
        with refusals(f"state machine {name}"):
            found = self._client("stepfunctions").describe_state_machine(stateMachineArn=self._machine_arn(name))
        return str(found["status"])

    def has_dashboard(self, name: str) -> bool:
        """Whether CloudWatch has the dashboard."""
        with refusals(f"dashboard {name}"):
            found = self._client("cloudwatch").list_dashboards(DashboardNamePrefix=name)
        return name in {entry["DashboardName"] for entry in found["DashboardEntries"]}

    def tell(self, topic: str, subject: str, message: str) -> None:
        """Send a message to a topic of this account. Raises StorageError when there is none such."""
        caller = self.caller()
        arn = f"arn:{caller.arn.split(':')[1]}:sns:{self.region}:{caller.account}:{topic}"
        plain = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in subject)
        with refusals(f"topic {topic}"):
            self._client("sns").publish(TopicArn=arn, Subject=plain[:_LONGEST_SUBJECT], Message=message)

    def object_keys(self, bucket: str, prefix: str, *, most: int = 1000) -> list[str]:
        """Return the first keys below a prefix."""
        with refusals(f"bucket {bucket}"):
            found = self._client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=most)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def _machine_arn(self, name: str) -> str:
        caller = self.caller()
        return f"arn:{caller.arn.split(':')[1]}:states:{self.region}:{caller.account}:stateMachine:{name}"

    def _client(self, service: Any) -> Any:  # noqa: ANN401 - asked for few things each; no types of theirs are installed
        return self._session.client(
            service,
            endpoint_url=self._endpoint_url,
            config=Config(retries={"mode": "standard", "max_attempts": 4}, read_timeout=_ANSWER_SECONDS),
        )
