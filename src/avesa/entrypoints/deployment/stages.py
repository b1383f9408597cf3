"""The stages of a deployment that a workflow calls one after the other, each in a process of its own.

What they share is the request in their variables, the packaged assembly, and the journal of what came before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from avesa.bootstrap.account import checkout_mappings, machine_clock, open_site
from avesa.bootstrap.aws import await_pipeline, start_pipeline
from avesa.bootstrap.workflow import read_request
from avesa.domain.deployments import Kind, Outcome
from avesa.domain.errors import AvesaError
from avesa.entrypoints.deployment.functions import check_functions
from avesa.entrypoints.deployment.journal import Journal
from avesa.entrypoints.deployment.record import (
    asked_text,
    ended_text,
    keep_record,
    make_record,
    plain_text,
    release_name,
)
from avesa.entrypoints.deployment.release import ASSEMBLY, bring, keep, package
from avesa.entrypoints.deployment.safety import await_runs, check_change, check_commit, check_site, known_records
from avesa.entrypoints.deployment.telling import say
from avesa.entrypoints.deployment.tools import ROOT, check_tools, checked_out_commit
from avesa.entrypoints.deployment.validation import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from avesa.bootstrap.account import Site
    from avesa.bootstrap.workflow import Request
    from avesa.domain.deployments import DeploymentRecord

JOURNAL: Final = ROOT / "build" / "deployment" / "journal.json"
_RUN_SECONDS: Final = 900.0
"""How long a test run is followed; one that takes longer has begun well, and is left to its alarms."""
_WAIT_SECONDS: Final = 1800.0
_FINE: Final = frozenset({"completed", "partial_success"})


def validate_request(variables: Mapping[str, str]) -> None:
    """Say that the request is fit to be tried. Raises UsageError that lists everything wrong with it."""
    request = read_request(variables)
    say(f"{request.actor} may try to deploy {request.components.value} to {request.environment.value}")


def summarize(variables: Mapping[str, str]) -> None:
    """Write what is asked for, and once it has ended what came of it, into the run's summary."""
    request = read_request(variables)
    text = ended_text(_record(request, _journal())) if JOURNAL.is_file() else asked_text(request)
    say(text)
    if variables.get("GITHUB_STEP_SUMMARY"):
        with Path(variables["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


def check_safety(variables: Mapping[str, str]) -> None:
    """Raise AvesaError when the deployment must not begin; wait for runs that are under way."""
    request = read_request(variables)
    with _journal().stage("safety-checks"):
        check_commit(request, checked_out_commit())
        check_tools(variables)
        site = _site(request)
        check_site(site, request.account)
        check_change(request, known_records(site))
        await_runs(request, site.account, site.clock, most_seconds=_WAIT_SECONDS)


def make_package(variables: Mapping[str, str]) -> None:
    """Make the functions' packages and the templates; no credential reaches what makes them."""
    request = read_request(variables)
    with _journal().stage("package"):
        package(request.environment, request.account, request.region, without_credentials(variables))


def without_credentials(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what may be known to programs that make packages: neither AWS's credentials nor GitHub's tokens."""
    bare = {name: text for name, text in variables.items() if not name.startswith(("AWS_", "ACTIONS_", "GITHUB_"))}
    return bare | {"AWS_EC2_METADATA_DISABLED": "true"}  # nor is the machine asked for its own


def deploy_package(variables: Mapping[str, str]) -> None:
    """Bring what was packaged into the account, and keep it as a release."""
    request, journal = read_request(variables), _journal()
    with journal.stage("deploy"):
        site = _site(request)
        check_site(site, request.account)
        release_id = release_name(journal.started_at, request.commit)
        mappings = checkout_mappings()
        journal.begin_release(release_id)
        bring(site, request.account, request.components, ASSEMBLY, mappings)
        keep(site, release_id, ASSEMBLY, mappings)


def verify(variables: Mapping[str, str]) -> None:
    """Look at every part that must be there now. Raises AvesaError that lists what is not."""
    request = read_request(variables)
    with _journal().stage("verify"):
        for line in validate(_site(request)):
            say(line)


def test(variables: Mapping[str, str]) -> None:
    """Call every function, then let the state machines carry out one ordinary run. Raises AvesaError when either
    fails. A run of which some tables were left out (another run had them) is fine.
    """
    request = read_request(variables)
    with _journal().stage("test"):
        site = _site(request)
        if check_functions(site, is_verbose=False) != 0:
            raise AvesaError("not every function answers as it should; what each said is above")
        run = start_pipeline({}, site.settings)
        say(f"started job {run['job_id']}: {run['execution_arn']}")
        result = await_pipeline(run["execution_arn"], timeout_seconds=_RUN_SECONDS, settings=site.settings)
        if result is None:
            say(f"it still runs after {_RUN_SECONDS:.0f} s: `avesa job {run['job_id']}` and the alarms follow it")
        elif result.get("status") not in _FINE:
            raise AvesaError(f"job {run['job_id']} ended {result.get('status')}: `avesa job {run['job_id']}` says why")
        else:
            say(f"it ended {result['status']}")


def record(variables: Mapping[str, str]) -> None:
    """Keep what this deployment was and came to, a failure too. Raises AvesaError when it cannot be kept."""
    request = read_request(variables)
    keep_record(_site(request), _record(request, _journal()))


def notify(variables: Mapping[str, str]) -> None:
    """Tell the environment's topic what came of it."""
    request = read_request(variables)
    made = _record(request, _journal())
    mark = "" if made.outcome is Outcome.SUCCEEDED else "FAILED: "
    subject = f"{mark}AVESA {made.environment}, {made.components.value}, by {made.actor}"
    topic = f"avesa-alarms{request.environment.suffix}"
    _site(request).account.tell(topic, subject, plain_text(made))
    say(f"told the topic {topic}: {subject}")


STAGES: Final[dict[str, Callable[[Mapping[str, str]], None]]] = {
    "validate": validate_request,
    "summary": summarize,
    "safety-checks": check_safety,
    "package": make_package,
    "deploy-package": deploy_package,
    "verify": verify,
    "test": test,
    "record": record,
    "notify": notify,
}
"""The commands that a workflow calls, in its order."""


def _record(request: Request, journal: Journal) -> DeploymentRecord:
    return make_record(
        request,
        kind=Kind.DEPLOYMENT,
        account=request.account,
        release_id=journal.release_id,
        started_at=journal.started_at,
        ended_at=journal.ended_at,
        error=journal.error(),
    )


def _journal() -> Journal:
    return Journal(path=JOURNAL, now=machine_clock().now)


def _site(request: Request) -> Site:
    return open_site(request.environment, region=request.region, profile=None)
