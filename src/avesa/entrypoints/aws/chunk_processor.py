"""avesa-chunk-processor: reads a chunk into raw until it is done or the time is up."""

from __future__ import annotations

from avesa.entrypoints.aws.events import step_handler

handler = step_handler("process_chunk")
