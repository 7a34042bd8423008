"""Making an account for oneself: the account, its first key and its first sign-in, in one unit."""

from __future__ import annotations

from dataclasses import dataclass, field

from homeport.eventlog import EventLog
from homeport.identity.invitations.service import STREAM, use_invitation
from homeport.identity.mint import TokenMint, TokenPair
from homeport.identity.models import User
from homeport.identity.roles import USER
from homeport.identity.service.accounts import account_stream, create_account
from homeport.identity.service.api_keys import DEFAULT_NAME, create_key
from homeport.identity.service.devices import open_device
from homeport.identity.visit import Visit
from homeport.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who registers.

    Attributes:
        invitation_code: Is used up, and says which role the account has; None: `user`.
    """

    email: str
    username: str
    password_hash: str = field(repr=False)
    invitation_code: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registered:
    """A new account, and what proves its owner."""

    user: User
    api_key: str = field(repr=False)
    tokens: TokenPair = field(repr=False)


async def register_account(
    log: EventLog, mint: TokenMint, newcomer: Newcomer, *, visit: Visit
) -> Registered:
    """Makes the account, or nothing.

    Raises:
        InvitationRefused: The invitation does not hold (any more).
        sqlalchemy.exc.IntegrityError: The address or the name is taken.
    """
    user_id, roles, code = new_id(), [USER], newcomer.invitation_code
    streams = [account_stream(user_id), *([] if code is None else [STREAM])]
    async with log.unit(*streams) as unit:
        if code is not None:
            roles = [await use_invitation(unit, code, email=newcomer.email, user_id=user_id)]
        user = await create_account(
            unit,
            user_id=user_id,
            email=newcomer.email,
            username=newcomer.username,
            password_hash=newcomer.password_hash,
            roles=roles,
            how="registration",
        )
        _, api_key = await create_key(
            unit,
            user_id=user_id,
            name=DEFAULT_NAME,
            scopes=None,
            expires_at=None,
            actor=f"user:{user_id}",
        )
        tokens = await open_device(
            unit, mint, user=user, visit=visit, method="registration", scopes=None
        )
    return Registered(user, api_key, tokens)
