"""The demo's source: the simulator as a process of its own, which never outlives the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from avesa.domain.errors import AvesaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_END_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSource:
    """A running simulator and what its companies sign in with."""

    url: str
    companies: tuple[Mapping[str, str], ...]

    def change(self, company: str, path: str, **counts: float) -> Mapping[str, list[int]]:
        """Have records of a table changed; return the ids that were, by what happened to them."""
        found: Mapping[str, list[int]] = self._control("POST", "changes", {"company": company, "path": path, **counts})
        return found

    def strike(self, **rule: object) -> None:
        """Have requests go wrong from now on, as a rule of the simulator says."""
        self._control("POST", "faults", rule)

    def spare(self) -> None:
        """End every rule."""
        self._control("DELETE", "faults", None)

    def _control(self, method: str, name: str, content: Mapping[str, object] | None) -> Any:  # noqa: ANN401 - JSON
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/_simulator/{name}", data=body, method=method)  # noqa: S310 - loopback
        # Without the proxy of the user's environment: this address is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_ANSWER_SECONDS) as response:
            return json.load(response)


@contextmanager
def demo_source(*, seed: int, companies: int, sizes: Mapping[str, int]) -> Iterator[DemoSource]:
    """Give a simulator on a free loopback port; it has ended when the context has."""
    asked = json.dumps({"seed": seed, "companies": companies, "sizes": dict(sizes)})
    process = subprocess.Popen(  # noqa: S603 - this interpreter, a module of ours
        [sys.executable, "-m", "avesa.entrypoints.demo_source", asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C reaches every process of the terminal's group: the source must answer until the run has stopped.
        start_new_session=True,
    )
    try:
        yield _announced(process)
    finally:
        _end(process)


def _announced(process: subprocess.Popen[str]) -> DemoSource:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise AvesaError("the simulator ended before it served anything; try `avesa simulate connectwise` to see why")
    found: dict[str, Any] = json.loads(line)
    return DemoSource(url=found["url"], companies=tuple(found["companies"]))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _end_with_parent() -> None:
    """Wait for the end of standard input, which comes when the parent ends in whatever way; then stop serving."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _serve(asked: str) -> None:
    from avesa.simulator.runner import run

    threading.Thread(target=_end_with_parent, daemon=True).start()
    run(output="json", **json.loads(asked))


if __name__ == "__main__":
    _serve(sys.argv[1])
