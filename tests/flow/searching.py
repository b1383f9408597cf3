"""Searches a whole home for a text, in whatever form a file may have it."""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path


def files_with(home: Path, text: str) -> list[str]:
    """Return the files below the folder that hold the text: as bytes, in Parquet columns, or in base64."""
    found = (path for path in sorted(home.rglob("*")) if path.is_file() and text in _text(path.read_bytes()))
    return [path.relative_to(home).as_posix() for path in found]


def _text(content: bytes) -> str:
    if content[:4] == b"PAR1":
        return str(pq.read_table(io.BytesIO(content)).to_pylist())
    text = content.decode("utf-8", "replace")
    encoded = re.findall(r'"content_base64": ?"([^"]*)"', text)
    return text + "".join(base64.b64decode(item).decode("utf-8", "replace") for item in encoded)
