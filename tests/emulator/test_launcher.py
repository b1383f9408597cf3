"""The emulator's corrections fit the version that is pinned, and do what they are for."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from rehearsal.emulator import ACCOUNT, check_corrections
from tests.emulator.servers import ROOT, client_for, open_emulator

if TYPE_CHECKING:
    from rehearsal.emulator import Emulator

__all__ = ["open_emulator"]  # a fixture, found here by name
pytestmark = pytest.mark.emulator

FUNCTION = """
import os
from importlib.util import find_spec

class TransientSourceError(Exception):
    pass

def handler(event, context):
    if event.get("fails"):
        raise TransientSourceError("the source is busy")
    return {
        "remaining": context.get_remaining_time_in_millis(),
        "shown": sorted(os.environ),
        "handler": os.environ["_HANDLER"],
        "packages": [name for name in ("ministack", "duckdb", "avesa") if find_spec(name)],
    }
"""


def _deployed(emulator: Emulator, name: str) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", FUNCTION)
    client_for(emulator.url, "lambda", ROOT).create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/any",
        Code={"ZipFile": packed.getvalue()},
        Timeout=20,
        Environment={"Variables": {"AVESA_ENVIRONMENT": "dev"}},
    )
    return name


def _invoked(emulator: Emulator, name: str, event: object) -> tuple[str | None, dict[str, object]]:
    answer = client_for(emulator.url, "lambda", ROOT).invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def test_every_correction_still_fits_the_pinned_version() -> None:
    check_corrections()


def test_an_error_of_a_function_keeps_its_class_name(open_emulator: Emulator) -> None:
    name = _deployed(open_emulator, "failing")

    kind, told = _invoked(open_emulator, name, {"fails": True})

    assert kind is not None
    assert (told["errorType"], told["errorMessage"]) == ("TransientSourceError", "the source is busy")


def test_a_function_sees_its_own_variables_time_and_packages_only(
    open_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = _deployed(open_emulator, "looking")

    kind, told = _invoked(open_emulator, name, {})

    assert kind is None, told
    assert told["packages"] == []
    shown = told["shown"]
    assert isinstance(shown, list)
    assert {"AVESA_ENVIRONMENT", "AWS_ENDPOINT_URL", "AWS_REGION"} <= set(shown)
    assert {"GATEWAY_PORT", "AUTH", "BIND_HOST"} & set(shown) == set()
    remaining = told["remaining"]
    assert isinstance(remaining, int)
    assert 0 < remaining <= 20_000


def test_a_reference_to_a_secret_in_a_template_is_its_arn(open_emulator: Emulator) -> None:
    template = {
        "Resources": {"Kept": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "kept/by-stack"}}},
        "Outputs": {"Reference": {"Value": {"Ref": "Kept"}}},
    }
    cloudformation = client_for(open_emulator.url, "cloudformation", ROOT)
    cloudformation.create_stack(StackName="secrets", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="secrets")

    (stack,) = cloudformation.describe_stacks(StackName="secrets")["Stacks"]

    assert ":secret:kept/by-stack-" in stack["Outputs"][0]["OutputValue"]
