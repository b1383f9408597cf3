"""Types that many threads meet for the first time at once are read, and nobody dies of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# In a process of its own: without the lock it dies with a segmentation fault, within the first dozens of types.
MEETING = """
import sys, threading, types

sys.path.insert(0, "src")
from avesa.ports.decoding import converted

sys.setswitchinterval(1e-6)
fields = "".join(f"    f{number}: datetime | None = None\\n" for number in range(12))
text = (
    "from __future__ import annotations\\nfrom dataclasses import dataclass\\nfrom datetime import datetime\\n"
    f"@dataclass\\nclass Inner:\\n{fields}"
    f"@dataclass\\nclass Outer:\\n    inner: Inner\\n    other: Inner | None\\n{fields}"
)
for number in range(150):
    module = types.ModuleType(f"made{number}")
    sys.modules[module.__name__] = module
    exec(text, module.__dict__)
    together, found = threading.Barrier(8), []

    def meet():
        together.wait()
        found.append(converted({"inner": {}, "other": None}, module.Outer))

    threads = [threading.Thread(target=meet) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
"""


def test_types_that_threads_meet_together_are_made_once() -> None:
    met = subprocess.run([sys.executable, "-c", MEETING], cwd=ROOT, capture_output=True, text=True, check=False)

    assert met.returncode == 0, met.stderr
