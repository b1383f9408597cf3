"""Releases come back as they were kept, and records never change."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from avesa.adapters.memory.lake import MemoryLake
from avesa.application.releases import DeploymentLog, Releases, to_text
from avesa.domain.deployments import Components, DeploymentRecord, Kind, Outcome
from avesa.domain.errors import StorageError, UsageError

FILES = [("assembly/manifest.json", b"{}"), ("assembly/asset.zip", b"code"), ("mappings/a.json", b"code")]
RECORD = DeploymentRecord(
    deployment_id="20261125T120000000Z-prod-deployment",
    kind=Kind.DEPLOYMENT,
    environment="prod",
    actor="ann",
    reason='Deploy "new" features — and <b>more</b>',
    components=Components.LAMBDAS_ONLY,
    account="222222222222",
    region="us-east-2",
    commit="a" * 40,
    workflow_run="https://github.com/acme/avesa/actions/runs/1/attempts/1",
    is_forced=True,
    release_id="20261125T120000Z-aaaaaaaaaaaa",
    started_at=datetime(2026, 11, 25, 12, tzinfo=UTC),
    ended_at=datetime(2026, 11, 25, 12, 3, 20, tzinfo=UTC),
    outcome=Outcome.FAILED,
    error="test: not every function answers",
)


def test_a_release_comes_back_file_by_file() -> None:
    releases = Releases(MemoryLake())

    releases.keep("r1", FILES)

    assert sorted(releases.files("r1")) == sorted(FILES)
    assert releases.ids() == ["r1"]


def test_equal_contents_are_kept_once_over_all_releases() -> None:
    store = MemoryLake()

    Releases(store).keep("r1", FILES)
    Releases(store).keep("r2", [*FILES, ("assembly/other", b"more")])

    assert len(store.list("blobs/")) == 3


def test_a_release_that_is_kept_again_stays_as_it_was() -> None:
    releases = Releases(MemoryLake())
    releases.keep("r1", FILES)

    releases.keep("r1", [("assembly/manifest.json", b"another")])

    assert sorted(releases.files("r1")) == sorted(FILES)


def test_an_unknown_release_is_told_with_those_that_there_are() -> None:
    releases = Releases(MemoryLake())
    releases.keep("r1", FILES)

    with pytest.raises(UsageError, match="no release 'r9'; the last ones are: r1"):
        list(releases.files("r9"))


def test_a_content_that_was_changed_is_never_deployed() -> None:
    store = MemoryLake()
    Releases(store).keep("r1", [("assembly/asset.zip", b"code")])
    store.put(store.list("blobs/")[0].key, b"evil", overwrite=True)

    with pytest.raises(StorageError, match=r"asset\.zip of release r1 is not what was kept"):
        list(Releases(store).files("r1"))


def test_a_record_comes_back_as_it_was_and_tells_programs_its_duration() -> None:
    log = DeploymentLog(MemoryLake())

    log.add(RECORD)

    assert log.records() == [RECORD]
    assert json.loads(to_text(RECORD))["duration_seconds"] == 200


def test_a_record_is_written_once() -> None:
    log = DeploymentLog(MemoryLake())
    log.add(RECORD)

    with pytest.raises(UsageError, match="records never change"):
        log.add(RECORD)
