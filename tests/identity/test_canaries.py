"""After real use with everything logged, no secret stands in the database, the log or a copy."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from identity.door import PASSWORD
from readers.api import Api, admin_of
from support.client import ask
from support.commands import command
from support.server import MakeServer, Server

PROVIDER_KEY = "sk-ant-canary-5f1c0d7e9b2a4c6d8e0f"
SECRET_KEY = "canary-of-the-server-secret-0123456789abcdef"
JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")


async def _lives(admin: Api, name: str) -> set[str]:
    """Somebody who uses what needs secrets; returns all of them."""
    password, changed = f"{PASSWORD}-{name}", f"a {name} Walrus tunes 7 harps"
    account = {"username": name, "email": f"{name}@example.org", "password": password}
    made = await admin.post("/v1/auth/register", account)
    api = Api(admin.http, admin.base_url, {"Authorization": f"Bearer {made['access_token']}"})
    wrong = f"wrong-{password}"
    await api.call("POST", "/v1/auth/login", {"username": name, "password": wrong})
    renewed = await api.post("/v1/auth/refresh", {"refresh_token": made["refresh_token"]})
    key = (await api.post("/v1/auth/api-keys", {"name": "phone"}))["api_key"]
    ticket = await api.ticket()
    await api.call("GET", f"/v1/sessions/none/stream?ticket={ticket}")
    seed = (await api.post("/v1/auth/mfa/totp"))["secret"]
    body = {"current_password": password, "new_password": changed}
    await api.call("POST", "/v1/auth/change-password", body)
    given: list[dict[str, Any]] = [made, renewed]
    tokens = {each[kind] for each in given for kind in ("access_token", "refresh_token")}
    return {password, wrong, changed, made["user"]["api_key"], key, ticket, seed, *tokens}


def _traces(server: Server, folder: Path) -> dict[str, bytes]:
    """Everything that the server leaves behind, and a copy of its database."""
    database, copy = server.data_dir / "homeport.db", folder / "copy.db"
    source, target = sqlite3.connect(f"file:{database}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    files = [path for path in (*server.data_dir.rglob("*"), copy) if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files)
    return {"log": server.log().encode()} | {str(path): path.read_bytes() for path in files}


@pytest.mark.requirement("23", "24", "61")
async def test_secrets_when_used_for_real_then_none_is_found_in_what_the_server_keeps(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(LOG_LEVEL="DEBUG", ANTHROPIC_API_KEY=PROVIDER_KEY, SECRET_KEY=SECRET_KEY)
    async with admin_of(server) as admin:
        secrets = {PROVIDER_KEY, SECRET_KEY, server.admin_key}
        for name in ("ada", "eve", "bob"):
            secrets |= await _lives(admin, name)
        invited = await admin.post("/v1/auth/invitations", {})
        secrets.add(invited["invitation_code"])
        link = (await command(server, "user", "reset", "ada"))["url"]
        secrets.add(link.rpartition("=")[2])
        page = f"{server.base_url}/setup{link.partition('/setup')[2]}"
        assert (await ask(admin.http, "GET", page)).status == 200
    assert len(secrets) >= 30
    traces = _traces(server, tmp_path)
    assert b"ada@example.org" in traces[str(tmp_path / "copy.db")]  # it is looked for where it is
    for where, content in traces.items():
        found = [secret for secret in secrets if secret.encode() in content]
        assert found == [], where
        assert JWT.search(content) is None, where
