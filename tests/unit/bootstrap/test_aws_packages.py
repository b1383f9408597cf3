"""A function without the table engines may name the fold that another function will do, and cannot do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

pytest.importorskip("boto3", reason="the AWS extra is not installed: requirements/aws.txt")

from avesa.adapters.machine.clock import SystemClock
from avesa.adapters.machine.threads import ThreadExecutor
from avesa.adapters.memory.lake import MemoryLake
from avesa.bootstrap.aws_packages import canonical_store
from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from avesa.ports.tables import FoldGroup


def test_planning_a_large_table_names_the_fold_without_having_it() -> None:
    store = canonical_store("chunk", MemoryLake(), SystemClock())

    ThreadExecutor().prepare(store.fold)  # what process_table does for a table that is worth it

    with pytest.raises(ConfigError, match="need the transform package; this function has the chunk package"):
        store.fold(cast("FoldGroup", None))
