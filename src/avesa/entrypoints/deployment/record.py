"""Makes and keeps the record of a deployment, and says it for people: in a run's summary and in a message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from avesa.bootstrap.releases import open_release_store
from avesa.domain.deployments import DeploymentRecord, Kind, Outcome
from avesa.domain.errors import AvesaError
from avesa.entrypoints.deployment.telling import say

if TYPE_CHECKING:
    from avesa.bootstrap.account import Site
    from avesa.bootstrap.workflow import Request

_COMPACT: Final = "%Y%m%dT%H%M%SZ"
_ERROR_CHARACTERS: Final = 4_000


def release_name(started_at: datetime, commit: str) -> str:
    """Return a release's id; ids sort by their making."""
    return f"{started_at.astimezone(UTC).strftime(_COMPACT)}-{commit[:12] or 'no-commit'}"


def make_record(
    request: Request, *, kind: Kind, account: str, release_id: str, started_at: datetime, ended_at: datetime, error: str
) -> DeploymentRecord:
    """Return the record of a deployment that has ended; an error makes it a failure."""
    begun = started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"
    return DeploymentRecord(
        deployment_id=f"{begun}-{request.environment.value}-{kind.value}",
        kind=kind,
        environment=request.environment.value,
        actor=request.actor,
        reason=request.reason,
        components=request.components,
        account=account,
        region=request.region,
        commit=request.commit,
        workflow_run=request.workflow_run,
        is_forced=request.is_forced,
        release_id=release_id,
        started_at=started_at,
        ended_at=ended_at,
        outcome=Outcome.FAILED if error else Outcome.SUCCEEDED,
        error=error[:_ERROR_CHARACTERS],
    )


def keep_record(site: Site, record: DeploymentRecord) -> None:
    """Keep the record where nobody can change it. Raises AvesaError where the bucket for it is not there yet."""
    store = open_release_store(site.settings)
    if not site.account.owns_bucket(store.bucket):
        raise AvesaError(
            f"no record can be kept of this {record.outcome.value} {record.kind.value}: the bucket {store.bucket} "
            "comes with the first deployment that gets as far; the run's summary has what it was"
        )
    store.log.add(record)
    say(f"deployment {record.deployment_id}: {record.outcome.value}; its record is in s3://{store.bucket}/records/")


def asked_text(request: Request) -> str:
    """Return what is asked for as a Markdown table, for the summary of a run."""
    return _table(
        f"Deployment to {request.environment.value}",
        {
            "who": request.actor,
            "why": request.reason,
            "what": request.components.value,
            "where": f"account {request.account}, {request.region}",
            "how": f"commit {request.commit}, {request.workflow_run}",
            "forced": "yes: neither runs under way nor an unchanged commit hold it back" if request.is_forced else "no",
        },
    )


def ended_text(record: DeploymentRecord) -> str:
    """Return the record as a Markdown table."""
    told = {
        "who": record.actor,
        "when": f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC, for {record.duration_seconds} s",
        "why": record.reason,
        "what": record.components.value,
        "where": f"account {record.account or 'unknown'}, {record.region}",
        "how": " ".join(filter(None, (f"commit {record.commit}", record.workflow_run))),
        "release": record.release_id or "none",
    }
    if record.error:
        told["error"] = record.error
    return _table(f"{record.kind.value.capitalize()} of {record.environment}: {record.outcome.value}", told)


def plain_text(record: DeploymentRecord) -> str:
    """Return the record for a message."""
    lines = [f"{record.kind.value} of {record.environment}: {record.outcome.value}", ""]
    told = {
        "who": record.actor,
        "when": f"{record.started_at.isoformat()} to {record.ended_at.isoformat()}",
        "why": record.reason,
        "what": record.components.value,
        "where": f"{record.account} {record.region}",
        "how": f"{record.commit} {record.workflow_run}",
        "release": record.release_id,
        "error": record.error,
    }
    return "\n".join([*lines, *(f"{name}: {text}" for name, text in told.items() if text.strip())]) + "\n"


def _table(title: str, told: dict[str, str]) -> str:
    rows = [f"| {name} | {_cell(text)} |" for name, text in told.items()]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *rows, ""])


def _cell(text: str) -> str:
    """Return text as it is to be read, whoever typed it: no markup, one line."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "<br>".join(_without_markup(line) for line in plain.splitlines())


def _without_markup(line: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_[]()#|!~@" else sign for sign in line)
