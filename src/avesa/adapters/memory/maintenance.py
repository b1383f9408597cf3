"""Maintenance of tables in memory: the rules of the store on files, on a list of commits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from avesa.adapters.memory.canonical import MemoryCanonicalStore
from avesa.domain.errors import CommitConflict
from avesa.domain.names import canonical_prefix
from avesa.ports.lake import ObjectInfo
from avesa.ports.tables import TableFile
from avesa.ports.upkeep import TableSurvey

if TYPE_CHECKING:
    from datetime import datetime

    from avesa.ports.tables import TableSnapshot


class MemoryTableMaintainer(MemoryCanonicalStore):
    """A TableMaintainer of the tables that it stores itself."""

    def survey(self, snapshot: TableSnapshot, *, keep_since: datetime) -> TableSurvey:
        table = _prefix(snapshot)
        commits = self._commits.get(table, [])[: snapshot.version or 0]
        if not commits:
            return TableSurvey()
        since = [number for number, commit in enumerate(commits, start=1) if commit.committed_at > keep_since]
        oldest = max(1, since[0] - 1) if since else len(commits)
        needed = {file.path for commit in commits[oldest - 1 :] for file in commit.files}
        unneeded = [
            ObjectInfo(key=key, size_bytes=len(content))
            for key, content in sorted(self._files.items())
            if key.startswith(table) and self._written_at[key] < keep_since and key.removeprefix(table) not in needed
        ]
        files = Counter(file.bucket for file in snapshot.files)
        return TableSurvey(
            oldest_kept=oldest,
            split=tuple(file for file in snapshot.files if files[file.bucket] > 1),
            unneeded=tuple(unneeded),
            log_entries=len(commits) - self._checkpoints.get(table, 0),
        )

    def settle(self, snapshot: TableSnapshot, survey: TableSurvey, *, token: str) -> TableSnapshot:
        table = _prefix(snapshot)
        joined = []
        for bucket in sorted({file.bucket for file in survey.split}):
            path = f"id_bucket={bucket}/part-{token}"
            content = self._read(
                snapshot.tenant_id, snapshot.mapping, [file for file in survey.split if file.bucket == bucket]
            )
            self._put(table + path, content)
            rows = sum(len(found) for found in content.values())
            joined.append(TableFile(path=path, bucket=bucket, size_bytes=rows))
        kept = [file for file in snapshot.files if file not in survey.split]
        with self._lock:
            commits = self._commits[table]
            if len(commits) != snapshot.version:
                raise CommitConflict(f"{snapshot.tenant_id}/{snapshot.mapping.table}: another commit came first")
            files = tuple(sorted((*kept, *joined), key=lambda file: file.path))
            commits.append(replace(commits[-1], files=files, committed_at=self._clock.now()))
        return self.open(snapshot.tenant_id, snapshot.service, snapshot.mapping)

    def discard(self, snapshot: TableSnapshot, survey: TableSurvey) -> None:  # noqa: ARG002 - the keys say the table
        for info in survey.unneeded:
            self._files.pop(info.key, None)

    def shorten_log(self, snapshot: TableSnapshot) -> int:
        self._checkpoints[_prefix(snapshot)] = snapshot.version or 0
        return 0


def _prefix(snapshot: TableSnapshot) -> str:
    return canonical_prefix(snapshot.tenant_id, snapshot.mapping.table)
