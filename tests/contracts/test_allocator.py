"""Memory of large blocks goes back to the system, so that a process holds what it uses."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

# A large block that was freed makes glibc keep others of its size on its heap; then none is mapped on its own.
PROGRAM = """
import ctypes
from avesa.adapters.machine.allocator import give_large_blocks_back

class Told(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", *"123456")]

ask = ctypes.CDLL(None).mallinfo2
ask.restype = Told
give_large_blocks_back()
first = bytearray(5_000_000)
del first
pages = [bytearray(5_000_000) for _ in range(8)]
print(ask().hblks)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33 or newer"
)
def test_large_blocks_are_mapped_on_their_own_whatever_was_freed_before() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert int(done.stdout) >= 8
