"""Sign-ins as devices: listed, named, and ended from elsewhere."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request

from homeport.identity.access import SignedIn
from homeport.identity.errors import DeviceNotFound
from homeport.identity.repository import find_device, page_of_devices
from homeport.identity.router.provided import AccountOwner, Live, Log, OwnDevices, Signed
from homeport.identity.schemas import DeviceBody, DevicePage, DeviceView
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.devices import revoke_device, update_device
from homeport.kernel import clock
from homeport.kernel.http.pagination import Paging
from homeport.kernel.ids import is_id

router = APIRouter(prefix="/v1/auth/devices", tags=["authentication"])


@router.get("")
async def read_devices(caller: SignedIn, paging: Paging, log: Log) -> DevicePage:
    """The caller's live sign-ins, the newest first."""
    now = clock.utc_now()
    async with log.database.read() as session:
        page = await page_of_devices(session, caller.user_id, paging, now=now)
    return DevicePage(
        devices=[DeviceView.of(row, current=row.id == caller.device_id) for row in page.items],
        **page.fields(),
    )


@router.patch("/{device_id}")
async def change_device(
    *,
    request: Request,
    device_id: str,
    body: DeviceBody,
    caller: AccountOwner,
    log: Log,
    live: Live,
    signatures: Signed,
) -> DeviceView:
    """Names a device, or says whether its requests must be signed; to end that, sign this one."""
    if not is_id(device_id):
        raise DeviceNotFound
    async with log.database.read() as session:
        if await find_device(session, caller.user_id, device_id) is None:
            raise DeviceNotFound
    judged = caller.signed_only or signatures.asks(request)
    if body.signed_only is False and not judged:
        await signatures.require(request, caller)
    async with log.unit(account_stream(caller.user_id)) as unit:
        device = await update_device(
            unit,
            user_id=caller.user_id,
            device_id=device_id,
            name=body.name,
            signed_only=body.signed_only,
            actor=caller.actor,
        )
    if device is None:
        raise DeviceNotFound
    live.forget_user(caller.user_id)
    return DeviceView.of(device, current=device.id == caller.device_id)


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
