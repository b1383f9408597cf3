"""What the definitions are given and what they share: addresses, bounds, and how a step's task is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Asl = dict[str, object]
"""A piece of Amazon States Language."""

STATE_LIMIT_BYTES: Final = 262_144
"""What one state may take or give; Step Functions ends an execution that exceeds it."""

MAX_DETAILED_TENANTS: Final = 100
"""Up to so many tenants a run carries each table's result; above, each tenant's status and error (the tables' are in
the tenant's own execution and in LastUpdated).
"""
MAX_TENANTS: Final = 600
"""Tenants whose tasks fit into one state."""
TABLE_ERROR_CHARACTERS: Final = 512
"""What a tenant's execution carries of a table's error; LastUpdated has the whole."""
RUN_ERROR_CHARACTERS: Final = 200
"""What a run carries of a table's or tenant's error."""
CHUNK_ERROR_CHARACTERS: Final = 200
"""What a table's execution carries of a chunk's error."""
TENANTS_AT_ONCE: Final = 10
TABLES_AT_ONCE: Final = 4
CHUNKS_AT_ONCE: Final = 40
"""Bound of a map over many chunks; the request budget of a site and company is the finer one."""

_HOUR: Final = 3600
TABLE_TIMEOUT_SECONDS: Final = 23 * _HOUR
TENANT_TIMEOUT_SECONDS: Final = 24 * _HOUR
PIPELINE_TIMEOUT_SECONDS: Final = 25 * _HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the machines find what they call: ARNs by the names of functions and machines, and the lake's bucket."""

    functions: Mapping[str, str]
    """`chunk-processor` to its ARN."""
    timeouts: Mapping[str, int]
    """`chunk-processor` to the seconds after which Lambda ends it."""
    machines: Mapping[str, str]
    """`TableProcessor` to its ARN."""
    bucket: str


def step_task(at: Addresses, function: str, *, retry: list[Asl], **rest: object) -> Asl:
    """Return a task that calls a function of ours; it outlives the function, so that Lambda's word comes first."""
    return {
        "Type": "Task",
        "Resource": at.functions[function],
        "TimeoutSeconds": at.timeouts[function] + 60,
        "Retry": retry,
        **rest,
    }


def machine(comment: str, *, start_at: str, timeout_seconds: int, language: str, states: Asl) -> Asl:
    """Return a whole definition."""
    return {
        "Comment": comment,
        "QueryLanguage": language,
        "StartAt": start_at,
        "TimeoutSeconds": timeout_seconds,
        "States": states,
    }


CAUGHT: Final = (
    "{% {'Error': $string($states.errorOutput.Error),"
    " 'Cause': $exists($states.errorOutput.Cause) ? $string($states.errorOutput.Cause) : ''} %}"
)
"""A caught error as a StepFailure, whichever of its parts Step Functions left out."""
