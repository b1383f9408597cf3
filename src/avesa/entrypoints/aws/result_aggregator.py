"""avesa-result-aggregator: closes a job's record."""

from __future__ import annotations

from avesa.entrypoints.aws.events import step_handler

handler = step_handler("aggregate_results")
