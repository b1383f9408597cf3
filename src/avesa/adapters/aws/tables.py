"""The state's DynamoDB tables as data: the stack creates them from this, the adapters query them by it, so that a key
or an index cannot be named differently in two places.

The tenant leads every key, so that a policy on leading keys can confine a worker to its tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from avesa.domain.names import Environment

TTL_ATTRIBUTE: Final = "expires_at"
"""Seconds since 1970 after which DynamoDB may delete a record of progress."""
JOBS_BY_ID: Final = "JobsById"
JOBS_BY_START: Final = "JobsByStart"
JOB_KIND: Final = "job"
"""What every job's `kind` is: the one partition of JobsByStart. A deployment starts a few dozen jobs a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexShape:
    """A global secondary index that holds keys only; all key attributes are strings."""

    name: str
    partition_key: str
    sort_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShape:
    """A table on demand; all key attributes are strings."""

    base_name: str
    partition_key: str
    sort_key: str
    ttl_attribute: str | None = None
    indexes: tuple[IndexShape, ...] = ()

    def name(self, environment: Environment) -> str:
        """The table's name in an environment."""
        return f"{self.base_name}{environment.suffix}"


TENANT_SERVICES: Final = TableShape(base_name="TenantServices", partition_key="tenant_id", sort_key="service")
LAST_UPDATED: Final = TableShape(base_name="LastUpdated", partition_key="tenant_id", sort_key="table_name")
PROCESSING_JOBS: Final = TableShape(
    base_name="ProcessingJobs",
    partition_key="tenant_id",
    sort_key="job_id",
    indexes=(
        IndexShape(name=JOBS_BY_ID, partition_key="job_id"),
        IndexShape(name=JOBS_BY_START, partition_key="kind", sort_key="started_key"),
    ),
)
CHUNK_PROGRESS: Final = TableShape(
    base_name="ChunkProgress", partition_key="tenant_id", sort_key="chunk_id", ttl_attribute=TTL_ATTRIBUTE
)
STATE_TABLES: Final = (TENANT_SERVICES, LAST_UPDATED, PROCESSING_JOBS, CHUNK_PROGRESS)
