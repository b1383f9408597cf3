#!/usr/bin/env python3
"""The deployment guide's door to `python -m avesa.entrypoints.deployment test-end-to-end-pipeline`, from a checkout."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
    sys.argv.insert(1, "test-end-to-end-pipeline")
    runpy.run_module("avesa.entrypoints.deployment", run_name="__main__")
