"""Passkeys of an account: added, used, removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Scope

from homeport.eventlog import EventLog, Unit
from homeport.eventlog.catalogue.passkey import PasskeyAdded, PasskeyMistrusted, PasskeyRemoved
from homeport.identity.access import Caller
from homeport.identity.passkeys.ceremony import (
    Credential,
    RelyingParty,
    library_loaded,
    spend_challenge,
)
from homeport.identity.passkeys.errors import (
    PasskeyKnown,
    PasskeyNotFound,
    PasskeyRefused,
    PasskeyUnfit,
    TooManyPasskeys,
)
from homeport.identity.passkeys.models import Passkey
from homeport.identity.whose import concern
from homeport.kernel import clock
from homeport.kernel.ids import new_id

MAX_PASSKEYS: Final = 20


async def list_passkeys(session: AsyncSession, user_id: str) -> Sequence[Passkey]:
    """The passkeys of `user_id`, the oldest first."""
    query = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)
    return (await session.scalars(query)).all()


async def has_passkey(session: AsyncSession, user_id: str) -> bool:
    """Whether `user_id` has one."""
    return bool(await session.scalar(select(exists().where(Passkey.user_id == user_id))))


async def add_passkey(unit: Unit, *, caller: Caller, made: Credential, name: str) -> Passkey:
    """Binds a new credential to the caller.

    Raises:
        TooManyPasskeys: There are twenty.
        PasskeyKnown: The credential is somebody's already; the unit is lost.
    """
    count = select(func.count()).where(Passkey.user_id == caller.user_id)
    if (await unit.session.scalar(count) or 0) >= MAX_PASSKEYS:
        raise TooManyPasskeys(f"An account has {MAX_PASSKEYS} passkeys at most.")
    passkey = Passkey(
        id=new_id(),
        user_id=caller.user_id,
        credential_id=made.id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        name=name,
        created_at=clock.utc_now(),
        last_used_at=None,
    )
    unit.session.add(passkey)
    try:
        await unit.session.flush()
    except IntegrityError:
        raise PasskeyKnown from None
    added = PasskeyAdded(passkey_id=passkey.id, name=name)
    unit.append(f"account:{caller.user_id}", added, actor=caller.actor)
    return passkey


async def remove_passkey(unit: Unit, *, caller: Caller, passkey_id: str) -> None:
    """Takes one of the caller's passkeys away.

    Raises:
        PasskeyNotFound: It is none of theirs.
    """
    removed = await unit.session.execute(
        delete(Passkey)
        .where(Passkey.id == passkey_id, Passkey.user_id == caller.user_id)
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    )
    if removed.first() is None:
        raise PasskeyNotFound
    event = PasskeyRemoved(passkey_id=passkey_id)
    unit.append(f"account:{caller.user_id}", event, actor=caller.actor)


async def made_by(
    log: EventLog, party: RelyingParty, credential: dict[str, Any], *, caller: Caller, port: int
) -> Credential:
    """The credential that the caller's authenticator has made in answer to our challenge.

    The challenge is used up, whatever else is right or wrong.

    Raises:
        PasskeyUnfit: It was made for something else, or is none.
    """
    await library_loaded()
    from homeport.identity.passkeys.library import Malformed, challenge_in, registered

    try:
        challenge = challenge_in(credential)
        async with log.database.write() as session:
            fresh = await spend_challenge(
                session, challenge, purpose="register", user_id=caller.user_id
            )
        if not fresh:
            raise PasskeyUnfit("Its challenge is unknown, answered, or too old: begin again.")
        return registered(party, credential, challenge=challenge, port=port)
    except Malformed:
        raise PasskeyUnfit from None


async def proven(
    log: EventLog, party: RelyingParty, credential: dict[str, Any], *, port: int, scope: Scope
) -> tuple[Passkey, int]:
    """The passkey that has answered a challenge of ours, and what its counter says.

    The challenge is used up, whatever else is right or wrong.

    Args:
        scope: The request that shows it; what is refused of it concerns the passkey's owner.

    Raises:
        PasskeyRefused: It proves nobody.
    """
    await library_loaded()
    from homeport.identity.passkeys.library import (
        Malformed,
        asserted,
        challenge_in,
        credential_id_in,
    )

    try:
        challenge, credential_id = challenge_in(credential), credential_id_in(credential)
        async with log.database.write() as session:
            fresh = await spend_challenge(session, challenge, purpose="login", user_id=None)
        async with log.database.read() as session:
            passkey = await session.scalar(
                select(Passkey).where(Passkey.credential_id == credential_id)
            )
        if passkey is not None:
            concern(scope, passkey.user_id)
        if not fresh or passkey is None:
            raise PasskeyRefused
        count = asserted(party, credential, passkey, challenge=challenge, port=port)
    except Malformed:
        raise PasskeyRefused from None
    return passkey, count


async def note_use(unit: Unit, passkey: Passkey, *, count: int, address: str | None) -> bool:
    """Notes the counter in one conditional write; False when it did not move on.

    A counter that stands still or goes back is that of a copy (level 3, section 6.1.1): recorded,
    to be committed like a success. Authenticators that do not count say zero for ever.
    """
    moved = Passkey.sign_count < count if count else Passkey.sign_count == 0
    noted = await unit.session.execute(
        update(Passkey)
        .where(Passkey.id == passkey.id, moved)
        .values(sign_count=count, last_used_at=clock.utc_now())
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    )
    if noted.first() is not None:
        return True
    mistrusted = PasskeyMistrusted(passkey_id=passkey.id, address=address)
    unit.append(f"account:{passkey.user_id}", mistrusted, actor="system")
    return False
