"""Devices that ask to be let in: asked, approved or denied, and given tokens once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.pairing import PairingApproved
from homeport.eventlog.catalogue.pairing import PairingDenied as PairingDeniedEvent
from homeport.identity.errors import AccountDisabled
from homeport.identity.mint import TokenMint, TokenPair
from homeport.identity.opaque import hashed
from homeport.identity.pairing.codes import (
    new_device_code,
    new_user_code,
    user_code_mac,
    user_code_macs,
)
from homeport.identity.pairing.errors import (
    PairingNotFound,
    PairingOver,
    PairingTooFast,
    TooManyPairings,
)
from homeport.identity.pairing.models import Pairing
from homeport.identity.repository import get_account
from homeport.identity.service.devices import open_device
from homeport.identity.visit import Visit
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import WriteSession
from homeport.kernel.ids import new_id

LIFETIME: Final = timedelta(minutes=10)
INTERVAL_S: Final = 5
_SLOWEST_S: Final = 60
MOST_WAITING: Final = 1_000
MOST_OF_A_NETWORK: Final = 20
"""Fewer than of all, so that no stranger keeps everybody else's devices out."""
Decision = Literal["approve", "deny"]


@dataclass(frozen=True, slots=True)
class Codes:
    """What the device gets, once."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Approver:
    """Who decides, and what the device may have of theirs at most.

    Attributes:
        scopes: None is all that the account may do.
    """

    user_id: str
    actor: str
    scopes: frozenset[str] | None = None


async def ask(
    session: WriteSession,
    keyring: KeyRing,
    *,
    name: str | None,
    scopes: frozenset[str] | None,
    visit: Visit,
) -> Codes:
    """Keeps that a device asks to be let in.

    Args:
        name: What the device calls itself.
        scopes: What it wants to be limited to.

    Raises:
        TooManyPairings: Twenty others of the same network wait, or a thousand in all.
    """
    now = clock.utc_now()
    waiting = select(func.count()).where(Pairing.expires_at > now)
    near = waiting.where(Pairing.network == visit.network)
    if visit.network is not None and (await session.scalar(near) or 0) >= MOST_OF_A_NETWORK:
        raise TooManyPairings(
            f"{MOST_OF_A_NETWORK} of your network wait.", retry_after=LIFETIME.total_seconds()
        )
    if (await session.scalar(waiting) or 0) >= MOST_WAITING:
        raise TooManyPairings(retry_after=LIFETIME.total_seconds())
    codes = Codes(new_device_code(), new_user_code())
    session.add(
        Pairing(
            id=new_id(),
            device_hash=hashed(codes.device_code),
            user_code_mac=user_code_mac(keyring, codes.user_code),
            status="waiting",
            device_name=name or visit.device_name,
            address=visit.address,
            network=visit.network,
            requested_scopes=None if scopes is None else sorted(scopes),
            interval_s=INTERVAL_S,
            next_poll_at=now,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return codes


async def get_waiting(session: AsyncSession, keyring: KeyRing, user_code: str | None) -> Pairing:
    """The device that shows `user_code` and that nobody has decided about.

    Raises:
        PairingNotFound: There is none.
    """
    if user_code is not None:
        known = Pairing.user_code_mac.in_(user_code_macs(keyring, user_code))
        query = select(Pairing).where(known, *_waiting())
        if (found := await session.scalar(query)) is not None:
            return found
    raise PairingNotFound


async def decide(unit: Unit, asked: Pairing, approver: Approver, decision: Decision) -> None:
    """Lets the device in or not; of several answers the first counts.

    Raises:
        PairingNotFound: It was decided, or is over, meanwhile.
    """
    requested = None if asked.requested_scopes is None else frozenset(asked.requested_scopes)
    scopes = _both(requested, approver.scopes)
    decided = await unit.session.execute(
        update(Pairing)
        .where(Pairing.id == asked.id, *_waiting())
        .values(
            status="approved" if decision == "approve" else "denied",
            user_id=approver.user_id,
            scopes=None if scopes is None else sorted(scopes),
        )
        .returning(Pairing.id)
        .execution_options(synchronize_session=False)
    )
    if decided.first() is None:
        raise PairingNotFound
    told = PairingApproved if decision == "approve" else PairingDeniedEvent
    event = told(pairing_id=asked.id, device_name=asked.device_name, address=asked.address)
    unit.append(f"account:{approver.user_id}", event, actor=approver.actor)


async def poll(session: WriteSession, device_code: str) -> Pairing | PairingTooFast | PairingOver:
    """What has become of a device's question; what the poll changed is committed in any case."""
    now = clock.utc_now()
    mine = Pairing.device_hash == hashed(device_code)
    asked = await session.scalar(select(Pairing).where(mine, Pairing.expires_at > now))
    if asked is None:
        return PairingOver()
    in_time = await session.execute(
        update(Pairing)
        .where(mine, Pairing.next_poll_at <= now)
        .values(next_poll_at=now + timedelta(seconds=asked.interval_s))
        .returning(Pairing.id)
        .execution_options(synchronize_session=False)
    )
    if in_time.first() is not None:
        return asked
    slower = min(asked.interval_s + INTERVAL_S, _SLOWEST_S)
    await session.execute(
        update(Pairing)
        .where(mine)
        .values(interval_s=slower, next_poll_at=now + timedelta(seconds=slower))
        .execution_options(synchronize_session=False)
    )
    return PairingTooFast(f"Wait {slower} s between two questions.", interval=slower)


async def let_in(unit: Unit, mint: TokenMint, asked: Pairing, *, visit: Visit) -> TokenPair:
    """Signs the approved device in; one conditional write uses the pairing up.

    Raises:
        PairingOver: Another request did.
        AccountDisabled: The account was switched off since.
    """
    gone = await unit.session.execute(
        delete(Pairing)
        .where(
            Pairing.id == asked.id,
            Pairing.status == "approved",
            Pairing.expires_at > clock.utc_now(),
        )
        .returning(Pairing.user_id)
        .execution_options(synchronize_session=False)
    )
    user_id = gone.scalar_one_or_none()
    if user_id is None:
        raise PairingOver
    user = await get_account(unit.session, user_id)
    if not user.is_active:
        raise AccountDisabled
    return await open_device(
        unit,
        mint,
        user=user,
        visit=visit,
        method="pairing",
        scopes=None if asked.scopes is None else frozenset(asked.scopes),
        name=asked.device_name,
    )


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return (Pairing.status == "waiting", Pairing.expires_at > clock.utc_now())


def _both(first: frozenset[str] | None, second: frozenset[str] | None) -> frozenset[str] | None:
    """What two limits allow together; None is no limit."""
    if first is None or second is None:
        return second if first is None else first
    return first & second
