"""What every secret store does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avesa.ports.lake import SecretStore

NAME = "acme/connectwise-local"
VALUES = {"company_id": "acme", "private_key": "planted-ŝecret-0451", "client_id": ""}


def test_unknown_credentials_are_none(secret_store: SecretStore) -> None:
    assert secret_store.get(NAME) is None


def test_credentials_come_back_as_they_were(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)

    assert secret_store.get(NAME) == VALUES


def test_later_credentials_replace_all_of_the_earlier_ones(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)
    secret_store.put(NAME, {"company_id": "new"})

    assert secret_store.get(NAME) == {"company_id": "new"}


def test_forgotten_credentials_are_gone_and_forgetting_again_is_quiet(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)

    secret_store.delete(NAME)
    secret_store.delete(NAME)

    assert secret_store.get(NAME) is None


def test_names_do_not_meet(secret_store: SecretStore) -> None:
    names = ["a/b", "a%2Fb", "a-b", "../a/b", "a/b.secret", "a"]
    for name in names:
        secret_store.put(name, {"name": name})

    assert [secret_store.get(name) for name in names] == [{"name": name} for name in names]


def test_what_the_caller_does_to_its_dict_changes_nothing(secret_store: SecretStore) -> None:
    mine = dict(VALUES)
    secret_store.put(NAME, mine)
    mine.clear()
    got = secret_store.get(NAME)
    assert got is not None
    got.clear()

    assert secret_store.get(NAME) == VALUES


def test_no_value_shows_in_the_repr(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)

    assert "planted" not in repr(secret_store)
