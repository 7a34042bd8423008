"""After real use with everything logged, no secret stands in the database, the log or a copy.

The same search ends every server of the suite, see `support/canaries`.
"""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import text as sql

from homeport.kernel.db import Database
from homeport.kernel.log import REMOVED
from identity.app import App
from identity.door import PASSWORD
from readers.api import Api, admin_of
from support.canaries import search
from support.canaries.planted import PROVIDER_KEY
from support.canaries.seen import LOOKS, SEEN
from support.client import ask
from support.commands import command
from support.server import MakeServer, Server

SECRET_KEY = "canary-of-the-server-secret-0123456789abcdef"
LEAK = "planted+leak/of a pässword?=Xb7Qz2Lm"
COOKIE = "__Host-hp_rt"
GIVEN = {
    "password",
    "new password",
    "API key",
    "access token",
    "refresh token",
    "stream ticket",
    "half a sign-in",
    "device code",
    "user code",
    "recovery code",
    "seed of an authenticator",
    "CSRF token",
    "one-time link",
    "invitation code",
    "first admin's key",
}
"""What goes over the wire in these lives; the operator's own secrets come to it."""


async def _live(admin: Api, name: str) -> str:
    """Somebody who uses what needs secrets; returns the last access token."""
    password, changed = f"{PASSWORD}-{name}", f"a {name} Walrus tunes 7 harps"
    account = {"username": name, "email": f"{name}@example.org", "password": password}
    page = {"Origin": admin.base_url, "Sec-Fetch-Site": "same-origin"}
    made = await admin.post("/v1/auth/register", account)
    api = Api(admin.http, admin.base_url, {"Authorization": f"Bearer {made['access_token']}"})
    wrong = {"username": name, "password": f"wrong-{password}"}
    assert (await api.call("POST", "/v1/auth/login", wrong)).status == 401
    renewed = await api.post("/v1/auth/refresh", {"refresh_token": made["refresh_token"]})
    csrf = Api(api.http, api.base_url, {"Cookie": f"{COOKIE}={renewed['refresh_token']}", **page})
    await csrf.get("/v1/auth/csrf")
    await api.post("/v1/auth/api-keys", {"name": "phone"})
    await api.ticket()
    await api.post("/v1/auth/device/authorize")
    seed = await api.post("/v1/auth/mfa/totp")
    code = App(seed["otpauth_uri"]).code()
    spare = await api.post("/v1/auth/mfa/totp/confirm", {"code": code})
    half = await api.call("POST", "/v1/auth/login", wrong | {"password": password})
    proof = {"method": "recovery", "code": spare["recovery_codes"][0]}
    body = {"mfa_token": half.json["mfa_token"], **proof}
    whole = await api.post("/v1/auth/mfa/verify", body)
    api.headers["Authorization"] = f"Bearer {whole['access_token']}"
    body = {"current_password": password, "new_password": changed}
    await api.post("/v1/auth/change-password", body)
    return whole["access_token"]


async def _show_in_addresses(api: Api, secrets: list[str]) -> None:
    """Puts credentials where none belongs: in the path, the query, the request's id, a bad line."""
    ticket = await api.ticket()
    for secret in (ticket, *secrets):
        named = quote(secret, safe="")
        await api.call("GET", f"/v1/sessions/none/stream?ticket={named}&access_token={named}")
        await api.call("GET", f"/v1/sessions/{named}", **{"X-Request-ID": secret[:64]})
        await api.call("DELETE", f"/v1/auth/api-keys/{named}?token={named}")
        address = urlsplit(api.base_url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"GET /x?ticket={secret} {secret} HTTP/9.9\r\n\r\n".encode())
        await reader.read()
        writer.close()
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": secret}
        await api.call("GET", f"/v1/ws?ticket={named}", **upgrade)


def _planted(server: Server, folder: Path) -> dict[str, str]:
    """What each form of a leak looks like as text, by where it is told to be."""
    raw = LEAK.encode()
    (server.data_dir / "left").mkdir()
    (server.data_dir / "left" / "over").write_bytes(b"\0\1" + base64.b64encode(b"ab" + raw))
    with (folder / "server-0" / "log").open("a", encoding="utf-8") as log:
        log.write(f'{{"x": "{quote(LEAK, safe="")}"}}\n')
    return {"percent-encoded": "the log", "base64": "left/over"}


async def _plant_rows(url: str | None, server: Server) -> None:
    """Leaks of every form in a table of their own."""
    raw = LEAK.encode()
    texts = [LEAK, raw.hex(), base64.urlsafe_b64encode(b"x" + raw).decode()]
    if url is None:
        with closing(sqlite3.connect(server.data_dir / "homeport.db")) as database, database:
            database.execute("CREATE TABLE leaks (said TEXT, kept BLOB)")
            rows = [(text, b"\0" + LEAK.encode("utf-16-le")) for text in texts]
            database.executemany("INSERT INTO leaks VALUES (?, ?)", rows)
        return
    database = Database(url)
    async with database.write() as session:
        await session.execute(sql("CREATE TABLE leaks (said text, kept bytea)"))
        rows = [{"said": text, "kept": b"\0" + LEAK.encode("utf-16-le")} for text in texts]
        await session.execute(sql("INSERT INTO leaks VALUES (:said, :kept)"), rows)
    await database.close()


@pytest.mark.requirement("23", "24", "61")
async def test_secrets_when_used_for_real_then_none_is_found_in_what_the_server_keeps(
    make_server: MakeServer,
    database_url: str,
    dialect: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = database_url if dialect == "postgresql" else None
    stored: Mapping[str, str] = {} if url is None else {"DATABASE_URL": url}
    server = make_server(ANTHROPIC_API_KEY=PROVIDER_KEY, SECRET_KEY=SECRET_KEY, **stored)
    async with admin_of(server) as admin:
        tokens = [await _live(admin, name) for name in ("ada", "eve", "bob")]
        await admin.post("/v1/auth/invitations", {})
        kinds = {secret.kind for secret in SEEN.at(server.base_url)}
        assert kinds >= GIVEN
        shown = {each.kind: each.value.decode() for each in SEEN.at(server.base_url)}
        await _show_in_addresses(admin, [*tokens, *(shown[kind] for kind in LOOKS)])
        link = (await command(server, "user", "reset", "ada"))["url"]
        page = f"{server.base_url}/setup{link.partition('/setup')[2]}"
        assert (await ask(admin.http, "GET", page)).status == 200
    server.kill()
    counted = search.Totals()
    monkeypatch.setattr(search, "TOTALS", counted)
    server.search()
    assert len(counted.kinds) >= 16
    assert counted.secrets >= 60
    assert REMOVED in server.log()  # the addresses were logged, without what stood in them

    where = _planted(server, tmp_path)
    await _plant_rows(url, server)
    server.settings["ANTHROPIC_API_KEY"] = LEAK
    with pytest.raises(search.SecretLeaked) as caught:
        server.search()
    server.settings["ANTHROPIC_API_KEY"] = PROVIDER_KEY
    told = str(caught.value)
    copy = "homeport.db.copy" if url is None else "a dump"
    forms = ("as it is", "hexadecimal", "base64", "UTF-16")
    expected = {(form, place) for form in forms for place in ("the rows", copy)}
    if url is not None:
        expected -= {("UTF-16", copy)}  # pg_dump writes bytes in hexadecimal
    for form, place in expected | set(where.items()):
        assert f"provider key ({form}) in {place}" in told
    assert LEAK not in told
