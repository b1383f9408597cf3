"""avesa-canonical-transform: compares source and lake, then folds raw into the canonical table."""

from __future__ import annotations

from avesa.entrypoints.aws.events import step_handler

handler = step_handler("reconcile_table", "transform_canonical")
