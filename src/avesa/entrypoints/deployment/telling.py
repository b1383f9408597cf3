"""How a deployment says how far it is."""

from __future__ import annotations

import shutil


def step(number: int, of: int, name: str) -> None:
    """Say which part begins."""
    width = min(shutil.get_terminal_size().columns, 100)
    print(f"\n[{number}/{of}] {name} ".ljust(width, "-"), flush=True)


def say(text: str) -> None:
    """Say what was found or done."""
    print(text, flush=True)
