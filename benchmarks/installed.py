"""The peers, installed into an environment of their own from hashed pins; the second time nothing is done."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

_PINS: Final = Path(__file__).parents[1] / "requirements" / "peers.txt"


def peers_python(folder: Path) -> Path:
    """Return the interpreter of the peers' environment below `folder`, made anew when the pins have changed."""
    wanted = hashlib.sha256(_PINS.read_bytes()).hexdigest()
    environment, stamp = folder / "peers", folder / "peers" / "installed.stamp"
    python = environment / "bin" / "python"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print("installing the peers (the first time this takes some minutes)", file=sys.stderr, flush=True)
    shutil.rmtree(environment, ignore_errors=True)
    venv.create(environment, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # Wheels only: building a source archive would fetch build tools that no hash covers.
    subprocess.run([*pip, "--require-hashes", "--only-binary=:all:", "-r", str(_PINS)], check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python
