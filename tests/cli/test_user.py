"""Accounts from the terminal, beside a running server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import aiohttp
import pytest

from roles.stage import Stage
from support.client import ask
from support.server import Server


def homeport(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "homeport", "user", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=dict(server.environment()),
    )


def told(server: Server, *arguments: str) -> Any:
    done = homeport(server, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_user_when_added_and_deleted_from_the_terminal_then_the_server_sees_it(
    server: Server, http: aiohttp.ClientSession
) -> None:
    made = told(server, "add", "grace", "grace@example.org", "--role", "user", "--role", "analyst")
    assert (made["roles"], made["has_password"]) == (["analyst", "user"], False)

    url = f"{server.base_url}/v1/auth/users/{made['id']}"
    seen = await (await ask(http, "GET", url, headers=server.admin)).json()
    assert (seen["username"], seen["is_active"]) == ("grace", True)

    gone = told(server, "delete", "grace@example.org", "--yes")
    assert gone["deleted_at"] is not None
    listed = {user["username"]: user for user in told(server, "list")["users"]}
    assert listed["grace"]["is_active"] is False
    assert "deleted_at" in homeport(server, "show", "grace").stdout
    refused = homeport(server, "reset", "grace")
    assert (refused.returncode, "account.deleted" in refused.stderr) == (1, True)
    back = told(server, "enable", "grace")
    assert (back["is_active"], back["deleted_at"]) == (True, None)


async def test_invitation_when_made_in_the_terminal_then_one_person_registers_with_it(
    server: Server, http: aiohttp.ClientSession
) -> None:
    made = told(server, "invite", "--role", "developer", "--note", "for Hedy", "--expires", "2d")
    assert made["url"].endswith("/v1/auth/register")
    url_of_all = f"{server.base_url}/v1/auth/invitations"
    listed = await (await ask(http, "GET", url_of_all, headers=server.admin)).json()
    (mine,) = [each for each in listed["invitations"] if each["id"] == made["id"]]
    assert (mine["note"], mine["invited_by"]) == ("for Hedy", None)
    body = {
        "email": "hedy@example.org",
        "password": "velvet-comet-hums-4-sonnets",
        "invitation_code": made["invitation_code"],
    }
    for status in (201, 403):
        url = f"{server.base_url}/v1/auth/register"
        assert (await ask(http, "POST", url, json=body)).status == status
    plain = homeport(server, "invite", "--email", "hedwig@example.org")
    assert "hpi_" in plain.stdout
    listed = await (await ask(http, "GET", url_of_all, headers=server.admin)).json()
    (bound,) = [each for each in listed["invitations"] if each["email"] == "hedwig@example.org"]
    left = told(server, "invitations", "--revoke", bound["id"])["invitations"]
    assert bound["id"] not in {each["id"] for each in left}


async def test_user_when_every_signing_key_is_lost_then_the_operator_removes_them(
    server: Server, http: aiohttp.ClientSession
) -> None:
    stage = Stage(server.base_url, http, server.admin_key)
    person = await stage.register("mary")
    for name in ("laptop", "phone"):
        await stage.signing_key(person, name)
    both = homeport(server, "reset", person.name, "--factors", "--signing-keys")
    assert (both.returncode, "at a time" in both.stderr) == (2, True), "else one would be forgotten"
    done = told(server, "reset", person.name, "--signing-keys")
    assert done == {"username": person.name, "removed": 2}
    other = await stage.register("jean")  # the first one's token ends within seconds
    await stage.signing_key(other, "laptop")
    plain = homeport(server, "reset", other.name, "--signing-keys")
    assert "signed with itself alone" in plain.stdout
    path = "/v1/auth/signing-keys"
    assert (await stage.done("GET", path, as_=person.key))["total"] == 0
    trail = await stage.done("GET", "/v1/audit/me?limit=100", as_=person.key)
    ended = [each for each in trail["events"] if each["actor"] == "operator"]
    assert {each["kind"] for each in ended} == {"request_key.removed", "device.revoked"}
    async with asyncio.timeout(20):  # a running server hears of it within five seconds
        while (await stage.call("GET", path, as_=person.access)).status != 401:
            await asyncio.sleep(0.1)


async def test_user_when_the_command_is_wrong_then_it_says_why_and_fails(server: Server) -> None:
    for arguments, code in (
        (("add", "admin", "other@example.org"), "account.username-taken"),
        (("add", "\u0430dmin", "other@example.org"), "request.unprocessable"),
        (("delete", "admin", "--yes"), "account.last-admin"),
    ):
        refused = homeport(server, *arguments)
        assert refused.returncode == 1, arguments
        assert code in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("invite", "--expires", "31d"), "is no time between"),
        (("invite", "--role", "root"), "is no role"),
        (("add", "grace", "grace@example.org", "--role", "root"), "is no role"),
        (("roles", "admin", "root"), "is no role"),
    ],
)
def test_user_when_a_value_does_not_fit_then_it_is_told_as_usage_with_2(
    server: Server, arguments: tuple[str, ...], said: str
) -> None:
    refused = homeport(server, *arguments)
    assert refused.returncode == 2, refused.stderr
    assert said in refused.stderr
