"""Makes every test start from the same world: no settings of the caller, no deadline that a busy machine breaks."""

from __future__ import annotations

import os
import signal

import hypothesis
import pytest

# A deadline measures the machine, not the code; the seed of a failure is printed so that it can be run again.
hypothesis.settings.register_profile("avesa", deadline=None, print_blob=True)
hypothesis.settings.load_profile("avesa")

# A suite that a script starts in the background ignores Ctrl-C, and so would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# marker -> the variable that a person or the CI sets to run it; unset, such a test is skipped and says why.
OPT_IN = {
    "clients": "AVESA_TEST_CLIENTS",
    "engines": "AVESA_TEST_ENGINES",
    "emulator": "AVESA_TEST_EMULATOR",
    "infrastructure": "AVESA_TEST_INFRASTRUCTURE",
    "rehearsal": "AVESA_TEST_REHEARSAL",
}
# What the product reads from its environment; AVESA_TEST_* and AVESA_VENV belong to the tests and to scripts/dev.py.
SETTINGS = ("AVESA_", "CONNECTWISE_", "AWS_")
NOT_SETTINGS = ("AVESA_TEST_", "AVESA_VENV")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need other people's software unless their variable asks for them."""
    for item in items:
        for marker, variable in OPT_IN.items():
            if item.get_closest_marker(marker) and os.environ.get(variable) != "1":
                item.add_marker(pytest.mark.skip(reason=f"set {variable}=1 to run tests marked {marker}"))


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(SETTINGS) and not name.startswith(NOT_SETTINGS):
            monkeypatch.delenv(name)
