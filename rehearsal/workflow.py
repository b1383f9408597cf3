"""GitHub's part in a rehearsal: a workflow's steps, read from its file and carried out in order, as a runner does.

Of actions that are used, only signing in has an effect here: the role is asked for, and its credentials are what later
steps have. What an input or a variable is worth is put into `env:` alone; a shell line with `${{` is refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from rehearsal.emulator import ACCOUNT, REGION
from rehearsal.world import OutcomeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rehearsal.world import Done, World

_EXPRESSION: Final = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_SIGN_IN: Final = "aws-actions/configure-aws-credentials@"
# Both are installed for the rehearsal's newcomer already, by the same locks.
_INSTALLS: Final = frozenset({"Install what deploys", "Install what validates"})


@dataclass(slots=True)
class Runner:
    """Carries a workflow's jobs out in the world's clone."""

    world: World
    inputs: Mapping[str, str]
    variables: Mapping[str, str]
    """The repository's own, at GitHub."""
    tell: Callable[[str], None]
    actor: str = "ann"
    run_id: str = "1001"
    steps: list[str] = field(default_factory=list)
    """What was carried out, in order."""
    said: str = ""
    summary: str = ""

    def run_job(self, workflow: str, job: str) -> bool:
        """Carry a job out; return whether every step succeeded. After a failure only steps for `always()` follow."""
        described = self._workflow(workflow)["jobs"][job]
        variables = self._github() | {name: self._filled(text) for name, text in described["env"].items()}
        summary = self.world.folder / f"summary-{len(self.steps)}.md"
        variables["GITHUB_STEP_SUMMARY"] = str(summary)
        is_fine = True
        for step in described["steps"]:
            if not is_fine and step.get("if") != "always()":
                continue
            if step.get("uses", "").startswith(_SIGN_IN):
                variables |= self._signed_in(step["with"], variables)
            elif "run" in step and step["name"] not in _INSTALLS:
                done = self._run(step, variables)
                is_fine = is_fine and done.status == 0
        self.summary = summary.read_text(encoding="utf-8") if summary.is_file() else ""
        return is_fine

    def _workflow(self, name: str) -> dict[str, Any]:
        path: Path = self.world.clone / ".github" / "workflows" / name
        found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return found

    def _run(self, step: Mapping[str, str], variables: Mapping[str, str]) -> Done:
        if "${{" in step["run"]:
            raise OutcomeError(f"step {step['name']} has an expression in its shell line: {step['run']}")
        done = self.world.run(step["run"], more=variables, seconds=900)
        self.steps.append(step["name"])
        self.said += done.said
        self.tell(f"{'ok  ' if done.status == 0 else 'FAIL'}           step {step['name']}")
        return done

    def _github(self) -> dict[str, str]:
        commit = self.world.run("git rev-parse HEAD").out.strip()
        return {
            "GITHUB_ACTOR": self.actor,
            "GITHUB_TRIGGERING_ACTOR": self.actor,
            "GITHUB_SHA": commit,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "acme/avesa",
            "GITHUB_RUN_ID": self.run_id,
            "GITHUB_RUN_ATTEMPT": "1",
        }

    def _filled(self, value: object) -> str:
        return _EXPRESSION.sub(lambda found: self._value(found[1]), _text(value))

    def _value(self, expression: str) -> str:
        name, _, default = (part.strip() for part in expression.partition("||"))
        where, _, key = name.partition(".")
        known = {"inputs": self.inputs, "vars": self.variables, "env": {"AWS_REGION": REGION}}
        if where == "github":
            return {"run_id": self.run_id}[key]
        return known[where].get(key, "") or default.strip("'")

    def _signed_in(self, asked: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
        """Take on the role that the step names, from the development account, which its trust names."""
        role = self._filled(asked["role-to-assume"])
        session = self._filled(asked["role-session-name"])
        ours = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "secret"}
        code = (
            "import boto3, json, sys; "
            "print(json.dumps(boto3.client('sts').assume_role(RoleArn=sys.argv[1], RoleSessionName=sys.argv[2])"
            "['Credentials'], default=str))"
        )
        done = self.world.run(f"""python -c "{code}" {role} {session}""", more={**variables, **ours})
        self.steps.append("Sign in")
        if done.status != 0:
            raise OutcomeError(f"the role {role} could not be taken on:\n{done.said}")
        found = json.loads(done.out)
        return {
            "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
            "AWS_SESSION_TOKEN": found["SessionToken"],
        }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
