"""A search that finds nothing proves something only if it would have found it: in each place, and in each form."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import pytest

from rehearsal.leaks import Account, forms, holders, on_this_machine
from tests.emulator.servers import client_for, fresh_access, make_bucket, make_tables, open_emulator

if TYPE_CHECKING:
    from pathlib import Path

    from rehearsal.emulator import Emulator

__all__ = ["open_emulator"]  # a fixture, found here by name
KEY = "planted-private-key"
NEEDLES = forms({"CONNECTWISE_COMPANY_ID": "acme", "CONNECTWISE_PUBLIC_KEY": "pub", "CONNECTWISE_PRIVATE_KEY": KEY})


def test_a_key_in_a_file_in_an_output_or_in_a_header_is_found(tmp_path: Path) -> None:
    header = base64.b64encode(f"acme+pub:{KEY}".encode()).decode()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "jobs.json").write_text(f'{{"error": "{KEY} refused"}}', encoding="utf-8")
    (tmp_path / "fine.json").write_text("{}", encoding="utf-8")

    found = holders(NEEDLES, list(on_this_machine(tmp_path, ["all is well", f"Authorization: Basic {header}"])))

    assert found == ["state/jobs.json", "what command 1 printed"]


@pytest.mark.emulator
def test_a_key_in_the_account_is_found_wherever_it_lies(open_emulator: Emulator) -> None:
    access = fresh_access(open_emulator.url)
    bucket = make_bucket(access, f"leaks-{access.credentials().access_key_id}")
    access.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    access.s3().put_object(Bucket=bucket, Key="state.json", Body=KEY.encode())
    access.s3().put_object(Bucket=bucket, Key="state.json", Body=b"overwritten, but the version before is there")
    make_tables(access)
    item = {"tenant_id": {"S": "acme"}, "job_id": {"S": "1"}, "error": {"S": KEY}}
    access.dynamodb().put_item(TableName="ProcessingJobs-dev", Item=item)
    access.secretsmanager().create_secret(Name="acme/dev", SecretString=f'{{"private_key": "{KEY}"}}')
    logs = client_for(open_emulator.url, "logs", access.credentials())
    logs.create_log_group(logGroupName="/aws/lambda/one")
    logs.create_log_stream(logGroupName="/aws/lambda/one", logStreamName="s")
    event = {"timestamp": int(time.time() * 1000), "message": f"signed in with {KEY}"}
    logs.put_log_events(logGroupName="/aws/lambda/one", logStreamName="s", logEvents=[event])
    account = Account(open_emulator, access.credentials().access_key_id)

    assert holders(NEEDLES, account.secrets()) == ["acme/dev"]
    assert holders(NEEDLES, list(account.contents())) == [
        f"s3://{bucket}/state.json",
        "table ProcessingJobs-dev",
        "log /aws/lambda/one",
    ]
