"""Two public clients that know nothing of this project page through the simulator unchanged, over TLS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from avesa.simulator.server import serve
from avesa.simulator.site import CompanySpec, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SIZES = {"tickets": 1_234, "time_entries": 300, "companies": 60, "contacts": 250}

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(
        os.environ.get("AVESA_TEST_CLIENTS") != "1",
        reason="installs two public clients from their registries: set AVESA_TEST_CLIENTS=1 to run it",
    ),
]


@dataclass(frozen=True)
class Served:
    """A site over TLS, the file that a client must trust, and the client's environment."""

    site: Site
    certificate: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the clients are installed: kept between runs when AVESA_TEST_CACHE names a folder."""
    named = os.environ.get("AVESA_TEST_CACHE")
    folder = Path(named) if named else tmp_path_factory.mktemp("clients")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    certificate, key = _self_signed(tmp_path_factory.mktemp("tls"))
    site = Site(seed=7, companies=[CompanySpec(login="acme", sizes=SIZES)])
    keys = site.company("acme").credentials
    with serve(site, certificate=certificate, key=key) as server:
        environment = os.environ | {
            "CONNECTWISE_HOST": f"127.0.0.1:{server.port}",
            "CONNECTWISE_COMPANY_ID": keys.company_id,
            "CONNECTWISE_PUBLIC_KEY": keys.public_key,
            "CONNECTWISE_PRIVATE_KEY": keys.private_key,
            "CONNECTWISE_CLIENT_ID": keys.client_id,
            "REQUESTS_CA_BUNDLE": str(certificate),
            "NODE_EXTRA_CA_CERTS": str(certificate),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        yield Served(site, certificate, environment)


def test_pyconnectwise_gets_every_record(served: Served, cache: Path) -> None:
    python = _python_client(cache)

    found = _output([str(python), str(HERE / "page_all.py")], served.environment)

    _assert_everything(found, served.site)
    assert found["counts"] == [SIZES["tickets"], SIZES["time_entries"]]


def test_connectwise_rest_gets_every_record(served: Served, cache: Path) -> None:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on PATH; install Node.js 18 or newer to run this client")
    folder = _node_client(cache)

    found = _output([node, str(folder / "page_all.js")], served.environment)

    _assert_everything(found, served.site)


def _assert_everything(found: dict[str, Any], site: Site) -> None:
    company = site.company("acme")
    for table in ("service/tickets", "time/entries", "company/companies", "company/contacts", "system/members"):
        assert found[table] == sorted(company.records(table)), table
    expected = [
        record_id
        for record_id, record in company.records("service/tickets").items()
        if record["status"]["name"].startswith(">") and not record["closedFlag"]
    ]
    assert expected
    assert found["filtered"] == expected


def _output(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _python_client(cache: Path) -> Path:
    """Return the interpreter of an environment with pyconnectwise and nothing of ours, made when missing."""
    folder = cache / "pyconnectwise"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    pins = HERE / "requirements.txt"
    stamp = folder / "pins.txt"
    if not stamp.exists() or stamp.read_text("utf-8") != pins.read_text("utf-8"):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(pins)]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        shutil.copy(pins, stamp)
    return python


def _node_client(cache: Path) -> Path:
    """Return a folder with the script and an installed connectwise-rest."""
    folder = cache / "connectwise-rest"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "page_all.js"):
        shutil.copy(HERE / name, folder / name)
    if not (folder / "node_modules" / "connectwise-rest").exists():
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
    return folder


def _self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and its key, and return the two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return certificate_file, key_file
