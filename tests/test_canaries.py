"""The search that ends every server of the suite finds what it is there for."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from support.beside import beside
from support.canaries.ears import hear_body
from support.canaries.needles import Haystack
from support.canaries.search import TOTALS, leaks
from support.canaries.seen import SEEN, Secret, of_settings
from support.client import ask

SECRET = b"pl\xc3\xa4nted/+=secret?of 40 bytes&-Qm7xV2cT9rJ4"
BODY = base64.urlsafe_b64encode(bytes(range(200, 232))).rstrip(b"=")
SEED = base64.b32encode(bytes(range(180, 200)))
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "hexadecimal": lambda raw: raw.hex().encode(),
    "hexadecimal, large": lambda raw: raw.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "percent-encoded": lambda raw: quote(raw, safe="").encode(),
    "in JSON": lambda raw: json.dumps(raw.decode()).encode(),
    "UTF-16": lambda raw: raw.decode().encode("utf-16-le"),
}


def _answering(members: dict[str, str]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        await JSONResponse(members)(scope, receive, send)

    return app


@pytest.mark.requirement("23", "61")
@pytest.mark.parametrize("form", FORMS)
def test_found_in_when_a_secret_stands_somewhere_in_any_form_then_it_is_found(form: str) -> None:
    haystack = Haystack([Secret("password", SECRET)])
    written = FORMS[form](SECRET)
    for before in range(17):
        for after in (0, 1, 9):
            content = os.urandom(before) + written + os.urandom(after)
            assert {each.form for each in haystack.found_in(content)} >= {form.partition(",")[0]}


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_found_in_when_base64_of_more_than_the_secret_then_it_is_found(
    before: int, encode: Callable[[bytes], bytes]
) -> None:
    written = encode(b"x" * before + SECRET + b"and more")
    assert Haystack([Secret("password", SECRET)]).found_in(written)


@pytest.mark.parametrize(
    ("kind", "whole", "part"),
    [
        ("refresh token", b"hpr_" + b"0" * 32 + b"." + BODY, BODY),
        ("refresh token", b"hpr_" + b"0" * 32 + b"." + BODY, bytes(range(200, 232))),
        ("stream ticket", b"hpt_" + BODY, bytes(range(200, 232)).hex().encode()),
        ("access token", b"eyJhbGciOi." + BODY + b"." + BODY[::-1], BODY[::-1]),
        ("access token", b"eyJhbGciOi." + BODY + b"." + BODY[::-1], BODY),
        ("recovery code", b"7k2m-9qrs-x4wz-1bcd", b"7k2m9qrsx4wz1bcd"),
        ("seed of an authenticator", SEED, bytes(range(180, 200))),
        ("user code", b"WDJB-MJHT", b"WDJB-MJHT"),
        ("one-time link", BODY, bytes(range(200, 232))),
    ],
)
def test_found_in_when_what_is_secret_of_it_stands_alone_then_it_is_found(
    kind: str, whole: bytes, part: bytes
) -> None:
    (found, *_) = Haystack([Secret(kind, whole)]).found_in(b"\0" * 5 + part + b"\0")
    assert found.kind == kind


def test_found_in_when_one_byte_differs_then_it_is_another() -> None:
    haystack = Haystack([Secret("password", SECRET), Secret("access token", b"eyJh." + BODY)])
    for place in range(len(SECRET)):
        other = bytearray(SECRET)
        other[place] ^= 1
        assert not haystack.found_in(bytes(other))
    assert not haystack.found_in(b"eyJh.eyJh.eyJh")
    assert not haystack.found_in(b"")


def test_found_in_when_a_token_is_made_up_of_one_letter_then_it_is_no_secret() -> None:
    secrets = [Secret("refresh token", b"hpr_" + b"0" * 32 + b"." + b"A" * 43)]
    assert not Haystack(secrets).found_in(b"A" * 99 + bytes(99))


def test_leaks_when_there_are_some_then_kind_form_and_place_are_told_and_not_the_secret() -> None:
    before = TOTALS.plain()
    secrets = [Secret("password", SECRET), Secret("device code", b"hpd_" + BODY)]
    places = [("the log", b"..." + SECRET), ("the rows", SECRET.hex().encode() + BODY)]
    assert set(leaks(secrets, places)) >= {
        "password (as it is) in the log",
        "device code (as it is) in the rows",
        "password (hexadecimal) in the rows",
    }
    assert TOTALS.plain() == before  # what is planted here is no part of the run's account


def test_of_settings_when_secrets_are_among_them_then_each_is_kept() -> None:
    settings = {
        "ANTHROPIC_API_KEY": "one-of-the-provider",
        "SECRET_KEY_PREVIOUS": "two-that-was-before, three-that-was-before",
        "DATABASE_URL": "postgresql://ada:four-of-the-database@127.0.0.1/x",
        "REDIS_URL": "redis://:five-of-redis@127.0.0.1:1",
        "DATA_DIR": "/nowhere/at/all",
    }
    values = {secret.value.decode().partition("-")[0] for secret in of_settings(settings)}
    assert values == {"one", "two", "three", "four", "five"}


@pytest.mark.parametrize("wire", ["json", "form"])
async def test_ears_when_any_client_sends_and_is_answered_then_the_secrets_are_kept(
    wire: str,
) -> None:
    password, token = f"7 purple {wire} Walruses sing", f"hpm_{BODY.decode()}"
    key = f"ck_{wire:x<49}"

    async with beside(_answering({"mfa_token": token})) as url, aiohttp.ClientSession() as http:
        sent = {"username": "ada", "password": password}
        sign_in = partial(ask, http, "POST", f"{url}/v1/auth/login", headers={"X-API-Key": key})
        await (sign_in(json=sent) if wire == "json" else sign_in(data=sent))
    found = {(secret.kind, secret.value.decode()) for secret in SEEN.at(url)}
    assert found == {("password", password), ("half a sign-in", token), ("API key", key)}


def test_ears_when_a_password_stands_anywhere_then_it_proves_nothing_and_is_left() -> None:
    place = "http://nowhere.test"
    for password in ("short", "aaaaaaaaaaaaaaaa", "ada.lovelace@example.org"):
        body = {"email": "ada.lovelace@example.org", "password": password}
        hear_body(place, json.dumps(body).encode())
    assert SEEN.at(place) == []
