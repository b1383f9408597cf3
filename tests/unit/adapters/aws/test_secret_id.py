"""Names of credentials as Secrets Manager allows them."""

from __future__ import annotations

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from avesa.adapters.aws.secrets import secret_id

ALLOWED = re.compile(r"[A-Za-z0-9/_+=.@-]*")


def test_the_name_of_a_tenants_credentials_stays_as_it_is() -> None:
    assert secret_id("acme/connectwise-dev") == "acme/connectwise-dev"


@given(st.text(alphabet=st.sampled_from(string.printable + "Łé☃")))
def test_every_name_is_made_of_what_is_allowed(name: str) -> None:
    assert ALLOWED.fullmatch(secret_id(name))


@given(st.text(alphabet="+%~2B7Ea/ "), st.text(alphabet="+%~2B7Ea/ "))
def test_no_two_names_meet(one: str, other: str) -> None:
    assert (secret_id(one) == secret_id(other)) == (one == other)
