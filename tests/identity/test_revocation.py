"""What ends a sign-in ends its access tokens, its refresh tokens and what is open by them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp
import pytest

from identity.door import PASSWORD
from readers.api import Api, admin_of
from support.server import Server
from support.sockets import socket, told
from support.sse import heard

PATIENCE_S = 30
_numbers = count()


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody at one device, and what they have open there."""

    admin: Api
    user_id: str
    name: str
    refresh: str
    device: Api

    async def elsewhere(self) -> Api:
        """The same person, signed in on another device."""
        body = {"username": self.name, "password": PASSWORD}
        made = await self.admin.post("/v1/auth/login", body)
        headers = {"Authorization": f"Bearer {made['access_token']}"}
        return Api(self.admin.http, self.admin.base_url, headers)


async def _take_seat(admin: Api) -> Seat:
    name = f"seat{next(_numbers)}x{id(admin)}"
    account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    made = await admin.post("/v1/auth/register", account)
    headers = {"Authorization": f"Bearer {made['access_token']}"}
    device = Api(admin.http, admin.base_url, headers)
    return Seat(admin, made["user"]["id"], name, made["refresh_token"], device)


async def _logout(seat: Seat) -> None:
    await seat.device.post("/v1/auth/logout")


async def _logout_all(seat: Seat) -> None:
    await (await seat.elsewhere()).post("/v1/auth/logout-all")


async def _change_password(seat: Seat) -> None:
    body = {"current_password": PASSWORD, "new_password": "a Walrus tunes 7 harps"}
    await (await seat.elsewhere()).post("/v1/auth/change-password", body)


async def _revoke_device(seat: Seat) -> None:
    other = await seat.elsewhere()
    listed = (await other.get("/v1/auth/devices"))["devices"]
    (gone,) = [device["id"] for device in listed if not device["current"]]
    assert (await other.call("DELETE", f"/v1/auth/devices/{gone}")).status == 204


async def _reuse_refresh(seat: Seat) -> None:
    child = (await seat.admin.post("/v1/auth/refresh", {"refresh_token": seat.refresh}))[
        "refresh_token"
    ]
    await seat.admin.post("/v1/auth/refresh", {"refresh_token": child})
    reused = await seat.admin.call("POST", "/v1/auth/refresh", {"refresh_token": seat.refresh})
    assert reused.status == 401


async def _change(seat: Seat, **members: Any) -> None:
    answer = await seat.admin.call("PATCH", f"/v1/auth/users/{seat.user_id}", members)
    assert answer.status == 200, answer


async def _disable(seat: Seat) -> None:
    await _change(seat, is_active=False)


async def _lock_and_open_again(seat: Seat) -> None:
    await _change(seat, is_active=False)
    await _change(seat, is_active=True)


async def _delete(seat: Seat) -> None:
    answer = await seat.admin.call("DELETE", f"/v1/auth/users/{seat.user_id}")
    assert answer.status == 200, answer


async def _change_roles(seat: Seat) -> None:
    await _change(seat, roles=["analyst"])


ENDS: tuple[Callable[[Seat], Awaitable[None]], ...] = (
    _logout,
    _logout_all,
    _change_password,
    _revoke_device,
    _reuse_refresh,
    _disable,
    _lock_and_open_again,
    _delete,
)


async def _until_all_is_over(seat: Seat, act: Callable[[Seat], Awaitable[None]]) -> None:
    """Opens both kinds of stream, lets `act` happen, and waits for their ends."""
    device, began = seat.device, asyncio.Event()
    session_id = await device.session()
    path = f"/v1/sessions/{session_id}/stream?after=0"
    long = aiohttp.ClientTimeout(total=PATIENCE_S)

    async def read_events(answer: aiohttp.ClientResponse) -> None:
        async for _ in heard(answer):
            began.set()

    async with (
        asyncio.timeout(PATIENCE_S),
        device.http.get(device.base_url + path, headers=device.headers, timeout=long) as answer,
        socket(device.base_url, "/v1/ws", device.headers) as connection,
    ):
        reading = asyncio.create_task(read_events(answer))
        await began.wait()
        await act(seat)
        await reading
        async for _ in told(connection):
            pass
        assert connection.close_code == 1008


@pytest.mark.requirement("22", "CVE-38")
async def test_sign_in_when_ended_in_any_way_then_tokens_and_open_streams_end_with_it(
    server: Server,
) -> None:
    async with admin_of(server) as admin:
        seats = [await _take_seat(admin) for _ in ENDS]
        await asyncio.gather(*map(_until_all_is_over, seats, ENDS))
        for seat, act in zip(seats, ENDS, strict=True):
            assert (await seat.device.call("GET", "/v1/auth/me")).status == 401, act
            refused = await admin.call("POST", "/v1/auth/refresh", {"refresh_token": seat.refresh})
            assert (refused.status, refused.code) == (401, "auth.refresh-refused"), act


@pytest.mark.requirement("22")
async def test_roles_when_changed_then_streams_end_and_the_token_may_what_they_allow(
    server: Server,
) -> None:
    async with admin_of(server) as admin:
        seat = await _take_seat(admin)
        await _until_all_is_over(seat, _change_roles)
        assert (await seat.device.get("/v1/auth/me"))["roles"] == ["analyst"]
