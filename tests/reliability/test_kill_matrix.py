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
@pytest.mark.parametrize(
    ("backend", "sample"), [("local", 29), pytest.param("aws", 43, marks=pytest.mark.emulator)], ids=["local", "aws"]
)
def test_a_sample_of_deaths_is_survived_both_ways(backend: str, sample: int) -> None:
    command = [sys.executable, "-m", "reliability.kill_matrix", "--backend", backend, "--sample", str(sample)]

    done = subprocess.run([*command, "--workers", "1"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["tried"] == figures["survived"] > 3
    assert figures["most_pages_again_per_chunk"] <= 1
    assert figures["cells"] > 150
