"""The whole deployment guide, carried out on this machine: minutes, and other people's programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 1500


@pytest.mark.rehearsal
@pytest.mark.slow
@pytest.mark.parametrize("passes", [[], ["releases"]], ids=["guide", "releases"])
def test_the_guide_can_be_carried_out_as_it_is_written(passes: list[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "rehearsal", *passes],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )

    assert said.returncode == 0, said.stdout + said.stderr
