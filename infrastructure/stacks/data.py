"""What must never be lost: the lake and the state. Retained when the stack goes, and taken back by the next deploy.

Every resource here has a fixed logical id and a fixed name: `cdk deploy --import-existing-resources` finds by them what
an earlier stack left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import CfnResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3

from avesa.adapters.aws.tables import STATE_TABLES
from infrastructure.components.rights import accept

if TYPE_CHECKING:
    from aws_cdk import Environment
    from constructs import Construct

    from avesa.adapters.aws.tables import TableShape
    from infrastructure.components.names import Names

_OLD_VERSION_DAYS = 30
_RECORD_DAYS = 400
"""A year of deployments and a month to look at it."""
_TRIAL_RECORD_DAYS = 30
_ABORTED_UPLOAD_DAYS = 7


class DataStack(Stack):
    """The buckets and the tables of one environment."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, env: Environment) -> None:
        super().__init__(
            scope,
            construct_id,
            env=env,
            description="AVESA: the lake and the state of the pipeline. Retained.",
            termination_protection=names.deployment.is_production,
        )
        self.bucket = self._lake(names)
        self.releases = self._releases(names)
        self.tables = [self._table(shape, names) for shape in STATE_TABLES]

    def _lake(self, names: Names) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Lake",
            bucket_name=names.deployment.bucket,
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="OldVersions",
                    noncurrent_version_expiration=Duration.days(_OLD_VERSION_DAYS),
                    expired_object_delete_marker=True,
                ),
                s3.LifecycleRule(
                    id="AbortedUploads", abort_incomplete_multipart_upload_after=Duration.days(_ABORTED_UPLOAD_DAYS)
                ),
            ],
        )
        accept(
            bucket,
            "AwsSolutions-S1",
            "Access logs would need a second bucket as large as the lake's request rate; an account's trail with data "
            "events records the same, and is the account owner's decision.",
        )
        self._keep(bucket, "Lake")
        return bucket

    def _releases(self, names: Names) -> s3.Bucket:
        """Make the bucket of releases and deployments' records: what is put there stays as it is for its time, whoever
        asks, in production even the account's root.
        """
        kept = Duration.days(_RECORD_DAYS if names.deployment.is_production else _TRIAL_RECORD_DAYS)
        lock = s3.ObjectLockRetention
        bucket = s3.Bucket(
            self,
            "Releases",
            bucket_name=names.deployment.releases_bucket,
            versioned=True,
            object_lock_enabled=True,
            object_lock_default_retention=(
                lock.compliance(kept) if names.deployment.is_production else lock.governance(kept)
            ),
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.RETAIN,
        )
        accept(
            bucket,
            "AwsSolutions-S1",
            "It holds the record of deployments itself, and only deployments write to it; an account's trail with data "
            "events tells who read it.",
        )
        self._keep(bucket, "Releases")
        return bucket

    def _table(self, shape: TableShape, names: Names) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            shape.base_name,
            table_name=shape.name(names.deployment.environment),
            partition_key=_text(shape.partition_key),
            sort_key=_text(shape.sort_key),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=shape.ttl_attribute,
            deletion_protection=names.deployment.is_production,
            removal_policy=RemovalPolicy.RETAIN,
        )
        for index in shape.indexes:
            table.add_global_secondary_index(
                index_name=index.name,
                partition_key=_text(index.partition_key),
                sort_key=None if index.sort_key is None else _text(index.sort_key),
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            )
        self._keep(table, shape.base_name)
        return table

    @staticmethod
    def _keep(construct: s3.Bucket | dynamodb.Table, logical_id: str) -> None:
        """Fix the id by which a later stack takes the resource back."""
        cast("CfnResource", construct.node.default_child).override_logical_id(logical_id)


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
