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


# ----------------------------------------------------------------------------------------------- rotation
NEW = {**VALUES, "private_key": "planted-new-0452"}


def test_a_rotation_puts_the_new_key_in_use_and_keeps_the_old_one(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)

    secret_store.rotate(NAME, NEW)

    assert (secret_store.get(NAME), secret_store.previous(NAME)) == (NEW, VALUES)


def test_settling_for_the_new_key_forgets_the_old_one(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)
    secret_store.rotate(NAME, NEW)

    secret_store.settle(NAME, keep_new=True)
    secret_store.settle(NAME, keep_new=True)

    assert (secret_store.get(NAME), secret_store.previous(NAME)) == (NEW, None)


def test_settling_for_the_old_key_forgets_the_new_one(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)
    secret_store.rotate(NAME, NEW)

    secret_store.settle(NAME, keep_new=False)

    assert (secret_store.get(NAME), secret_store.previous(NAME)) == (VALUES, None)


def test_settling_what_was_never_rotated_changes_nothing(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)

    secret_store.settle(NAME, keep_new=False)

    assert secret_store.get(NAME) == VALUES


def test_forgetting_forgets_the_previous_key_too(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)
    secret_store.rotate(NAME, NEW)

    secret_store.delete(NAME)

    assert (secret_store.get(NAME), secret_store.previous(NAME)) == (None, None)


def test_a_rotation_may_follow_another(secret_store: SecretStore) -> None:
    secret_store.put(NAME, VALUES)
    for number in range(3):
        secret_store.rotate(NAME, {**NEW, "client_id": str(number)})

    assert secret_store.get(NAME) == {**NEW, "client_id": "2"}
    assert secret_store.previous(NAME) == {**NEW, "client_id": "1"}
