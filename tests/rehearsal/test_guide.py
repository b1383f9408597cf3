"""The guide and its rehearsal know the same commands: none can be written that is not carried out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from avesa.entrypoints.deployment.cdk import MENDS, mend
from rehearsal.guide import GUIDE, Block, blocks, commands, rehearsals
from rehearsal.outcomes import OUTCOMES, table

ROOT = Path(__file__).resolve().parents[2]
TEXT = GUIDE.read_text(encoding="utf-8")


def test_every_command_of_the_guide_has_a_rehearsal_and_no_rehearsal_is_left_over() -> None:
    assert set(commands(TEXT)) == set(OUTCOMES)


def test_the_table_of_the_guide_says_what_the_rehearsal_asserts() -> None:
    assert rehearsals(TEXT) == {command: outcome.how for command, outcome in OUTCOMES.items()}
    assert table() in TEXT, "make it again: python -m rehearsal --table"


def test_a_command_that_nobody_rehearses_is_found() -> None:
    added = TEXT.replace("git clone <repository-url>\n", "git clone <repository-url>\naws s3 rb s3://everything\n", 1)

    assert set(commands(added)) - set(OUTCOMES) == {"aws s3 rb s3://everything"}


def test_continued_lines_are_one_command_and_comments_none() -> None:
    text = "```bash\n# why\naws s3 \\\n  ls\n\ncd x\n```\n\n```\nno command\n```\n"

    assert list(blocks(text)) == [Block(("aws s3 ls", "cd x"))]


@pytest.mark.parametrize("section", ["Overview", "Prerequisites", "Quick start", "Security", "Advanced configuration"])
def test_the_guide_has_its_sections(section: str) -> None:
    assert f"\n## {section}\n" in TEXT


def test_the_guide_names_each_error_of_its_troubleshooting() -> None:
    told = (
        "toolkit stack must be deployed",
        "is not authorized to perform",
        "AWS profile 'avesa-production' not configured",
        "pydantic_core._pydantic_core",
        "Requested resource not found",
        "Function not found",
    )

    assert [words for words in told if words not in TEXT] == []


def test_the_cdks_known_failures_come_with_their_mend() -> None:
    said = "User: arn:aws:iam::1:user/me is not authorized to perform: iam:CreateRole on resource: role x"

    assert "--profile NAME" in mend(said, "cdk bootstrap aws://1/us-east-2")
    assert "cdk bootstrap aws://1/us-east-2" in mend(MENDS[0][0], "cdk bootstrap aws://1/us-east-2")
    assert mend("something new", "x").endswith("Then call the same command again: it goes on from here.")


@pytest.mark.parametrize("name", ["deploy.sh", "setup-service.py", "test-lambda-functions.py"])
def test_a_script_of_the_guide_has_help_and_needs_no_more_than_20_lines(name: str) -> None:
    path = ROOT / "scripts" / name
    program = ["bash"] if name.endswith(".sh") else [sys.executable]
    said = subprocess.run([*program, str(path), "--help"], capture_output=True, text=True, check=False)

    assert len(path.read_text(encoding="utf-8").splitlines()) <= 20
    assert said.returncode == 0, said.stderr
    assert "--environment" in said.stdout
