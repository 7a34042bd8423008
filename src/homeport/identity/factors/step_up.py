"""Critical actions: on an account with a second factor, one is shown on this device just before.

    @router.post("/v1/things")
    async def make_thing(caller: Annotated[Caller, needs_verified(SERVER_MANAGE)]) -> ...: ...

An API key cannot show one: with it, such an account's critical actions are closed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, identified
from homeport.identity.asking import asking
from homeport.identity.errors import ScopeRequired
from homeport.identity.factors.errors import DeviceRequired, SignInRequired, StepUpRequired
from homeport.identity.factors.proof import methods_of
from homeport.identity.models import Device
from homeport.identity.roles import PERMISSIONS
from homeport.kernel import clock
from homeport.kernel.db import Database, WriteSession
from homeport.kernel.http.provide import services_of

RECENT: Final = timedelta(minutes=5)


def needs_verified(permission: str, *, device: bool = False, fresh: bool = False) -> Any:
    """A dependency that yields the caller if they hold `permission` and proved who they are.

    Args:
        device: An API key is refused on every account, not only on those with a second factor.
        fresh: What is added signs in with all scopes, so a sign-in with fewer is refused; and where
            there is no second factor, the device must have signed in within five minutes: whoever
            finds one signed in must not lock its owner out by a factor of their own.

    Raises:
        ValueError: There is no such permission: a mistake in the program, found at import.
    """
    if permission not in PERMISSIONS:
        raise ValueError(f"no permission is called {permission!r}")

    async def dependency(
        connection: HTTPConnection, caller: Annotated[Caller, Depends(identified)]
    ) -> Caller:
        caller.require(permission)
        if device and caller.device_id is None:
            raise DeviceRequired
        if fresh and caller.scopes is not None:
            raise ScopeRequired(
                "A sign-in with narrower scopes cannot change factors: they would open all.",
                needs=permission,
            )
        database = services_of(connection).get(EventLog).database
        await refuse_unverified(database, caller, fresh=fresh)
        return caller

    asking(dependency, permission)
    return Depends(dependency)


async def refuse_unverified(database: Database, caller: Caller, *, fresh: bool = False) -> None:
    """Lets through who has no second factor, or has shown it on this device within five minutes.

    Args:
        fresh: Who has none must have signed in within five minutes instead.

    Raises:
        SignInRequired: The device signed in too long ago, or was let in by another one.
        DeviceRequired: The caller shows a key.
        StepUpRequired: The device has not shown one lately; `methods` tells how.
        Unavailable: The database cannot say; nobody is let through on a guess.
    """
    async with database.read() as session:
        methods = await methods_of(session, caller.user_id)
        shown_at = await verified_at(session, caller.device_id)
        signed_in_at = await _signed_in_at(session, caller.device_id) if fresh else None
    if not methods:
        if fresh and (signed_in_at is None or signed_in_at <= clock.utc_now() - RECENT):
            raise SignInRequired
        return
    if caller.device_id is None:
        raise DeviceRequired("This account has a second factor, which an API key cannot show.")
    if shown_at is None or shown_at <= clock.utc_now() - RECENT:
        raise StepUpRequired(
            "Send a code to POST /v1/auth/mfa/step-up, then repeat this.", methods=methods
        )


async def verified_at(session: AsyncSession, device_id: str | None) -> datetime | None:
    """When a second factor was last shown on `device_id`."""
    return await session.scalar(select(Device.verified_at).where(Device.id == device_id))


async def _signed_in_at(session: AsyncSession, device_id: str | None) -> datetime | None:
    return await session.scalar(select(Device.signed_in_at).where(Device.id == device_id))


async def mark_verified(session: WriteSession, device_id: str, *, now: datetime) -> None:
    """Writes down that a second factor was shown on `device_id`."""
    await session.execute(update(Device).where(Device.id == device_id).values(verified_at=now))
