"""What goes over the wire to ConnectWise, and what each of its answers means."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avesa.connectors.connectwise import (
    CREDENTIAL_NAMES,
    Credentials,
    api_url,
    check_answer,
    check_base_url,
    company_info_url,
    conditions,
    has_next,
    is_loopback,
    next_page_id,
    parse_codebase,
    retry_after_seconds,
    time_literal,
)
from avesa.domain.errors import (
    SourceError,
    TablePermanentError,
    TenantPermanentError,
    TransientSourceError,
    UsageError,
)
from avesa.domain.model import Window

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROOT = "https://api-na.myconnectwise.net"
VALUES = {
    "company_id": "acme",
    "public_key": "PUBLIC",
    "private_key": "planted-secret",
    "client_id": "1b7c0b9e-0000-4000-8000-000000000000",
    "api_base_url": ROOT,
}
HTML = b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"><html><head><title>404</title></head></html>'


def answered(status: int, body: bytes = b"", **headers: str) -> SourceError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(SourceError) as caught:
        check_answer(status, named, body, path="service/tickets", now=NOW)
    return caught.value


# ------------------------------------------------------------------------------------------ credentials


def test_the_login_is_company_plus_public_key_and_private_key() -> None:
    headers = Credentials.from_mapping(VALUES).headers("2025.1")

    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"acme+PUBLIC:planted-secret"
    assert headers["clientId"] == VALUES["client_id"]
    assert headers["Accept"] == "application/vnd.connectwise.com+json; version=2025.1, application/json"


def test_keys_never_show_in_a_repr() -> None:
    shown = repr(Credentials.from_mapping(VALUES))

    assert "planted-secret" not in shown
    assert "PUBLIC" not in shown
    assert VALUES["client_id"] not in shown


@pytest.mark.parametrize("name", CREDENTIAL_NAMES)
@pytest.mark.parametrize("value", ["", "   ", None])
def test_a_missing_credential_is_named_by_its_variable(name: str, value: str | None) -> None:
    given = {key: text for key, text in {**VALUES, name: value}.items() if text is not None}

    with pytest.raises(UsageError, match=f"CONNECTWISE_{name.upper()}") as caught:
        Credentials.from_mapping(given)

    assert "planted-secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["two\nlines", "caf\xe9", "nul\x00"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(UsageError, match="CONNECTWISE_PRIVATE_KEY has characters") as caught:
        Credentials.from_mapping({**VALUES, "private_key": value})

    assert value not in str(caught.value)


def test_blanks_around_a_pasted_credential_do_not_count() -> None:
    pasted = {name: f"  {value}\n" for name, value in VALUES.items()}

    assert Credentials.from_mapping(pasted) == Credentials.from_mapping(VALUES)


# ---------------------------------------------------------------------------------------------- address


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("https://api-na.myconnectwise.net", ROOT),
        ("https://api-na.myconnectwise.net/", ROOT),
        ("  api-na.myconnectwise.net  ", ROOT),
        ("https://psa.example:8443", "https://psa.example:8443"),
        ("http://127.0.0.1:18080", "http://127.0.0.1:18080"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
    ],
)
def test_the_sites_root_is_taken_without_a_trailing_slash(given: str, root: str) -> None:
    assert check_base_url(given) == root


@pytest.mark.parametrize(
    "address",
    [
        "http://api-na.myconnectwise.net",
        "http://10.0.0.5",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://[::ffff:10.0.0.1]",
        "http://0.0.0.0",
        "http://2130706433",
    ],
)
def test_http_is_for_this_machine_only(address: str) -> None:
    with pytest.raises(UsageError, match="would send the credentials unencrypted"):
        check_base_url(address)


@pytest.mark.parametrize(
    "address",
    ["https://psa.example/v2025_1/apis/3.0", "https://psa.example/?a=b", "https://psa.example/#x"],
)
def test_an_address_with_a_path_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="must be the site's root"):
        check_base_url(address)


@pytest.mark.parametrize(
    "address",
    ["https://user:planted-secret@psa.example", "https://user@psa.example", "https://@psa.example"],
)
def test_an_address_with_a_login_in_it_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(UsageError, match="without a login") as caught:
        check_base_url(address)

    assert "planted-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["", "https://", "ftp://psa.example", "file:///etc", "https://[::1", "https://psa.example:port", "https://a b",
     "https://psa.example:99999", "https://psa.example:0"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(UsageError, match="Example: https://api-na"):
        check_base_url(address)


def test_names_other_than_localhost_are_never_looked_up() -> None:
    assert is_loopback("localhost")
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("this.machine.example")


# --------------------------------------------------------------------------------------------- codebase


@pytest.mark.parametrize("codebase", ["v2025_1", "v2025_1/", "v4_6_release/"])
@pytest.mark.parametrize("is_cloud", ["True", True, False])
def test_a_codebase_ends_with_exactly_one_slash(codebase: str, is_cloud: object) -> None:
    body = json.dumps({"CompanyName": "Acme", "Codebase": codebase, "IsCloud": is_cloud}).encode()

    assert parse_codebase(body, "acme") == codebase.rstrip("/") + "/"


def test_an_unknown_company_ends_the_tenant() -> None:
    with pytest.raises(TenantPermanentError, match=r"no company 'acmee'.*CONNECTWISE_COMPANY_ID"):
        parse_codebase(b"null", "acmee")


@pytest.mark.parametrize(
    "body",
    [HTML, b"", b"[]", b"5", b"{}", b'{"Codebase":null}', b'{"Codebase":7}', b'{"Codebase":"v1/../../x"}',
     b'{"Codebase":""}', b'{"Codebase":"//evil.example/"}', b"\xff\xfe", b"[" * 100_000],
)  # fmt: skip
def test_junk_in_place_of_the_company_info_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(TransientSourceError, match="company info"):
        parse_codebase(body, "acme")


def test_the_company_id_is_encoded_in_the_address() -> None:
    assert company_info_url(ROOT, "a/b c?d") == f"{ROOT}/login/companyinfo/a%2Fb%20c%3Fd"


# ----------------------------------------------------------------------------------------- what is asked


def test_conditions_name_the_window_then_the_ids() -> None:
    window = Window(since=NOW, until=NOW + timedelta(days=1))

    text = conditions(field_name="lastUpdated", window=window, after_id=7, upto_id=99)

    assert text == (
        "lastUpdated > [2026-11-23T12:00:00Z] and lastUpdated <= [2026-11-24T12:00:00Z] and id > 7 and id <= 99"
    )


def test_no_condition_uses_greater_or_equal() -> None:
    text = conditions(field_name="lastUpdated", window=Window(since=NOW, until=NOW), after_id=1, upto_id=2, ids=[3])

    assert ">=" not in text


def test_nothing_asked_gives_no_conditions() -> None:
    assert conditions() == ""
    assert conditions(field_name="lastUpdated", window=Window()) == ""
    assert conditions(field_name=None, window=Window(since=NOW)) == ""


def test_ids_are_asked_for_by_a_list() -> None:
    assert conditions(ids=[3, -1, 2**40]) == "id in (3,-1,1099511627776)"


def test_a_time_is_written_with_a_z_and_whole_seconds() -> None:
    assert time_literal(NOW.replace(microsecond=999_999)) == "[2026-11-23T12:00:00Z]"


def test_every_reserved_character_of_a_value_is_encoded() -> None:
    url = api_url(ROOT, "v2025_1/", "service/tickets", {"conditions": 'name = "a+b&c%d*" and t > [x] #'})

    assert url == (
        f"{ROOT}/v2025_1/apis/3.0/service/tickets?conditions="
        "name%20%3D%20%22a%2Bb%26c%25d%2A%22%20and%20t%20%3E%20%5Bx%5D%20%23"
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_arrives_as_it_was_meant(value: str) -> None:
    url = api_url(ROOT, "v2025_1/", "service/tickets", {"a": value, "b": "2"})

    assert parse_qs(urlsplit(url).query, keep_blank_values=True) == {"a": [value], "b": ["2"]}


def test_an_address_without_a_query_ends_with_the_path() -> None:
    assert api_url(ROOT, "v2025_1/", "system/info") == f"{ROOT}/v2025_1/apis/3.0/system/info"


# -------------------------------------------------------------------------------------------- Link header


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"link": ""}, False),
        ({"link": '<https://x/y?page=4>; rel="last"'}, False),
        ({"link": '<https://x/y?pageId=9>; rel="next"'}, True),
        ({"link": "<https://x/y?pageId=9>; rel='next'"}, True),
    ],
)
def test_a_link_header_promises_another_page_or_not(headers: dict[str, str], expected: object) -> None:
    assert has_next(headers) is expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ('<https://x/y?conditions=a&pageId=12>; rel="next"', 12),
        ("<https://x/y?pageid=12&z=1>; rel='next'", 12),
        ('<https://x/y?page=4>; rel="next"', None),
        ('<https://x/y?page=1>; rel="first", <https://x/y?pageId=4>; rel="last"', None),
        ("", None),
    ],
)
def test_the_link_header_tells_after_which_id_the_next_page_begins(link: str, expected: int | None) -> None:
    assert next_page_id({"link": link}) == expected


# ------------------------------------------------------------------------------------------------ answers


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_success_says_nothing(status: int) -> None:
    check_answer(status, {}, b"[]", path="service/tickets", now=NOW)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524])
@pytest.mark.parametrize("body", [b"", HTML, b'{"code":"ConnectWiseApi","message":"An error.","errors":null}'])
def test_what_may_pass_is_asked_for_again(status: int, body: bytes) -> None:
    error = answered(status, body)

    assert isinstance(error, TransientSourceError)
    assert error.is_throttled is (status == 429)
    assert f"service/tickets: HTTP {status}" in str(error)


def test_a_timeout_disguised_as_a_500_is_asked_for_again() -> None:
    body = b'{"code":"ConnectWiseApi","message":"A timeout has occured. Please try again.","errors":null}'

    assert isinstance(answered(500, body), TransientSourceError)


@pytest.mark.parametrize("body", [b"", HTML, b'{"code":"Unauthorized","message":"Invalid credentials."}'])
def test_401_ends_the_tenant_and_says_what_to_renew(body: bytes) -> None:
    error = answered(401, body)

    assert isinstance(error, TenantPermanentError)
    assert "avesa setup-service" in str(error)


def test_403_ends_the_table_and_names_the_role() -> None:
    error = answered(403, b'{"code":"Forbidden","message":"No permission"}')

    assert isinstance(error, TablePermanentError)
    assert "'Inquire'" in str(error)


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 414, 415])
@pytest.mark.parametrize("body", [HTML, b'{"code":"ApiFindCondition","message":"x is not a recognized name."}'])
def test_a_refused_request_ends_the_table(status: int, body: bytes) -> None:
    assert isinstance(answered(status, body), TablePermanentError)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_names_the_other_host(status: int) -> None:
    error = answered(status, location="https://other.example/v4_6_release/")

    assert isinstance(error, TenantPermanentError)
    assert "redirects to other.example" in str(error)


def test_a_redirect_to_nowhere_is_told_as_that() -> None:
    assert "redirects to nowhere" in str(answered(302))


def test_the_servers_own_words_are_quoted_short_and_printable() -> None:
    body = json.dumps({"code": "X", "message": "bad\x1b[31m\n" + "long " * 200}).encode()

    told = str(answered(400, body))

    assert "X: bad[31m" in told
    assert "\x1b" not in told
    assert len(told) < 400


def test_the_429_bodys_own_form_is_understood() -> None:
    body = b'{"error":"ConnectWiseAPI","message":"Too many requests. Please try again in 30 seconds."}'

    error = answered(429, body, retry_after="30")

    assert isinstance(error, TransientSourceError)
    assert error.retry_after_seconds == 30.0
    assert "ConnectWiseAPI: Too many requests" in str(error)


@pytest.mark.parametrize("body", [HTML, b'["a list"]', b'{"message":null}', b"[" * 100_000, b"\xff"])
def test_a_body_without_words_is_no_trouble(body: bytes) -> None:
    assert "HTTP 503" in str(answered(503, body))


# -------------------------------------------------------------------------------------------- Retry-After


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 30 "}, 30.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9999999"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:45 GMT"}, 45.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:45 -0000"}, 45.0),
        ({"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 99 Nov 2026 11:00:00 GMT"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:45 GMT", "date": "yesterday"}, 45.0),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


def test_a_retry_date_counts_by_the_servers_clock() -> None:
    #   ours says 12:00, the server's says 12:10: its 12:10:30 is half a minute away
    headers = {"retry-after": "Mon, 23 Nov 2026 12:10:30 GMT", "date": "Mon, 23 Nov 2026 12:10:00 GMT"}

    assert retry_after_seconds(headers, NOW) == 30.0
