"""Finds the mappings that this installation brings, so that a run needs no checkout and a checkout needs no build."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

_WHEEL_FOLDER = "_mappings"
_CHECKOUT_FOLDER = "mappings"


def packaged_mappings() -> Mapping[str, bytes]:
    """Return every JSON file of the packaged `mappings/` folder: its name relative to that folder, and its bytes.

    Names use forward slashes ("canonical/tickets.json") and come sorted. A wheel carries the folder inside the
    package; an editable install reads it from the checkout, so that an edit is seen by the next run.
    Raises ConfigError if there is none: the installation is incomplete and must be made again.
    """
    return _read_mappings(resources.files("avesa"), Path(__file__).resolve().parents[3])


def _read_mappings(package: Traversable, checkout: Traversable) -> Mapping[str, bytes]:
    for folder in (package.joinpath(_WHEEL_FOLDER), checkout.joinpath(_CHECKOUT_FOLDER)):
        found = dict(sorted(_json_files(folder, ""))) if folder.is_dir() else {}
        if found:
            return found
    raise ConfigError(
        "avesa: this installation brings no mappings: neither the package nor a checkout has them; "
        "install the wheel again, or pass --mappings DIR"
    )


def _json_files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _json_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".json"):
            yield f"{prefix}{entry.name}", entry.read_bytes()
