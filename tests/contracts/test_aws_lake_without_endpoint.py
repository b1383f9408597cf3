"""Where no endpoint is set, which is everywhere but on an emulator, the lake is AWS's own."""

from __future__ import annotations

from avesa.adapters.aws.access import AwsAccess
from avesa.adapters.aws.lake import S3Lake


def test_a_lake_opens_without_an_endpoint() -> None:
    assert repr(S3Lake("data-storage-msp", AwsAccess(region="us-east-2"))) == "S3Lake('data-storage-msp')"
