"""avesa-result-aggregator: closes a job's record, and looks by schedule how old all tables are."""

from __future__ import annotations

from avesa.entrypoints.aws.events import step_handler

handler = step_handler("aggregate_results", "check_freshness")
