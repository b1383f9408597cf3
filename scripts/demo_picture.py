"""Draws docs/demo.svg: runs `avesa demo` as on a terminal and keeps what it shows at its end, as a picture.

Run it with the project's own Python: .venv/bin/python scripts/demo_picture.py
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

_TARGET = Path(__file__).parents[1] / "docs" / "demo.svg"
_COLUMNS = 132
_BEGINS = "what became of it"


def _shown() -> str:
    """Return what the demo prints, with its colours."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(_COLUMNS), "TERM": "xterm-256color"}
        program = "from avesa.entrypoints.cli import main; main()"
        command = [sys.executable, "-c", program, "demo", "--home", f"{folder}/demo"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.replace(f"{folder}/demo", "./avesa-data/demo")


def main() -> None:
    """Write the picture."""
    text = _shown()
    text = text[text.rindex("\n", 0, text.index(_BEGINS)) + 1 :]
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text))
    picture = console.export_svg(title="avesa demo")
    # Fonts of somebody else's server: the reader's own will do.
    _TARGET.write_text(re.sub(r"@font-face\s*\{[^}]*\}", "", picture), encoding="utf-8")
    sys.stdout.write(f"{_TARGET} written\n")


if __name__ == "__main__":
    main()
