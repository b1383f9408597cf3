"""Breaks a copy of the source in the ways in which such programs are usually wrong, and shows what turns red.

python -m reliability.mutations                 every mutation
python -m reliability.mutations --only guard    those with the word in their name
python -m reliability.mutations --write         also writes docs/reliability.md and docs/reliability.json
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from reliability.edge_cases import EDGE_CASES
from reliability.mutation import Mutation, caught_by
from reliability.report import write_mutations

if TYPE_CHECKING:
    from collections.abc import Sequence

MUTATIONS: Final = (
    Mutation(
        name="bookmark before commit",
        module="application/steps/transform.py",
        old="    folded = _Folded() if mapping is None else _transformed(context, work, mapping)\n",
        new="    if work.plan is not None:\n        _move_bookmark(context, work, work.plan)\n"
        "    folded = _Folded() if mapping is None else _transformed(context, work, mapping)\n",
    ),
    Mutation(
        name="commit before raw: parts that landed since the fold began count as folded",
        module="application/steps/transform.py",
        old="    folded_keys = base.folded | {part.key for part in new}\n",
        new="    landed = context.raw.list(task.tenant_id, task.service, task.table_name)\n"
        "    folded_keys = base.folded | {part.key for part in landed}\n",
        hunter="tests/reliability/test_found_by_histories.py",
    ),
    Mutation(
        name="checkpoint before raw",
        module="application/steps/chunk.py",
        old="    if page.ids:\n        number = _put(",
        new="    if page.ids:\n        context.chunks.checkpoint(work.lease, replace(chunk, pages=number, "
        "resume_after_id=answer.resume_after, read_started_at=answer.source_now))\n        number = _put(",
    ),
    Mutation(
        name="lease without fence",
        module="adapters/memory/state.py",
        old="        return known is not None and known.fence == lease.fence\n",
        new="        return known is not None or lease.fence > 0\n",
        # Histories find it too, but not within 500 from every seed.
        hunter="tests/contracts/test_chunk_ledger.py::test_a_lost_lease_stores_nothing",
    ),
    Mutation(
        name="checkpoint from what was read: a part that is there counts as what was read now",
        module="domain/part_names.py",
        old="-f{fence}-p{page:05d}-{_text(min_id)}-{_text(max_id)}.parquet",
        new="-f1-p{page:05d}-{_text(min_id)}-{_text(min_id + 999)}.parquet",
        hunter="tests/contracts/test_raw_store.py",
    ),
    Mutation(
        name="error as end of data",
        module="application/steps/chunk.py",
        old="        answer = source.page(endpoint, limits, window=chunk.window, ids=ids, split=split)\n",
        new="        from avesa.domain.errors import TransientSourceError\n"
        "        try:\n            answer = source.page(endpoint, limits, window=chunk.window, ids=ids, split=split)\n"
        "        except TransientSourceError:\n            chunk = replace(chunk, status=Status.COMPLETED)\n"
        "            context.chunks.checkpoint(work.lease, chunk)\n            return chunk\n",
        hunter="tests/unit/application/test_runs.py",
    ),
    Mutation(
        name="guard off",
        module="application/steps/reconcile.py",
        old="    if is_too_much and not",
        new="    if is_too_much and False and not",
        hunter="tests/unit/application/test_runs.py",
    ),
    Mutation(
        name="> for >= : a state of the newest source time is taken for a newer one",
        module="canonical/scd2.py",
        old="        if observation.source_time > newest:\n",
        new="        if observation.source_time >= newest:\n",
        hunter="tests/unit/canonical",
    ),
    Mutation(
        name=">= for > : what was seen when a deletion was found counts as seen after it",
        module="canonical/scd2.py",
        old="epochs.setdefault(bisect_left(deletions, observation.seen_at), [])",
        new="epochs.setdefault(bisect_right(deletions, observation.seen_at), [])",
        hunter="tests/unit/canonical/test_scd2.py",
    ),
    Mutation(
        name="no overlap",
        module="application/planning.py",
        old="        return Window(since=state.bookmark_at - timedelta(minutes=overlap_minutes))\n",
        new="        return Window(since=state.bookmark_at)\n",
    ),
    Mutation(
        name="bookmark at the end of the read",
        module="application/steps/transform.py",
        old="    if plan.source_now is not None:\n        return plan.source_now\n",
        new="    if plan.source_now is not None:\n        return context.clock.now()\n",
    ),
    Mutation(
        name="hash over last_updated",
        module="canonical/projection.py",
        old="self._encode(values[:-2])",
        new="self._encode(values)",
        hunter="tests/unit/canonical",
    ),
    Mutation(
        name="transform of this job's parts only",
        module="application/steps/transform.py",
        old="    new = [part for part in parts if part.key not in base.folded]\n",
        new="    new = [part for part in parts if part.key not in base.folded and part.job_id == task.job_id]\n",
    ),
    Mutation(
        name="stale-table write",
        module="adapters/memory/canonical.py",
        old="            if len(commits) != (snapshot.version or 0):\n",
        new="            if len(commits) < (snapshot.version or 0):\n",
        hunter="tests/contracts/test_canonical_store.py",
    ),
    Mutation(
        name="a commit of unknown outcome is taken for none",
        module="application/steps/transform.py",
        old="        if not has_landed or newest",
        new="        if True or not has_landed or newest",
    ),
    Mutation(
        name="a page counts as seen when it is written",
        module="application/steps/chunk.py",
        old="    return lambda body: context.executor.parse(context.raw.pack, body, origin)\n",
        new="    return lambda body: context.executor.parse(\n"
        "        context.raw.pack, body, replace(origin, ingested_at=context.clock.now())\n    )\n",
        hunter="tests/reliability/test_found_by_histories.py",
    ),
    Mutation(
        name="a sweep looks at committed rows only",
        module="application/steps/reconcile.py",
        old="        unfolded = [part for part in self.parts if part.key not in snapshot.folded]\n",
        new="        unfolded = []  # type: ignore[var-annotated]\n",
    ),
    Mutation(
        name="an old plan is finished as it was",
        module="application/planning.py",
        old="    if not begun or is_waiting or",
        new="    if begun or is_waiting or",
    ),
    Mutation(
        name="counts are believed",
        module="application/completeness.py",
        old="        is_believed = counted == size and (not asked.is_thorough or bool(sizes))\n",
        new="        is_believed = True\n",
    ),
    Mutation(
        name="Retry-After is one worker's affair",
        module="application/source.py",
        old="            self._budget.throttled(seconds)\n",
        new="            self._clock.sleep(seconds)\n",
    ),
    Mutation(
        name="a clock that was put back tells the order",
        module="application/leasing.py",
        old="acquired_at=max(lease.acquired_at, _latest(context, before)))",
        new="acquired_at=lease.acquired_at)",
        hunter="tests/unit/application/test_clock_put_back.py",
    ),
    Mutation(
        name="Retry-After is one process's affair",
        module="adapters/local/budget.py",
        old="        if self._pause is not None and wait > 0:\n",
        new="        if self._pause is not None and wait < 0:\n",
        hunter="tests/contracts/test_request_budget.py",
    ),
    Mutation(
        name="a pause of days is slept through",
        module="domain/pacing.py",
        old="    if seconds <= longest_seconds:\n",
        new="    if seconds > 0:\n",
        hunter="tests/contracts/test_request_budget.py",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what caught each mutation; the exit status is 1 when one of them was caught by nothing."""
    parser = argparse.ArgumentParser(prog="python -m reliability.mutations", description="Mutations of the source.")
    parser.add_argument("--only", default="", help="mutations with this text in their name")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md and docs/reliability.json")
    chosen = parser.parse_args(arguments)
    found = []
    for mutation in (*MUTATIONS, *EDGE_CASES):
        if chosen.only in mutation.name:
            caught = caught_by(mutation)
            found.append({"mutation": mutation.name, "caught_by": caught})
            print(f"{'red  ' if caught else 'GREEN'} {mutation.name}: {caught or 'nothing'}", flush=True)
    if chosen.write:
        write_mutations(found, is_whole=not chosen.only)
    return 1 if any(item["caught_by"] is None for item in found) else 0


if __name__ == "__main__":
    sys.exit(main())
