"""JSON to types of this program, by decoders that are made one at a time.

msgspec (0.22) makes what it knows of a class when it first meets it, and another thread that meets the class meanwhile
finds it half made: the process dies with a segmentation fault.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")

_MAKING = threading.Lock()
_MADE: dict[object, msgspec.json.Decoder[Any]] = {}


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return the decoder of a type; any thread may ask at any time."""
    found = _MADE.get(kind)
    if found is None:
        with _MAKING:
            found = _MADE.get(kind) or msgspec.json.Decoder(kind)
            _MADE[kind] = found
    return cast("msgspec.json.Decoder[T]", found)


def converted(value: object, kind: type[T], *, str_keys: bool = False) -> T:
    """Return what JSON's own values stand for. Raises msgspec.ValidationError, which names the place."""
    decoder(kind)  # what msgspec knows of the type is made with it
    return msgspec.convert(value, kind, strict=True, str_keys=str_keys)
