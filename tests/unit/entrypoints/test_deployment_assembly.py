"""A part of an assembly is deployed without the other, and a release has all that deploying needs and nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from avesa.domain.errors import AvesaError
from avesa.entrypoints.deployment.assembly import lay_out, release_files, replace_template, with_code_of

if TYPE_CHECKING:
    from pathlib import Path

STACK = "AVESAPerformanceOptimization"


def template(key: str, description: str, *more: str) -> dict[str, Any]:
    functions = {
        name: {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Code": {"S3Bucket": "assets", "S3Key": f"{key}.zip"}, "Description": description},
        }
        for name in ("Chunk", "Table", *more)
    }
    return {"Resources": {**functions, "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Code": description}}}


def test_only_the_functions_code_is_taken_over() -> None:
    deployed, packaged = template("old", "was"), template("new", "is")

    assert with_code_of(deployed, packaged) == template("new", "was")
    assert with_code_of(packaged, deployed) == template("old", "is")


def test_the_templates_that_it_is_made_of_stay_as_they_are() -> None:
    deployed, packaged = template("old", "was"), template("new", "is")

    with_code_of(deployed, packaged)["Resources"]["Chunk"]["Properties"]["Code"]["S3Key"] = "other"

    assert (deployed, packaged) == (template("old", "was"), template("new", "is"))


def test_a_function_that_only_one_side_has_stays_as_it_is() -> None:
    deployed, packaged = template("old", "was"), template("new", "is", "Added")

    assert "Added" not in with_code_of(deployed, packaged)["Resources"]
    assert with_code_of(packaged, deployed)["Resources"]["Added"]["Properties"]["Code"]["S3Key"] == "new.zip"


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    folder = tmp_path / "cdk.out"
    folder.mkdir()
    text = json.dumps(template("new", "is"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    files = {
        digest: {
            "source": {"path": f"{STACK}.template.json"},
            "destinations": {"here": {"objectKey": f"{digest}.json"}},
        },
        "cafe": {"source": {"path": "asset.cafe.zip"}, "destinations": {"here": {"objectKey": "cafe.zip"}}},
    }
    (folder / "cdk.out").write_text('{"version": "1"}')
    (folder / "manifest.json").write_text(json.dumps({"url": f"s3://assets/{digest}.json"}))
    (folder / f"{STACK}.template.json").write_text(text)
    (folder / f"{STACK}.assets.json").write_text(json.dumps({"files": files}))
    (folder / "asset.cafe.zip").write_bytes(b"code")
    (folder / "asset.0ld.zip").write_bytes(b"of an earlier synthesis")
    (folder / "tree.json").write_text("{}")
    (folder / f"{STACK}.metadata.json").write_text("{}")
    return folder


def test_a_replaced_template_is_uploaded_under_its_own_digest(assembly: Path, tmp_path: Path) -> None:
    target = tmp_path / "other"

    replace_template(assembly, target, STACK, template("old", "is"))

    content = (target / f"{STACK}.template.json").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert json.loads(content) == template("old", "is")
    assert json.loads((target / "manifest.json").read_text())["url"] == f"s3://assets/{digest}.json"
    assert json.loads((target / f"{STACK}.assets.json").read_text())["files"][digest]["destinations"]["here"] == {
        "objectKey": f"{digest}.json"
    }
    assert (target / "asset.cafe.zip").is_file()


def test_a_release_has_what_its_manifests_name_and_comes_back_so(assembly: Path, tmp_path: Path) -> None:
    files = dict(release_files(assembly, {"canonical/tickets.json": b"{}"}))
    target = tmp_path / "back"

    mappings = lay_out(iter(files.items()), target)

    assert mappings == {"canonical/tickets.json": b"{}"}
    assert {path.name for path in target.iterdir()} == {
        "asset.cafe.zip", "cdk.out", "manifest.json", "tree.json",
        f"{STACK}.assets.json", f"{STACK}.metadata.json", f"{STACK}.template.json",
    }  # fmt: skip
    assert all((target / path.name).read_bytes() == path.read_bytes() for path in target.iterdir())


def test_a_release_that_writes_outside_its_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AvesaError, match="lies outside"):
        lay_out(iter([("assembly/../../evil", b"")]), tmp_path / "folder")
