#!/usr/bin/env python3
"""The deployment guide's door to `avesa setup-service`: the same options, from a checkout or an installation."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
    try:
        from avesa.entrypoints.cli import main
    except ImportError as error:
        sys.exit(f"setup-service: {error.name} is missing; python3 scripts/dev.py avesa setup-service … brings it")
    main(["setup-service", *sys.argv[1:]])
