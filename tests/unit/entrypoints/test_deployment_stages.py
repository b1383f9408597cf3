"""What holds a deployment back, what its stages leave for its record, and how the record is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from avesa.adapters.aws.account import Caller
from avesa.adapters.memory.clock import FakeClock
from avesa.bootstrap.workflow import Request
from avesa.domain.deployments import Components, Kind, Outcome
from avesa.domain.errors import AvesaError
from avesa.domain.names import Environment
from avesa.entrypoints.deployment.commands import STAGE_NAMES, run
from avesa.entrypoints.deployment.journal import STAGES as NEEDED
from avesa.entrypoints.deployment.journal import Journal
from avesa.entrypoints.deployment.record import asked_text, ended_text, make_record, plain_text, release_name
from avesa.entrypoints.deployment.release import cdk_variables
from avesa.entrypoints.deployment.safety import await_runs, check_change, check_commit, check_site
from avesa.entrypoints.deployment.stages import STAGES, without_credentials

if TYPE_CHECKING:
    from pathlib import Path

    from avesa.adapters.aws.account import Account
    from avesa.bootstrap.account import Site
    from avesa.domain.deployments import DeploymentRecord

COMMIT = "a" * 40
BEGIN = datetime(2026, 11, 25, 12, tzinfo=UTC)


def request(**other: object) -> Request:
    asked: dict[str, Any] = {
        "environment": Environment.PROD,
        "components": Components.ALL,
        "reason": "Deploy new ConnectWise integration features",
        "is_forced": False,
        "actor": "ann",
        "commit": COMMIT,
        "workflow_run": "https://github.com/acme/avesa/actions/runs/1/attempts/1",
        "account": "222222222222",
        "region": "us-east-2",
    }
    return Request(**(asked | other))


def record(error: str = "", **other: object) -> DeploymentRecord:
    return make_record(
        request(**other),
        kind=Kind.DEPLOYMENT,
        account="222222222222",
        release_id=release_name(BEGIN, COMMIT),
        started_at=BEGIN,
        ended_at=BEGIN + timedelta(seconds=200),
        error=error,
    )


@dataclass
class BusyAccount:
    """An account whose runs end one after the other, one at each look."""

    running: list[str]
    asked: list[str] = field(default_factory=list)

    def running_executions(self, machine: str) -> list[str]:
        self.asked.append(machine)
        found = list(self.running)
        del self.running[:1]
        return found


class ForeignSite:
    """Credentials of another account than was meant."""

    environment = Environment.PROD
    region = "us-east-2"

    @property
    def account(self) -> ForeignSite:
        return self

    def caller(self) -> Caller:
        return Caller(account="333333333333", arn="arn:aws:iam::333333333333:user/eve")


def awaited(account: BusyAccount, clock: FakeClock, **asked: object) -> None:
    await_runs(request(**asked), cast("Account", account), clock, most_seconds=60)


def test_runs_under_way_are_waited_for() -> None:
    clock, account = FakeClock(BEGIN), BusyAccount(["one", "two"])

    awaited(account, clock)

    assert clock.slept == [15.0, 15.0]
    assert set(account.asked) == {"PipelineOrchestrator"}


def test_a_run_that_outlasts_the_time_holds_the_deployment_back() -> None:
    with pytest.raises(AvesaError, match=r"still under way after 60 s \(job-.*force_deploy"):
        awaited(BusyAccount([f"job-{number}" for number in range(9)]), FakeClock(BEGIN))


def test_force_does_not_wait() -> None:
    clock = FakeClock(BEGIN)

    awaited(BusyAccount(["one"]), clock, is_forced=True)

    assert clock.slept == []


def test_the_same_commit_is_not_deployed_twice_unless_forced() -> None:
    there = [record()]

    with pytest.raises(AvesaError, match="nothing changed"):
        check_change(request(), there)
    check_change(request(is_forced=True), there)
    check_change(request(commit="b" * 40), there)


@pytest.mark.parametrize("there", ["", "b" * 40, f"{COMMIT}-changed"])
@pytest.mark.parametrize("is_forced", [True, False])
def test_what_lies_here_must_be_the_commit_that_was_asked_for_forced_or_not(there: str, *, is_forced: bool) -> None:
    with pytest.raises(AvesaError, match=f"asked for is {COMMIT}"):
        check_commit(request(is_forced=is_forced), there)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(BEGIN)


@pytest.fixture
def journal(tmp_path: Path, clock: FakeClock) -> Journal:
    return Journal(path=tmp_path / "deep" / "journal.json", now=clock.now)


def test_a_deployment_through_all_stages_has_no_error(journal: Journal, clock: FakeClock) -> None:
    for name in NEEDED:
        with journal.stage(name):
            clock.advance(10)

    assert journal.error() == ""
    assert (journal.started_at, journal.ended_at) == (BEGIN, BEGIN + timedelta(seconds=50))


def test_the_first_stage_that_failed_is_told_with_its_words(journal: Journal) -> None:
    with journal.stage("safety-checks"):
        pass
    with pytest.raises(AvesaError), journal.stage("package"):
        raise AvesaError("pip could not fill the chunk package")

    assert journal.error() == "package: pip could not fill the chunk package"


def test_a_stage_that_was_cut_off_is_told_from_one_that_was_not_reached(journal: Journal) -> None:
    assert journal.error() == "safety-checks: it was not reached"
    journal.path.parent.mkdir(parents=True, exist_ok=True)
    journal.path.write_text(json.dumps({"stages": dict.fromkeys(NEEDED[:2], "")}))

    told = []
    with journal.stage("deploy"):
        told.append(journal.error())

    assert told == ["deploy: it began and did not end: it was cancelled, or its machine was lost"]
    assert journal.error() == "verify: it was not reached"


def test_an_interrupted_stage_has_failed(journal: Journal) -> None:
    with pytest.raises(KeyboardInterrupt), journal.stage("safety-checks"):
        raise KeyboardInterrupt

    assert journal.error() == "safety-checks: KeyboardInterrupt"


def test_safety_checks_begin_a_new_deployment(journal: Journal) -> None:
    with journal.stage("safety-checks"):
        journal.begin_release("old")

    with journal.stage("safety-checks"):
        pass

    assert journal.release_id == ""


def test_an_error_makes_a_failure_and_long_ones_are_cut() -> None:
    assert (record().outcome, record("deploy: no").outcome) == (Outcome.SUCCEEDED, Outcome.FAILED)
    assert len(record("x" * 9_000).error) == 4_000


def test_releases_sort_by_their_making() -> None:
    names = [release_name(BEGIN + timedelta(hours=hours), commit) for hours, commit in ((1, "0" * 40), (0, "f" * 40))]

    assert sorted(names) == [names[1], names[0]]


def test_the_summary_shows_every_answer_of_the_audit_and_no_markup_of_whoever_typed() -> None:
    told = ended_text(record("deploy: no", reason="see <img src=x> | [here](http://evil) `code`\u2028"))

    for word in ("ann", "2026-11-25 12:00:00 UTC", "200 s", "222222222222", "us-east-2", COMMIT, "runs/1", "failed"):
        assert word in told.replace("\\", "")
    assert "<img" not in told
    assert "](http" not in told
    assert len(told.splitlines()) == len(ended_text(record("deploy: no")).splitlines())


def test_what_is_asked_for_says_that_it_is_forced() -> None:
    assert "forced | yes" in asked_text(request(is_forced=True))
    assert "forced | no" in asked_text(request())


def test_the_message_has_what_the_record_has() -> None:
    told = plain_text(record("deploy: no"))

    assert "deployment of prod: failed" in told
    assert "error: deploy: no" in told


def test_what_makes_packages_knows_no_credential() -> None:
    kept = without_credentials(
        {
            "PATH": "/usr/bin",
            "PIP_CACHE_DIR": "cache",
            "AVESA_BUCKET_PREFIX": "acme",
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "file",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "token",
            "GITHUB_TOKEN": "token",
        }
    )

    assert set(kept) == {"PATH", "PIP_CACHE_DIR", "AVESA_BUCKET_PREFIX", "AWS_EC2_METADATA_DISABLED"}


def test_the_cdk_is_told_one_region_and_the_environments_account() -> None:
    told = cdk_variables(Environment.PROD, "222222222222", "us-west-2", {"AWS_REGION": "us-east-1", "PATH": "/usr/bin"})

    assert {told[name] for name in told if "REGION" in name} == {"us-west-2"}
    assert told["CDK_PROD_ACCOUNT"] == "222222222222"


@pytest.mark.parametrize("is_forced", [True, False])
def test_another_account_than_the_one_asked_for_is_refused_forced_or_not(*, is_forced: bool) -> None:
    site = cast("Site", ForeignSite())

    with pytest.raises(AvesaError, match="prod is to be deployed to 222222222222"):
        check_site(site, request(is_forced=is_forced).account)


def test_the_stages_that_a_workflow_calls_are_there_in_its_order() -> None:
    assert tuple(STAGES) == STAGE_NAMES


def test_a_refused_request_is_a_wrong_call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ENVIRONMENT_TARGET", "production")
    monkeypatch.delenv("DEPLOYMENT_CONFIRMATION", raising=False)

    assert run(["stage", "validate"]) == 2
    assert "this deployment is refused" in capsys.readouterr().err
