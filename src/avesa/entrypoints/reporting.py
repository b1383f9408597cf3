"""Carries out a run for a command and reports what it came to, as text or as JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from avesa.domain.errors import UsageError
from avesa.entrypoints.running import perform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.entrypoints.running import RunOptions


def reported(options: RunOptions, request: Mapping[str, object]) -> int:
    """Run, report, and return the exit status: 0 only when everything completed."""
    from avesa.domain.model import Status
    from avesa.entrypoints.report import show_result

    if options.place.is_local and not (options.place.home / "state.sqlite3").is_file():
        # Before anything is made in a folder whose name may have been mistyped.
        message = (
            f"no tenant is registered in {options.place.home}: register one with `avesa setup-service`, "
            "try `avesa demo`, or name another folder with --home"
        )
        raise UsageError(message)
    ending = perform(options, request)
    if options.is_json:
        sys.stdout.write(json.dumps(ending.result, ensure_ascii=False) + "\n")
    else:
        show_result(ending)
    return 0 if ending.result["status"] == Status.COMPLETED else 1
