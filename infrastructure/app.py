#!/usr/bin/env python3
"""The CDK app: `cdk synth|deploy|destroy` in this folder. Context `environment` is dev unless told otherwise.

    --context environment=dev|staging|prod   --context bucket_prefix=…   --context architecture=arm64|x86_64
    --context python=3.13

With --context github_repository=owner/name, or --context deployment_account=…, or both, the app also has the stack
AVESADeploymentAccess: the role that deploys, which only an administrator deploys, and which no deployment changes.

It needs no credentials to synthesize. With the virtual environment of scripts/dev.py beside it, it finds the CDK there.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def find_cdk() -> None:
    """Go on with the project's own Python when this one lacks the CDK; exit with what to do when none has it."""
    if find_spec("aws_cdk") is not None:
        return
    own = Path(os.environ.get("AVESA_VENV") or ROOT / ".venv") / "bin" / "python"
    if own.is_file() and os.environ.get("AVESA_CDK_PYTHON") != str(own):
        os.environ["AVESA_CDK_PYTHON"] = str(own)  # tried once, or it would start itself for ever
        os.execv(own, [str(own), __file__, *sys.argv[1:]])  # noqa: S606 - no shell is wanted
    sys.exit(
        f"aws-cdk-lib is missing in {sys.executable}: install it with "
        f"`{sys.executable} -m pip install -r {ROOT / 'requirements' / 'infrastructure.txt'}`"
    )


def main() -> int:
    """Synthesize; return the exit status."""
    find_cdk()
    # A script's folder comes first on the path; the package of that name is one above, the product's names in src.
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    from infrastructure.assembly import synthesize  # noqa: PLC0415 - importable only now

    return synthesize(os.environ)


if __name__ == "__main__":
    sys.exit(main())
