"""Settings from the environment: checked together, secrets unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from avesa.bootstrap.environment import CREDENTIAL_VARIABLES, read_settings
from avesa.domain.errors import ConfigError
from avesa.domain.names import Environment

KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="


def test_nothing_set_is_the_local_default() -> None:
    settings = read_settings({})

    assert (settings.home, settings.environment) == (Path("avesa-data"), Environment.LOCAL)
    assert (settings.is_debugging, settings.secret_key, settings.credentials) == (False, None, {})


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read_settings({"AVESA_HOME": " ", "AVESA_SECRET_KEY": "", "AVESA_ENVIRONMENT": ""}) == read_settings({})


def test_credentials_are_taken_by_their_contract_names() -> None:
    variables = {variable: f"value of {name}" for name, variable in CREDENTIAL_VARIABLES.items()}

    assert read_settings(variables).credentials == {name: f"value of {name}" for name in CREDENTIAL_VARIABLES}


def test_all_problems_are_told_together_and_no_value_of_a_secret() -> None:
    with pytest.raises(ConfigError) as told:
        read_settings({"AVESA_ENVIRONMENT": "mars", "AVESA_DEBUG": "yes", "AVESA_SECRET_KEY": "planted-secret"})

    lines = str(told.value).splitlines()
    assert [line.split()[0] for line in lines] == ["AVESA_ENVIRONMENT", "AVESA_DEBUG", "AVESA_SECRET_KEY"]
    assert "planted-secret" not in str(told.value)


@pytest.mark.parametrize("key", ["short", KEY[:-4], "é" * 44, KEY + KEY])
def test_a_key_of_another_length_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="44 characters"):
        read_settings({"AVESA_SECRET_KEY": key})


def test_secrets_do_not_show() -> None:
    settings = read_settings({"AVESA_SECRET_KEY": KEY, "CONNECTWISE_PRIVATE_KEY": "planted-secret"})

    assert settings.secret_key == KEY
    assert KEY not in repr(settings)
    assert "planted-secret" not in repr(settings)
