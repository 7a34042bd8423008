"""The caller's own account."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.exc import IntegrityError

from homeport.eventlog import EventLog
from homeport.identity.access import SignedIn
from homeport.identity.authenticator import Authenticator
from homeport.identity.errors import UsernameTaken
from homeport.identity.models import User
from homeport.identity.repository import get_account
from homeport.identity.router.provided import Live, Log
from homeport.identity.schemas import AccountBody, UserView
from homeport.identity.service.accounts import account_stream, update_account

router = APIRouter(prefix="/v1/auth", tags=["authentication"])


@router.get("/me")
async def read_me(caller: SignedIn, log: Log) -> UserView:
    """The caller's account."""
    async with log.database.read() as session:
        return UserView.of(await get_account(session, caller.user_id))


@router.put("/me")
async def change_me(body: AccountBody, caller: SignedIn, log: Log, live: Live) -> UserView:
    """Changes the caller's username or preferences; what is absent stays."""
    return UserView.of(await changed(log, live, user_id=caller.user_id, body=body))


async def changed(log: EventLog, live: Authenticator, *, user_id: str, body: AccountBody) -> User:
    """The account of `user_id` after what `body` changes.

    Raises:
        UsernameTaken: Another account has the name.
    """
    try:
        async with log.unit(account_stream(user_id)) as unit:
            user = await update_account(
                unit, user_id=user_id, username=body.username, preferences=body.preferences
            )
    except IntegrityError:
        raise UsernameTaken(param="username") from None
    live.forget_user(user_id)
    return user
