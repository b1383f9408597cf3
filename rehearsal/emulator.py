"""ministack on this machine: AWS's interfaces at a free port of 127.0.0.1, for a test session or a rehearsal."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rehearsal.certificate import make_certificate
from rehearsal.tools import LOOPBACK, answers, free_port, python_environment, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.certificate import Certificate

VERSION: Final = "1.5.33"
REGION: Final = "us-east-2"
ACCOUNT: Final = "000000000000"
ROOT_KEY: Final = "test"
_LAUNCHER: Final = Path(__file__).with_name("emulator_launcher.py")
_RUNTIME: Final = ("awslambdaric==4.2.2", "boto3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A running emulator. Its root key may do everything, also where policies are enforced."""

    url: str
    is_enforcing: bool
    certificate: Path | None = None
    log: Path
    variables: dict[str, str] = field(repr=False)
    """What a client's environment needs to talk to it."""


def emulator_python() -> Path:
    """Return the interpreter that has ministack, installed if need be."""
    return python_environment(f"ministack-{VERSION}", [f"ministack[full]=={VERSION}"])


def function_python() -> Path:
    """Return the interpreter for emulated functions: the runtime client and boto3, as AWS's own image has them."""
    return python_environment("lambda-runtime", _RUNTIME)


def check_corrections() -> None:
    """Raise CalledProcessError, with the reasons in its output, when the launcher's corrections no longer fit."""
    subprocess.run(
        [str(emulator_python()), str(_LAUNCHER), "--check"], check=True, capture_output=True, text=True, timeout=120
    )


@contextmanager
def emulator(folder: Path, *, is_enforcing: bool = False, is_encrypted: bool = False) -> Iterator[Emulator]:
    """Run an emulator with its files in `folder` until the context ends.

    `is_enforcing`: policies are enforced, and only known keys are let in. `is_encrypted`: HTTPS with a certificate of
    its own, which the CDK's bucket policies ask for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"{'https' if is_encrypted else 'http'}://{LOOPBACK}:{port}"
    certificate = make_certificate(folder) if is_encrypted else None
    authority = None if certificate is None else certificate.authority
    log = folder / "emulator.log"
    command = [str(emulator_python()), str(_LAUNCHER)]
    variables = _server_variables(folder, port, url, is_enforcing=is_enforcing, certificate=certificate)

    def is_ready() -> bool:
        return _listens(port) if is_encrypted else answers(f"{url}/_ministack/health")

    with running(command, variables=variables, log=log, is_ready=is_ready):
        yield Emulator(
            url=url,
            is_enforcing=is_enforcing,
            certificate=authority,
            log=log,
            variables=client_variables(url, authority),
        )


def client_variables(url: str, certificate: Path | None = None) -> dict[str, str]:
    """Return the variables with which AWS's clients talk to the emulator as its root, and to nobody else."""
    trusted = (
        {}
        if certificate is None
        else dict.fromkeys(("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"), str(certificate))
    )
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "1",
        **trusted,
    }


def _server_variables(
    folder: Path, port: int, url: str, *, is_enforcing: bool, certificate: Certificate | None
) -> dict[str, str]:
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    encrypted = (
        {}
        if certificate is None
        else {
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(certificate.server),
            "MINISTACK_SSL_KEY": str(certificate.key),
            "AVESA_EMULATOR_CA": str(certificate.authority),
        }
    )
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "AUTH": str(is_enforcing).lower(),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AVESA_EMULATOR_PYTHON": str(function_python()),
        "AVESA_EMULATOR_URL": url,
        **encrypted,
    }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
