"""The first start on an empty database: the account `admin`, a one-time link, a key for a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import IntegrityError

from homeport.eventlog import EventLog
from homeport.identity.repository import has_accounts
from homeport.identity.roles import ADMIN
from homeport.identity.service.accounts import account_stream, create_account
from homeport.identity.service.api_keys import create_key
from homeport.identity.service.passwords import create_setup_link
from homeport.kernel import clock
from homeport.kernel.ids import new_id

ADMIN_NAME: Final = "admin"
ADMIN_EMAIL: Final = "admin@localhost"
KEY_LIFETIME: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """What the terminal shows once. The secrets stay out of `repr`, so that no log has them."""

    username: str
    link_path: str = field(repr=False)
    link_expires_at: datetime
    api_key: str = field(repr=False)
    api_key_expires_at: datetime


async def first_start(log: EventLog) -> FirstAdmin | None:
    """Makes the first admin on an empty database; None when there are accounts.

    Of several nodes that start at once exactly one makes it: the name is unique.
    """
    async with log.database.read() as session:
        if await has_accounts(session):
            return None
    user_id = new_id()
    try:
        async with log.unit(account_stream(user_id), "system") as unit:
            if await has_accounts(unit.session):
                return None
            await create_account(
                unit,
                user_id=user_id,
                email=ADMIN_EMAIL,
                username=ADMIN_NAME,
                password_hash=None,
                roles=[ADMIN],
                how="first-start",
            )
            link_path, link_expires_at = await create_setup_link(unit, user_id=user_id)
            expires_at = clock.utc_now() + KEY_LIFETIME
            _, text = await create_key(
                unit,
                user_id=user_id,
                name="first start",
                scopes=None,
                expires_at=expires_at,
                actor="system",
            )
    except IntegrityError:
        return None
    return FirstAdmin(ADMIN_NAME, link_path, link_expires_at, text, expires_at)
