"""The price list that this installation brings: data with a date, in prices.json beside this module."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from avesa.domain.errors import ConfigError
from avesa.domain.prices import Prices
from avesa.ports.decoding import decoder

_FILE = "prices.json"


@cache
def load_prices() -> Prices:
    """Return the packaged price list."""
    return parse_prices(resources.files("avesa.bootstrap").joinpath(_FILE).read_bytes())


def parse_prices(text: bytes) -> Prices:
    """Return the prices of a JSON text; raise ConfigError that names the field when one is missing or no number."""
    try:
        return decoder(Prices).decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{_FILE}: {error}; each price is a number of dollars for one") from None
