"""A run that is killed at a durable write is recovered to the same rows; here a few deaths, in CI more, all by make."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")


@pytest.mark.slow
def test_a_sample_of_deaths_is_survived_both_ways() -> None:
    command = [sys.executable, "-m", "reliability.kill_matrix", "--sample", "29", "--workers", "1"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["tried"] == figures["survived"] > 4
    assert figures["most_pages_again_per_chunk"] <= 1
    assert figures["cells"] > 150
