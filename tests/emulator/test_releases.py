"""What is remembered of deployments lies where it can neither be changed nor deleted before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from avesa.adapters.aws.lake import S3Lake
from avesa.application.releases import Releases
from tests.emulator.servers import fresh_access, make_bucket, open_emulator

if TYPE_CHECKING:
    from avesa.adapters.aws.access import AwsAccess
    from rehearsal.emulator import Emulator

__all__ = ["open_emulator"]  # a fixture, found here by name
pytestmark = pytest.mark.emulator


@pytest.fixture
def access(open_emulator: Emulator) -> AwsAccess:
    return fresh_access(open_emulator.url)


@pytest.fixture
def bucket(access: AwsAccess) -> str:
    """A bucket that retains what is put, as the stack's does."""
    name = make_bucket(access, f"releases-{access.credentials().access_key_id}")
    access.s3().put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 400}}
    access.s3().put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    return name


def test_a_release_is_kept_in_a_locked_bucket_and_its_contents_cannot_be_deleted(
    access: AwsAccess, bucket: str
) -> None:
    store = S3Lake(bucket, access, is_locked=True)

    Releases(store).keep("r1", [("assembly/manifest.json", b"{}")])

    kept = access.s3().list_object_versions(Bucket=bucket)["Versions"]
    assert len(kept) == 2
    for version in kept:
        with pytest.raises(ClientError, match="AccessDenied"):
            access.s3().delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    assert list(Releases(store).files("r1")) == [("assembly/manifest.json", b"{}")]


def test_a_put_into_a_locked_bucket_brings_its_checksum(access: AwsAccess, bucket: str) -> None:
    S3Lake(bucket, access, is_locked=True).put("records/one.json", b"{}")

    told = access.s3().get_object_attributes(Bucket=bucket, Key="records/one.json", ObjectAttributes=["Checksum"])

    # S3 refuses a put without one where objects are retained (S3 User Guide, "Object Lock considerations").
    assert told["Checksum"]["ChecksumSHA256"]
