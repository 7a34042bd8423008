"""Sign-ins as devices: listed, and ended from elsewhere."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity.access import SignedIn
from homeport.identity.errors import DeviceNotFound
from homeport.identity.repository import count_devices, list_devices
from homeport.identity.router.place import place_after
from homeport.identity.router.provided import Live, Log, OwnDevices
from homeport.identity.schemas import DevicePage, DeviceView
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.devices import revoke_device
from homeport.kernel import clock
from homeport.kernel.http.pagination import Paging, paginate
from homeport.kernel.ids import is_id

router = APIRouter(prefix="/v1/auth/devices", tags=["authentication"])


@router.get("")
async def read_devices(caller: SignedIn, paging: Paging, log: Log) -> DevicePage:
    """The caller's live sign-ins, the newest first."""
    now = clock.utc_now()
    async with log.database.read() as session:
        rows = await list_devices(
            session,
            caller.user_id,
            now=now,
            limit=paging.limit + 1,
            skip=paging.skip,
            after=place_after(paging),
        )
        total = await count_devices(session, caller.user_id, now=now)
    page = paginate(paging, rows, total=total, key=lambda row: (row.id,))
    return DevicePage(
        devices=[DeviceView.of(row, current=row.id == caller.device_id) for row in page.items],
        **page.fields(),
    )


@router.delete("/{device_id}", status_code=204)
async def end_device(device_id: str, caller: OwnDevices, log: Log, live: Live) -> None:
    """Signs one of the caller's devices out; its access tokens end with it."""
    if not is_id(device_id):
        raise DeviceNotFound
    async with log.unit(account_stream(caller.user_id)) as unit:
        ended = await revoke_device(
            unit,
            user_id=caller.user_id,
            device_id=device_id,
            reason="revoked",
            actor=caller.actor,
        )
    if not ended:
        raise DeviceNotFound
    live.forget_user(caller.user_id)
