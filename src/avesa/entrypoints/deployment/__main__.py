"""`python -m avesa.entrypoints.deployment COMMAND …`: what scripts/deploy.sh and its neighbours call.

Standard library only until it is known that the rest is installed: this runs on whatever Python a newcomer has.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[4]
_NEEDED: Final = (
    "aws_cdk",
    "boto3",
    "cdk_nag",
    "click",
    "deltalake",
    "duckdb",
    "msgspec",
    "obstore",
    "pydantic",
    "rich",
)


def main() -> int:
    """Install what is missing, then run the command; return its exit status."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing and not {"-h", "--help"} & set(sys.argv[2:]):
        print(f"installing requirements.txt ({', '.join(missing)} missing in {sys.executable})", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*pip, "-r", "requirements.txt"], cwd=_ROOT, check=False).returncode != 0:  # noqa: S603 - own file
            print(
                "error: the Python dependencies are not installed and pip could not install them. Make an environment "
                "(python3 -m venv .venv; . .venv/bin/activate; pip install -r requirements.txt) and call this again",
                file=sys.stderr,
            )
            return 1
    try:
        from avesa.entrypoints.deployment.commands import run
    except ImportError as error:
        print(f"error: {error.name} is missing: pip install -r requirements.txt", file=sys.stderr)
        return 1
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
