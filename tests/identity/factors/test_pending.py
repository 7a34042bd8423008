"""A sign-in halfway reaches the second factor and nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from homeport.cli.user import app as user_commands
from homeport.identity.service.accounts import disable_account
from homeport.identity.service.passwords import create_setup_link
from homeport.kernel.ids import new_id
from identity.app import STEP, App, guarded, halfway, verify
from identity.conftest import Shift
from identity.door import PASSWORD, Door
from support.client import ask
from support.server import Server

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""What is the same on both databases: the writes that differ have tests beside these."""


OTHER_PASSWORD = "velvet-comet-hums-4-sonnets"


@on_sqlite
async def test_attempt_when_completed_then_its_token_is_used_up(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    token = await halfway(door, "ada")
    shift_clock(STEP)
    done = await verify(door, token, ada.app.code())
    assert done.status == 200
    again = await verify(door, token, ada.recovery[0], method="recovery")
    assert (again.status, again.code) == (401, "auth.mfa-token-refused")
    state = (await door.call("GET", "/v1/auth/mfa", token=done.json["access_token"])).json
    assert state["recovery_codes_left"] == 10  # a code is not lost on an attempt that is over
    assert state["verified_until"] is not None


@on_sqlite
async def test_attempt_when_five_minutes_old_then_it_is_over(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    token = await halfway(door, "ada")
    shift_clock(timedelta(minutes=5))
    late = await verify(door, token, ada.app.code())
    assert (late.status, late.code) == (401, "auth.mfa-token-refused")


@on_sqlite
async def test_attempt_when_narrowed_to_scopes_then_so_is_the_sign_in(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    body = {"username": "ada", "password": PASSWORD, "scope": "api:read"}
    token = (await door.call("POST", "/v1/auth/login", json=body)).json["mfa_token"]
    shift_clock(STEP)
    access = (await verify(door, token, ada.app.code())).json["access_token"]
    assert (await door.me(access)).status == 200
    renamed = await door.call("PUT", "/v1/auth/me", token=access, json={"username": "eve"})
    assert renamed.code == "auth.scope-required"


@on_sqlite
async def test_attempt_when_the_account_is_disabled_then_it_is_over(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    token = await halfway(door, "ada")
    async with door.log.unit(f"account:{ada.person.id}", "system") as unit:
        await disable_account(unit, user_id=ada.person.id, actor="operator")
    shift_clock(STEP)
    assert (await verify(door, token, ada.app.code())).status == 401


@pytest.mark.requirement("12")
async def test_password_when_reset_by_a_link_then_the_factor_stays_and_the_attempt_ends(
    door: Door, shift_clock: Shift
) -> None:
    ada = await guarded(door, "ada")
    token = await halfway(door, "ada")
    async with door.log.unit(f"account:{ada.person.id}") as unit:
        path, _ = await create_setup_link(unit, user_id=ada.person.id)
    secret = path.partition("=")[2]
    form = {"token": secret, "password": OTHER_PASSWORD, "repeated": OTHER_PASSWORD}
    assert (await door.call("POST", "/setup", form=form)).status == 200
    shift_clock(STEP)
    assert (await verify(door, token, ada.app.code())).code == "auth.mfa-token-refused"
    answer = await door.login("ada", password=OTHER_PASSWORD)
    assert (answer.status, answer.code) == (401, "auth.mfa-required")


async def test_factors_when_the_operator_removes_them_then_the_password_signs_in(
    door: Door, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await guarded(door, "ada")
    monkeypatch.setenv("DATABASE_URL", database_url)
    arguments = ["reset", "ada", "--factors"]
    done = await asyncio.to_thread(CliRunner().invoke, user_commands, arguments)
    assert (done.exit_code, "password alone" in done.stdout) == (0, True), done.output
    assert (await door.login("ada")).status == 200
    door.identity.callers.forget_user(
        ada.person.id
    )  # what another process changed, in five seconds
    assert (await door.me(ada.person.access)).status == 401
    kinds = await door.kinds(ada.person.id)
    assert kinds[-3:] == ["second_factors.reset", "device.revoked", "login.succeeded"]
    again = await asyncio.to_thread(CliRunner().invoke, user_commands, [*arguments, "--json"])
    assert again.stdout.strip() == '{"username": "ada", "removed": []}'


@pytest.mark.requirement("12")
@pytest.mark.requirement("CVE-33")
async def test_token_of_half_a_sign_in_when_shown_to_every_route_then_it_opens_none(
    server: Server, http: aiohttp.ClientSession
) -> None:
    token = await _half_signed_in(server, http)
    contract = await (await ask(http, "GET", f"{server.base_url}/openapi.json")).json()
    closed = list(_closed(contract))
    assert len(closed) > 50
    for method, path in closed:
        for header in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}):
            url = server.base_url + path
            refused = await ask(http, method, url, headers=header, json={})
            assert refused.status == 401, (method, path, await refused.text())
    for path in ("/v1/ws", f"/v1/sessions/{new_id()}/ws"):
        for query, headers in (
            (f"?ticket={token}", {}),
            ("", {"Authorization": f"Bearer {token}"}),
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as shut:
                await http.ws_connect(
                    server.base_url + path + query, origin=server.base_url, headers=headers
                )
            assert shut.value.status == 401
    body = {"refresh_token": token}
    refused = await ask(http, "POST", f"{server.base_url}/v1/auth/refresh", json=body)
    assert refused.status == 401


async def _half_signed_in(server: Server, http: aiohttp.ClientSession) -> str:
    name, auth = f"half-{new_id()[-8:]}", f"{server.base_url}/v1/auth"
    account = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
    made = await (await ask(http, "POST", f"{auth}/register", json=account)).json()
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    setup = await (await ask(http, "POST", f"{auth}/mfa/totp", headers=bearer)).json()
    body = {"code": App(setup["otpauth_uri"]).code()}
    done = await ask(http, "POST", f"{auth}/mfa/totp/confirm", headers=bearer, json=body)
    assert done.status == 200
    body = {"username": name, "password": PASSWORD}
    return (await (await ask(http, "POST", f"{auth}/login", json=body)).json())["mfa_token"]


def _closed(contract: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each operation that wants a caller, with made-up ids in its path."""
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            if operation.get("security"):
                yield method.upper(), re.sub(r"\{[^}]+\}", lambda _: new_id(), path)
