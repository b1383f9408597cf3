"""Credentials that are forgotten with the process."""

from __future__ import annotations


class MemorySecretStore:
    """Keeps credentials by name; its repr tells how many, never which."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, str]] = {}
        self._previous: dict[str, dict[str, str]] = {}

    def __repr__(self) -> str:
        return f"MemorySecretStore({len(self._values)} names)"

    def get(self, name: str) -> dict[str, str] | None:
        values = self._values.get(name)
        return None if values is None else dict(values)

    def put(self, name: str, values: dict[str, str]) -> None:
        self._values[name] = dict(values)

    def rotate(self, name: str, values: dict[str, str]) -> None:
        if name in self._values:
            self._previous[name] = self._values[name]
        self._values[name] = dict(values)

    def previous(self, name: str) -> dict[str, str] | None:
        values = self._previous.get(name)
        return None if values is None else dict(values)

    def settle(self, name: str, *, keep_new: bool) -> None:
        old = self._previous.pop(name, None)
        if old is not None and not keep_new:
            self._values[name] = old

    def delete(self, name: str) -> None:
        self._values.pop(name, None)
        self._previous.pop(name, None)
