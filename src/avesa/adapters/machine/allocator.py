"""How this process's C library hands memory out."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_MMAP_THRESHOLD: Final = -3
"""M_MMAP_THRESHOLD of glibc's malloc.h."""
_LARGE_BYTES: Final = 1024 * 1024


def give_large_blocks_back() -> None:
    """Let a freed block of a megabyte or more go back to the system at once, where the C library is glibc.

    Left alone, glibc keeps blocks of a size that was freed before, for each of many threads: pages that came in dozens
    at a time took the process 100 MB more than they filled. Elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_MMAP_THRESHOLD, _LARGE_BYTES)
