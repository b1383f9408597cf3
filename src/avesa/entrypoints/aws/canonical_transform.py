"""avesa-canonical-transform: compares source and lake, then folds raw into the canonical table.

Invoked by hand it also verifies or maintains a table, or reads its quarantine again. It can erase nothing: that takes
rights which no function has.
"""

from __future__ import annotations

from avesa.entrypoints.aws.events import step_handler

handler = step_handler("reconcile_table", "transform_canonical", "verify_table", "retry_quarantine", "maintain_table")
