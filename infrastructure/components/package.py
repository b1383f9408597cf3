"""Lambda packages made on this machine: hashed wheels for the function's platform, and this project's source.

Two for the pipeline, because pyarrow (raw is written three times cheaper by it than by DuckDB) and deltalake do not
fit into Lambda's 250 MiB together. `chunk` talks to the source and writes raw; `transform` has the table engines.
Comparing source and lake needs both a connection and, for deletions, the table's current ids: it is in `transform`,
whose raw parts are read and written without pyarrow. `simulator` is small, and in dev alone. boto3 is in none:
Lambda's runtime brings it, and botocore's 30 MB would not fit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import jsii
from aws_cdk import AssetHashType, BundlingOptions, BundlingOutput, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infrastructure.components.functions import PackageName
    from infrastructure.settings import Deployment

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "avesa"
LIMIT_BYTES: Final = 250 * 1024 * 1024
"""What Lambda takes of a package, unzipped."""

_MACHINES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}
# Newest first. pip takes only what is named, and wheels are built for every system between these: with manylinux2014
# alone it would settle for releases of years ago without a word.
_SYSTEMS: Final = (*(f"manylinux_2_{minor}" for minor in range(28, 16, -1)), "manylinux2014")
# Nothing that a function never runs: the other home, the simulator, the command line.
_LEFT_OUT: Final = ("adapters/local/", "adapters/memory/", "simulator/", "bootstrap/local")
_ENTRYPOINTS: Final = ("entrypoints/__init__.py", "entrypoints/aws/")
_SIMULATED: Final = ("bootstrap/simulated.py", "entrypoints/aws/connectwise_simulator.py")
# All that the simulator is made of, and what reads its token.
_SIMULATOR: Final = (
    *_SIMULATED,
    "__init__.py",
    "adapters/__init__.py",
    "adapters/aws/__init__.py",
    "adapters/aws/access.py",
    "adapters/aws/refusals.py",
    "adapters/aws/secrets.py",
    "bootstrap/__init__.py",
    "domain/",
    "entrypoints/__init__.py",
    "entrypoints/aws/__init__.py",
    "entrypoints/aws/answers.py",
    "simulator/",
)
_ARCHIVED_AT: Final = (2000, 1, 1, 0, 0, 0)
_USELESS: Final = ("**/__pycache__", "pyarrow/include", "pyarrow/tests", "pyarrow/src", "bin")


class PackagingError(Exception):
    """A package could not be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One of the packages, for one platform."""

    name: PackageName
    architecture: str
    python_version: str

    @classmethod
    def of(cls, name: PackageName, deployment: Deployment) -> Package:
        """Return the package of a deployment."""
        return cls(name=name, architecture=deployment.architecture, python_version=deployment.python_version)

    @property
    def requirements(self) -> Path:
        """The hashed lock."""
        return ROOT / "requirements" / f"lambda-{self.name}.txt"

    def sources(self) -> Iterator[Path]:
        """The project's files that go into the package, in order."""
        for path in sorted(SOURCE.rglob("*")):
            relative = path.relative_to(SOURCE).as_posix()
            if path.is_file() and "__pycache__" not in path.parts and self._holds(relative):
                yield path

    def _holds(self, relative: str) -> bool:
        if self.name == "simulator":
            return relative.startswith(_SIMULATOR)
        is_other_door = relative.startswith("entrypoints/") and not relative.startswith(_ENTRYPOINTS)
        return not (is_other_door or relative.startswith((*_LEFT_OUT, *_SIMULATED)))

    def digest(self) -> str:
        """Return what the content follows from: equal digests mean that nothing need be deployed."""
        found = hashlib.sha256(f"{self.name} {self.architecture} {self.python_version}\n".encode())
        for path in (Path(__file__), self.requirements, *self.sources()):
            found.update(f"{path.relative_to(ROOT).as_posix()}\n".encode())
            found.update(path.read_bytes())
        return found.hexdigest()

    def code(self) -> lambda_.Code:
        """Return the package as CDK code; it is made when the app is synthesized, unless the same is there already."""
        options = BundlingOptions(
            # Never pulled: the bundling below either succeeds or says what is missing.
            image=DockerImage.from_registry("avesa-is-bundled-without-docker"),
            local=LocalBundling(self),
            output_type=BundlingOutput.ARCHIVED,
        )
        return lambda_.Code.from_asset(
            str(SOURCE), asset_hash=self.digest(), asset_hash_type=AssetHashType.CUSTOM, bundling=options
        )

    def build(self, folder: Path) -> int:
        """Fill `folder` and return its size in bytes. Raises PackagingError when it does not fit or pip fails."""
        self._install(folder)
        for pattern in _USELESS:
            for path in list(folder.glob(pattern)):
                shutil.rmtree(path)
        for path in self.sources():
            target = folder / "avesa" / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        size = size_bytes(folder)
        if size > LIMIT_BYTES:
            raise PackagingError(
                f"the {self.name} package has {size:,} bytes unzipped, Lambda takes {LIMIT_BYTES:,}: take something "
                f"out of requirements/lambda-{self.name}.in"
            )
        return size

    def _install(self, folder: Path) -> None:
        platforms = [f"{system}_{_MACHINES[self.architecture]}" for system in _SYSTEMS]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile", "--no-warn-conflicts"]
        command += ["--implementation", "cp", "--python-version", self.python_version, "--target", str(folder)]
        command += [part for platform in platforms for part in ("--platform", platform)]
        # Only where to find pip's own settings, cache and proxy is passed on; no credential of the deployment is.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            [*command, "-r", str(self.requirements)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=kept,
            check=False,
        )
        if done.returncode != 0:
            told = done.stdout.decode(errors="replace")[-2000:]
            raise PackagingError(f"pip could not fill the {self.name} package for {platforms[0]}:\n{told}")


def size_bytes(folder: Path) -> int:
    """Return the sum of the sizes of the files in a folder, as Lambda counts them."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def archive(folder: Path, target: Path) -> None:
    """Zip a folder so that equal content gives equal bytes. Little is tried: wheels hardly shrink, and the CDK's own
    archiver takes half a minute to find that out.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date_time=_ARCHIVED_AT)
            entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with file.open(entry, "w") as inside, path.open("rb") as content:
                shutil.copyfileobj(content, inside, 1 << 20)


@jsii.implements(ILocalBundling)
class LocalBundling:
    """What CDK calls in place of Docker."""

    def __init__(self, package: Package) -> None:
        self._package = package

    def try_bundle(self, output_dir: str, options: object = None, **_options: object) -> bool:
        """Fill the output folder; never leaves it to Docker."""
        del options  # CDK's wishes for a container
        with TemporaryDirectory(prefix="avesa-package-") as folder:
            size = self._package.build(Path(folder))
            archive(Path(folder), Path(output_dir, f"{self._package.name}.zip"))
        sys.stderr.write(
            f"bundled {self._package.name} for {self._package.architecture}, Python {self._package.python_version}: "
            f"{size / 1024 / 1024:.0f} of {LIMIT_BYTES // 1024 // 1024} MiB\n"
        )
        return True
