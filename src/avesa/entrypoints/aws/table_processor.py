"""avesa-table-processor: leases and plans a table, and lets go of it."""

from __future__ import annotations

from avesa.entrypoints.aws.events import step_handler

handler = step_handler("process_table", "finish_table")
