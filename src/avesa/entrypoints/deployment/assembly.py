"""A synthesized assembly as a release: which files it is, and how a part of it is deployed without the other.

Both partial deployments go through CloudFormation, with a template that has the functions' code of one side and all
else of the other. Code that was changed behind CloudFormation's back would stay when a later deployment brings back a
template that CloudFormation believes to be there already.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any, Final

from avesa.domain.errors import AvesaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Template = dict[str, Any]
FUNCTION: Final = "AWS::Lambda::Function"
MAPPINGS: Final = "mappings/"
ASSEMBLY: Final = "assembly/"
MADE: Final = ("*.template.json", "*.assets.json", "*.metadata.json")
"""What a synthesis writes for each stack; the manifest names all of it."""
_ALWAYS: Final = ("manifest.json", "cdk.out", "tree.json")


def release_files(assembly: Path, mappings: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Give everything that deploying the assembly needs, by its path in a release: what the stacks' manifests name, and
    the mappings. Packages of earlier syntheses in the same folder are left out.
    """
    made = [path for pattern in MADE for path in sorted(assembly.glob(pattern))]
    for path in (*(assembly / name for name in _ALWAYS), *made):
        yield f"{ASSEMBLY}{path.name}", path.read_bytes()
    named: set[str] = set()
    for path in assembly.glob("*.assets.json"):
        named |= {item["source"]["path"] for item in json.loads(path.read_bytes())["files"].values()}
    for name in sorted(name for name in named if not name.endswith(".template.json")):
        yield f"{ASSEMBLY}{name}", (assembly / name).read_bytes()
    for name, content in sorted(mappings.items()):
        yield f"{MAPPINGS}{name}", content


def lay_out(files: Iterator[tuple[str, bytes]], folder: Path) -> Mapping[str, bytes]:
    """Write a release's assembly into `folder`; return its mappings. Raises AvesaError for a path that leaves it."""
    mappings: dict[str, bytes] = {}
    for path, content in files:
        if path.startswith(MAPPINGS):
            mappings[path.removeprefix(MAPPINGS)] = content
            continue
        target = (folder / path.removeprefix(ASSEMBLY)).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise AvesaError(f"the release names the file {path}, which lies outside of it: it was tampered with")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return mappings


def with_code_of(template: Template, other: Template) -> Template:
    """Return `template` with the functions' code of `other`; a function that only one of them has is left as it is."""
    made = copy.deepcopy(template)
    for name, resource in made["Resources"].items():
        there = other["Resources"].get(name, {})
        if resource["Type"] == FUNCTION and there.get("Type") == FUNCTION:
            resource["Properties"]["Code"] = copy.deepcopy(there["Properties"]["Code"])
    return made


def read_template(assembly: Path, stack: str) -> Template:
    """Return a stack's template."""
    found: Template = json.loads(_template_path(assembly, stack).read_bytes())
    return found


def replace_template(assembly: Path, target: Path, stack: str, template: Template) -> None:
    """Copy an assembly to the new folder `target`, with another template for one stack."""
    shutil.copytree(assembly, target, ignore=shutil.ignore_patterns("cdk.lock", "read.*.lock", "synth.lock"))
    before = _digest_in_manifest(target, stack)
    content = json.dumps(template, indent=1).encode()
    _template_path(target, stack).write_bytes(content)
    # Templates are uploaded under their digest, and what is there is not uploaded again: a new content needs its own.
    now = hashlib.sha256(content).hexdigest()
    for path in (target / "manifest.json", target / f"{stack}.assets.json"):
        path.write_text(path.read_text(encoding="utf-8").replace(before, now), encoding="utf-8")


def _digest_in_manifest(assembly: Path, stack: str) -> str:
    files = json.loads((assembly / f"{stack}.assets.json").read_bytes())["files"]
    return next(str(digest) for digest, item in files.items() if item["source"]["path"] == f"{stack}.template.json")


def _template_path(assembly: Path, stack: str) -> Path:
    path = assembly / f"{stack}.template.json"
    if not path.is_file():
        raise AvesaError(f"there is no packaged assembly with {stack} in {assembly}: package first")
    return path
