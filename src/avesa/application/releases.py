"""What is kept of deployments: a record of each, and every release's files, so that one can be deployed again.

records/{deployment id}.json       one deployment, written once
releases/{release id}.json         which files a release has, each with the SHA-256 of its content
blobs/{SHA-256}                    contents, each once, however many releases have it
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from avesa.domain.deployments import Components, DeploymentRecord, Kind, Outcome
from avesa.domain.errors import StorageError, UsageError
from avesa.ports.lake import ObjectExists

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from avesa.ports.lake import Lake

RECORDS: Final = "records/"
RELEASES: Final = "releases/"
_BLOBS: Final = "blobs/"


@dataclass(frozen=True, slots=True)
class DeploymentLog:
    """The records of an environment's deployments."""

    store: Lake

    def add(self, record: DeploymentRecord) -> None:
        """Keep a record; a second one of the same deployment is refused with UsageError."""
        try:
            self.store.put(f"{RECORDS}{record.deployment_id}.json", to_text(record).encode())
        except ObjectExists:
            raise UsageError(
                f"deployment {record.deployment_id} has its record already, and records never change"
            ) from None

    def records(self) -> list[DeploymentRecord]:
        """Return every record, oldest first."""
        return [from_text(self.store.get(found.key).decode()) for found in self.store.list(RECORDS)]


@dataclass(frozen=True, slots=True)
class Releases:
    """The files of releases."""

    store: Lake

    def keep(self, release_id: str, files: Iterable[tuple[str, bytes]]) -> None:
        """Keep a release's files by their relative paths; one that is kept already stays as it is."""
        held: dict[str, str] = {}
        there = {found.key for found in self.store.list(_BLOBS)}
        for path, content in files:
            digest = hashlib.sha256(content).hexdigest()
            held[path] = digest
            if f"{_BLOBS}{digest}" not in there:
                self._put(f"{_BLOBS}{digest}", content)
        # Last, so that a release that is listed has all of its files.
        self._put(f"{RELEASES}{release_id}.json", json.dumps(held, sort_keys=True, indent=1).encode())

    def files(self, release_id: str) -> Iterator[tuple[str, bytes]]:
        """Give a release's files. Raises UsageError for an unknown release, StorageError for a content that is not
        what was kept.
        """
        try:
            held: dict[str, str] = json.loads(self.store.get(f"{RELEASES}{release_id}.json"))
        except KeyError:
            known = ", ".join(self.ids()[-5:]) or "none"
            raise UsageError(f"there is no release {release_id!r}; the last ones are: {known}") from None
        for path, digest in held.items():
            content = self.store.get(f"{_BLOBS}{digest}")
            if hashlib.sha256(content).hexdigest() != digest:
                raise StorageError(
                    f"{path} of release {release_id} is not what was kept (its SHA-256 differs): nothing was deployed; "
                    "choose another release with --to"
                )
            yield path, content

    def ids(self) -> list[str]:
        """Return the releases that are kept, oldest first."""
        return [found.key.removeprefix(RELEASES).removesuffix(".json") for found in self.store.list(RELEASES)]

    def _put(self, key: str, content: bytes) -> None:
        try:
            self.store.put(key, content)
        except ObjectExists:
            return  # named by its content, or kept by an earlier try


def to_text(record: DeploymentRecord) -> str:
    """Return a record as JSON, for programs that read the bucket."""
    told = {**asdict(record), "duration_seconds": record.duration_seconds}
    return json.dumps(told, indent=1, default=datetime.isoformat)


def from_text(text: str) -> DeploymentRecord:
    """Return the record that `to_text` wrote; keys that a later version added are left out."""
    told = json.loads(text)
    known = {name: told[name] for name in DeploymentRecord.__dataclass_fields__}
    return DeploymentRecord(
        **{
            **known,
            "kind": Kind(told["kind"]),
            "components": Components(told["components"]),
            "outcome": Outcome(told["outcome"]),
            "started_at": datetime.fromisoformat(told["started_at"]),
            "ended_at": datetime.fromisoformat(told["ended_at"]),
        }
    )
