"""`homeport secrets` beside a running server that people use all the time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import select
from typer.testing import CliRunner

from homeport.cli import secrets
from homeport.cli.main import app as commands
from homeport.eventlog import EventLog
from homeport.identity.models import SigningKey
from homeport.identity.sealed import PRIVATE_KEYS
from homeport.identity.service.signing_keys import store_key
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.kernel.secret_file import load_secrets, new_secret, secrets_lock, store_secrets
from identity.door import PASSWORD
from support.client import ask
from support.commands import CommandRefused, command
from support.server import MakeServer, Server

PATIENCE_S = 110


async def _live(http: aiohttp.ClientSession, server: Server, name: str) -> int:
    """Refreshes until cancelled, each answer lost once; every request is answered with 200."""
    account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}

    async def post(path: str, body: dict[str, str]) -> Any:
        answer = await ask(http, "POST", server.base_url + path, json=body)
        assert answer.status in {200, 201}, await answer.text()
        return await answer.json()

    token = (await post("/v1/auth/register", account))["refresh_token"]
    count = 0
    try:
        while True:
            lost = await post("/v1/auth/refresh", {"refresh_token": token})
            await asyncio.sleep(0.1)
            token_again = (await post("/v1/auth/refresh", {"refresh_token": token}))[
                "refresh_token"
            ]
            assert token_again == lost["refresh_token"]
            token = token_again
            count += 1
    except asyncio.CancelledError:
        return count


@pytest.mark.faults
@pytest.mark.requirement("59")
async def test_rotate_when_people_refresh_all_the_time_then_nobody_notices(
    make_server: MakeServer, http: aiohttp.ClientSession
) -> None:
    server = make_server()
    path = server.data_dir / "secret.key"
    before = path.read_text(encoding="ascii").split()
    lives = [asyncio.create_task(_live(http, server, f"person{number}")) for number in range(4)]
    async with asyncio.timeout(PATIENCE_S):
        assert await command(server, "secrets", "rotate") == {"rows": 1}
        present, *known = path.read_text(encoding="ascii").split()
        assert known == before
        assert await command(server, "secrets", "forget") == {"forgotten": 1}
        assert path.read_text(encoding="ascii").split() == [present]
        await asyncio.sleep(5)
    for life in lives:
        life.cancel()
    assert min(await asyncio.gather(*lives)) > 5
    server.restart()  # and the signing key opens under the new secret alone
    answer = await ask(http, "GET", f"{server.base_url}/v1/auth/me", headers=server.admin)
    assert answer.status == 200
    assert present not in server.log() + server.said()


async def test_secrets_when_another_command_changes_them_then_neither_touches_the_file(
    server: Server,
) -> None:
    path = server.data_dir / "secret.key"
    before = path.read_bytes()
    with secrets_lock(path):
        for word in ("rotate", "forget"):
            with pytest.raises(CommandRefused, match=r"^1: .*secret\.in-use"):
                await command(server, "secrets", word)
    assert path.read_bytes() == before
    assert await command(server, "secrets", "forget") == {"forgotten": 0}


@pytest.mark.requirement("59")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_forget_when_rotate_was_killed_and_a_server_still_seals_under_the_old_one_then_it_opens(
    log: EventLog, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = new_secret(), new_secret()
    path = tmp_path / "data" / "secret.key"
    load_secrets(path)
    store_secrets(path, (new, old))  # as a `rotate` leaves it that is killed right then
    key, ids = generate_private_key(65537, 2048), list[str]()

    async def meanwhile() -> None:
        """What goes on in the seconds that the command waits: a server that has not looked yet."""
        async with log.unit("system") as unit:
            now = clock.utc_now()
            ids.append(store_key(unit, KeyRing(old), key, state="next", signs_from=now))

    monkeypatch.setenv("DATA_DIR", str(path.parent))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr(secrets, "_settled", meanwhile)
    done = await asyncio.to_thread(CliRunner().invoke, commands, ["secrets", "forget", "--json"])
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"forgotten": 1}), done.stderr
    assert load_secrets(path) == (new,)
    async with log.database.read() as session:
        sealed = (await session.scalars(select(SigningKey.private_sealed))).one()
    context = PRIVATE_KEYS.context(*ids)
    assert KeyRing(new).open(PRIVATE_KEYS.purpose, sealed, context=context)


@pytest.mark.faults
async def test_secrets_when_they_are_set_in_the_environment_then_only_the_rows_are_rewrapped(
    make_server: MakeServer,
) -> None:
    old, new = "o" * 40, "n" * 40
    server = make_server(SECRET_KEY=old)
    server.kill()
    server.settings |= {"SECRET_KEY": new, "SECRET_KEY_PREVIOUS": f"{old}, {'x' * 40}"}
    server.start()
    assert await command(server, "secrets", "rotate") == {"rows": 1}
    assert await command(server, "secrets", "rotate") == {"rows": 0}
    with pytest.raises(CommandRefused, match=r"secret\.is-set"):
        await command(server, "secrets", "forget")
    server.kill()
    server.settings["SECRET_KEY_PREVIOUS"] = ""
    server.start()
    assert not (server.data_dir / "secret.key").exists()
