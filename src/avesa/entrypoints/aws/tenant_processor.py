"""avesa-tenant-processor: which tables a tenant has, and what they came to."""

from __future__ import annotations

from avesa.entrypoints.aws.events import step_handler

handler = step_handler("process_tenant", "finish_tenant")
