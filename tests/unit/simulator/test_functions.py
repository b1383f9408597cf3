"""As a function behind a URL the site answers as it does on a socket: with its keys, and without them nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

from avesa.simulator.functions import answer, request_of
from tests.unit.simulator.asking import API, headers_of, small_site

SITE = small_site(seed=int.from_bytes(b"a token of the account"))


def asked(path: str, query: str = "", *, headers: dict[str, str] | None = None, **more: object) -> dict[str, Any]:
    event = {
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers or {},
        "requestContext": {"http": {"method": "GET", "path": path, "sourceIp": "203.0.113.9"}},
        **more,
    }
    return answer(SITE, event)


def test_a_page_is_answered_as_on_a_socket() -> None:
    said = asked(f"{API}company/companies", "pageSize=5&orderBy=id%20asc", headers=headers_of(SITE))

    wanted = sorted(SITE.company("acme").records("company/companies"))[:5]
    assert said["statusCode"] == 200
    assert said["isBase64Encoded"] is False
    assert said["headers"]["Content-Type"].startswith("application/json")
    assert [record["id"] for record in json.loads(said["body"])] == wanted


def test_without_the_keys_there_are_no_records() -> None:
    wrong = {**headers_of(SITE), "authorization": "Basic " + base64.b64encode(b"acme+guess:guess").decode()}

    assert asked(f"{API}service/tickets")["statusCode"] == 401
    assert asked(f"{API}service/tickets", headers=wrong)["statusCode"] == 401


def test_the_control_plane_is_closed_even_with_the_keys() -> None:
    assert asked("/_simulator/companies", headers=headers_of(SITE))["statusCode"] == 403


def test_no_answer_gives_the_token_away() -> None:
    said = json.dumps(asked("/login/companyinfo/acme"))

    assert format(SITE.seed, "x") not in said
    assert str(SITE.seed) not in said


def test_a_body_may_come_as_text_or_as_base64() -> None:
    event = {"rawPath": "/x", "headers": {"Accept": "y"}, "requestContext": {"http": {"method": "POST"}}}

    text = request_of({**event, "body": "{}"})
    coded = request_of({**event, "body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True})

    assert (text.body, coded.body) == (b"{}", b"\xff")
    assert text.headers == {"accept": "y"}
    assert text.is_loopback is False
