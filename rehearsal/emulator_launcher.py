"""Starts ministack with corrections, so that what passes here says something about AWS. Runs in ministack's own Python.

    secrets    `Ref` of a secret in a template is its ARN; ministack gives its name
    functions  run under AWS's own runtime client (awslambdaric) in a clean environment, so that an error keeps its
               class name, which is what a state machine's Retry and Catch go by
    tenants    `dynamodb:LeadingKeys` is told to policies; ministack leaves it out, and a condition on it is then no
               condition at all. Variables of policies (`${aws:PrincipalTag/tenant}`) are filled in
    adoption   a retained bucket that a new stack takes back is no name conflict; ministack looks before it adopts
    doors      a function's URL is an address of this machine; ministack gives a name that nothing resolves
    logs       a line of a function's log has an id, by which `aws logs tail --follow` tells lines apart

Each correction replaces private functions, so the version is pinned, and `--check` fails when one no longer fits.
Started by rehearsal.emulator with AVESA_EMULATOR_PYTHON, the interpreter for functions.
"""

from __future__ import annotations

import inspect
import itertools
import json
import os
import re
import sys
import tempfile
from contextvars import ContextVar
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ministack
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.services import cloudwatch_logs, dynamodb, lambda_svc
from ministack.services.cloudformation import changesets, provisioners, stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PINNED: Final = "1.5.33"
_SECRET_TYPE: Final = "AWS::SecretsManager::Secret"  # noqa: S105 - a type of resource
_BOOTSTRAP: Final = '#!/bin/sh\nexec "$AVESA_EMULATOR_PYTHON" -m awslambdaric "$_HANDLER"\n'
_VARIABLE: Final = re.compile(r"\$\{([^}]+)\}")
_EXECUTABLE: Final = 0o755
_VALIDATED: Final = ["resources_defs", "ordered", "param_values", "conditions", "mappings", "stack_name", "stack_id"]
# What is replaced, and the parameters that the replacement counts on.
_FITS: Final[tuple[tuple[Any, str, list[str]], ...]] = (
    (lambda_svc, "_provided_runtime_code_dir", ["code_zip"]),
    (lambda_svc, "_provided_worker_env", ["config", "code_dir", "port"]),
    (lambda_svc, "_execute_function_warm", ["func", "event", "request_id"]),
    (lambda_svc, "_execute_function_provided_warm", ["func", "event", "request_id"]),
    (lambda_svc, "_runtime_env_vars", ["config"]),
    (lambda_runtime, "_worker_class_for", ["config"]),
    (iam_actions, "dynamodb_service_context", ["body"]),
    (iam_evaluator, "_first_match", ["ctx", "stmts", "effect"]),
    (iam_evaluator, "_resolve_condition_key", ["key", "ctx"]),
    (lambda_svc, "_get_function_url_config", ["func_name", "qualifier"]),
    (cloudwatch_logs, "_append_log_events", ["stream", "events"]),
    (stacks, "_validation_errors", [*_VALIDATED, "owned_buckets"]),
)


def misfits() -> list[str]:
    """Return what no longer is as the corrections need it."""
    found = [] if _version() == PINNED else [f"ministack is {_version()}, the corrections are for {PINNED}"]
    for module, name, parameters in _FITS:
        function = getattr(module, name, None)
        if function is None or list(inspect.signature(function).parameters) != parameters:
            found.append(f"{module.__name__}.{name} is gone or takes other parameters")
    if not {"create", "update", "delete"} <= set(provisioners._RESOURCE_HANDLERS.get(_SECRET_TYPE, {})):
        found.append(f"the provisioner of {_SECRET_TYPE} is not what it was")
    if "imports" not in inspect.signature(changesets._deploy_stack_async).parameters:
        found.append("changesets._deploy_stack_async takes no imports any more")
    if not hasattr(lambda_runtime, "ProvidedWorker") or not hasattr(dynamodb, "_tables"):
        found.append("lambda_runtime.ProvidedWorker or dynamodb._tables is gone")
    return found


def _version() -> str:
    return version(ministack.__name__)


# ------------------------------------------------------------------------------------------------- secrets
def correct_secret_references() -> None:
    """Let the physical id of a secret be its ARN, which is what `Ref` gives."""
    handler = provisioners._RESOURCE_HANDLERS[_SECRET_TYPE]
    made, changed, gone = handler["create"], handler["update"], handler["delete"]

    def create(*given: Any, **named: Any) -> Any:
        _, attributes = made(*given, **named)
        return attributes["Arn"], attributes

    def update(physical_id: str, *given: Any, **named: Any) -> Any:
        first, attributes, *rest = changed(_name_of(physical_id), *given, **named)
        return (attributes.get("Arn", first), attributes, *rest)

    def delete(physical_id: str, *given: Any, **named: Any) -> Any:
        return gone(_name_of(physical_id), *given, **named)

    handler.update(create=create, update=update, delete=delete)


def _name_of(physical_id: str) -> str:
    """Return a secret's name from its ARN, which ends in a hyphen and six characters."""
    _, found, rest = physical_id.partition(":secret:")
    return rest.rpartition("-")[0] if found else physical_id


# ----------------------------------------------------------------------------------------------- functions
def correct_functions(python: str) -> None:
    """Run functions with a Python runtime under the real runtime client, by the interpreter `python`."""
    unpacked, environment = lambda_svc._provided_runtime_code_dir, lambda_svc._provided_worker_env
    chosen, warm = lambda_runtime._worker_class_for, lambda_svc._execute_function_warm

    def code_dir(code_zip: bytes) -> str:
        folder = str(unpacked(code_zip))
        entry = Path(folder, "bootstrap")
        with lambda_svc._provided_code_lock:
            if not entry.exists():
                # Renamed into its place: another thread may be about to start it.
                draft = Path(folder, f".bootstrap-{os.getpid()}")
                draft.write_text(_BOOTSTRAP, encoding="utf-8")
                draft.chmod(_EXECUTABLE)
                draft.rename(entry)
        return folder

    def worker_env(config: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
        given = environment(config, code_dir, port)
        return _clean(given, config, python) if _is_python(config) else given

    def worker_class(config: dict[str, Any]) -> Any:
        return lambda_runtime.ProvidedWorker if _is_python(config) else chosen(config)

    def execute(func: dict[str, Any], event: Any, request_id: str) -> Any:
        is_python = _is_python(func.get("config") or func)
        run: Callable[..., Any] = lambda_svc._execute_function_provided_warm if is_python else warm
        return run(func, event, request_id)

    lambda_svc._provided_runtime_code_dir = code_dir
    lambda_svc._provided_worker_env = worker_env
    lambda_runtime._worker_class_for = worker_class
    lambda_svc._execute_function_warm = execute


def _is_python(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("python3")


def _clean(given: dict[str, str], config: dict[str, Any], python: str) -> dict[str, str]:
    """Return what a function's environment has on AWS: its own variables, Lambda's, and nothing of this machine."""
    own = {
        name: value
        for name, value in given.items()
        if name.startswith("AWS_") or name in ("_HANDLER", "LAMBDA_TASK_ROOT")
    }
    if not own.get("AWS_SESSION_TOKEN"):
        own.pop("AWS_SESSION_TOKEN", None)
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        own.pop(name, None)
    name = str(config.get("FunctionName", ""))
    log_group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    authority = os.environ.get("AVESA_EMULATOR_CA", "")
    return {
        **own,
        "PATH": "/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": "/tmp",  # noqa: S108 - the only folder that a function may write
        # Packages hold no bytecode: each of many containers would compile all of it again.
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "bytecode")),
        "AVESA_EMULATOR_PYTHON": python,
        "AWS_ENDPOINT_URL": os.environ["AVESA_EMULATOR_URL"],
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group,
        "AWS_LAMBDA_LOG_FORMAT": (config.get("LoggingConfig") or {}).get("LogFormat") or "Text",
        **({"AWS_CA_BUNDLE": authority, "SSL_CERT_FILE": authority} if authority else {}),
        **lambda_svc._runtime_env_vars(config),
    }


# ------------------------------------------------------------------------------------------------- tenants
def correct_leading_keys() -> None:
    """Tell policies the partition keys that a DynamoDB request names."""
    known = iam_actions.dynamodb_service_context

    def context(body: bytes) -> dict[str, Any]:
        found: dict[str, Any] = known(body)
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return found
        keys = sorted(set(_leading_keys(request))) if isinstance(request, dict) else []
        return {**found, "dynamodb:LeadingKeys": keys} if keys else found

    iam_actions.dynamodb_service_context = context


def _leading_keys(request: dict[str, Any]) -> Iterator[str]:
    table = str(request.get("TableName", ""))
    for member in ("Key", "Item"):
        if isinstance(request.get(member), dict):
            yield from _scalars(request[member].get(_partition_key(table, None)))
    if "KeyConditionExpression" in request:
        yield from _queried(request, _partition_key(table, request.get("IndexName")))
    for item in request.get("TransactItems") or []:
        for action in item.values():
            yield from _leading_keys(action)
    for name, batch in (request.get("RequestItems") or {}).items():
        entries = batch.get("Keys", []) if isinstance(batch, dict) else [_entry(entry) for entry in batch]
        for entry in entries:
            yield from _scalars(entry.get(_partition_key(name, None)))


def _entry(request: dict[str, Any]) -> dict[str, Any]:
    """Return the item or key of one write of a batch."""
    for action in request.values():
        found: dict[str, Any] = action.get("Item") or action.get("Key") or {}
        return found
    return {}


def _queried(request: dict[str, Any], partition_key: str) -> Iterator[str]:
    names = request.get("ExpressionAttributeNames") or {}
    for condition in str(request["KeyConditionExpression"]).replace("(", " ").replace(")", " ").split(" AND "):
        left, _, right = (part.strip() for part in condition.partition("="))
        if names.get(left, left) == partition_key:
            yield from _scalars((request.get("ExpressionAttributeValues") or {}).get(right))


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(scalar) for scalar in value.values())


def _partition_key(table: str, index: str | None) -> str:
    described = dynamodb._tables.get(table.rpartition("/")[2]) or {}
    schema = described.get("KeySchema") or []
    if index is not None:
        indexes = described.get("GlobalSecondaryIndexes") or []
        schema = next((found["KeySchema"] for found in indexes if found.get("IndexName") == index), schema)
    return next((str(key["AttributeName"]) for key in schema if key.get("KeyType") == "HASH"), "")


def correct_policy_variables() -> None:
    """Fill in the variables of a statement from the request; one that the request has not makes it match nothing."""
    match = iam_evaluator._first_match

    def first_match(ctx: Any, stmts: list[Any], effect: str) -> Any:
        filled = (_filled(statement, ctx) for statement in stmts)
        return match(ctx, [statement for statement in filled if statement is not None], effect)

    iam_evaluator._first_match = first_match


class _Unknown(Exception):  # noqa: N818 - a fact about the request
    """The request has no such key."""


def _filled(statement: Any, ctx: Any) -> Any:
    try:
        return replace(
            statement,
            resources=_with_values(statement.resources, ctx),
            not_resources=_with_values(statement.not_resources, ctx),
            conditions=_with_values(statement.conditions, ctx),
        )
    except _Unknown:
        return None


def _with_values(part: Any, ctx: Any) -> Any:
    if isinstance(part, dict):
        return {name: _with_values(inner, ctx) for name, inner in part.items()}
    if isinstance(part, list):
        return [_with_values(inner, ctx) for inner in part]
    return _VARIABLE.sub(lambda found: _value(found[1], ctx), part) if isinstance(part, str) else part


def _value(name: str, ctx: Any) -> str:
    if name in ("*", "?", "$"):
        return name
    value = iam_evaluator._resolve_condition_key(name, ctx)
    if not isinstance(value, str):
        raise _Unknown(name)
    return value


# ------------------------------------------------------------------------------------------------ adoption
def correct_adoption() -> None:
    """Let a change set with ImportExistingResources adopt a bucket, as it adopts a table."""
    deploy, find_errors = changesets._deploy_stack_async, stacks._validation_errors
    adopted: ContextVar[frozenset[str]] = ContextVar("adopted", default=frozenset())

    async def deploy_stack(*given: Any, imports: dict[str, Any] | None = None, **named: Any) -> Any:
        adopted.set(frozenset(imports or ()))
        return await deploy(*given, imports=imports, **named)

    def validation_errors(*given: Any, **named: Any) -> list[Any]:
        return [error for error in find_errors(*given, **named) if error[0] not in adopted.get()]

    changesets._deploy_stack_async = deploy_stack
    stacks._validation_errors = validation_errors


# --------------------------------------------------------------------------------------------------- doors
def correct_function_urls() -> None:
    """Let a function's URL be one that this machine reaches."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # ministack's own Python does not know this project
    from rehearsal.function_doors import door

    known = lambda_svc._get_function_url_config

    def get_function_url_config(func_name: str, qualifier: str | None) -> Any:
        status, headers, body = known(func_name, qualifier)
        found = json.loads(body)
        if "FunctionUrl" in found:
            authority = os.environ.get("AVESA_EMULATOR_CA", "")
            found["FunctionUrl"] = door(found["FunctionUrl"], os.environ["AVESA_EMULATOR_URL"], authority)
        return status, headers, json.dumps(found).encode()

    lambda_svc._get_function_url_config = get_function_url_config


# ---------------------------------------------------------------------------------------------------- logs
def correct_log_ids() -> None:
    """Give a line of a log the id that it lacks."""
    append, numbers = cloudwatch_logs._append_log_events, itertools.count()

    def append_log_events(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
        append(stream, [{"eventId": f"{os.getpid()}-{next(numbers)}", **event} for event in events])

    cloudwatch_logs._append_log_events = append_log_events


def main() -> None:
    """Check the corrections, make them, and serve until the process is ended."""
    problems = misfits()
    if problems:
        sys.exit("the emulator's corrections no longer fit:\n" + "\n".join(problems))
    if "--check" in sys.argv:
        return
    correct_secret_references()
    correct_functions(os.environ["AVESA_EMULATOR_PYTHON"])
    correct_leading_keys()
    correct_policy_variables()
    correct_adoption()
    correct_function_urls()
    correct_log_ids()
    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
