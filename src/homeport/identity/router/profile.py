"""The profile, as the legacy clients know it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from homeport.identity.access import SignedIn
from homeport.identity.activity import Activity
from homeport.identity.errors import ConfirmationMissing
from homeport.identity.models import User
from homeport.identity.repository import get_account
from homeport.identity.roles import permissions_of
from homeport.identity.router.me import changed
from homeport.identity.router.provided import AccountOwner, Figures, Live, Log, Working
from homeport.identity.schemas import AccountBody, DeletedView, ProfileView, ResetKeyView
from homeport.identity.service.accounts import account_stream, delete_account
from homeport.identity.service.api_keys import (
    DEFAULT_NAME,
    create_key,
    granted_expiry,
    granted_scopes,
    revoke_keys,
)

router = APIRouter(prefix="/v1/user/profile", tags=["profile"])


@router.get("")
async def read_profile(caller: SignedIn, log: Log, figures: Figures) -> ProfileView:
    """The caller's account and what it has done. Keys are kept as hashes and not shown again."""
    async with log.database.read() as session:
        user = await get_account(session, caller.user_id)
    return await _view(user, figures)


@router.post("", include_in_schema=False)  # what old clients send
@router.put("")
async def change_profile(
    body: AccountBody, caller: SignedIn, log: Log, live: Live, figures: Figures
) -> ProfileView:
    """Changes the caller's username or preferences; what is absent stays."""
    user = await changed(log, live, user_id=caller.user_id, body=body)
    return await _view(user, figures)


@router.delete("")
async def delete_profile(
    caller: AccountOwner,
    log: Log,
    live: Live,
    work: Working,
    *,
    confirm: Annotated[bool, Query()] = False,
) -> DeletedView:
    """Deletes the caller's account: it ends at once, what it holds is erased after 30 days."""
    if not confirm:
        raise ConfirmationMissing(param="confirm")
    async with log.unit(account_stream(caller.user_id), "system") as unit:
        user = await get_account(unit.session, caller.user_id)
        await delete_account(unit, user_id=caller.user_id, actor=caller.actor)
    live.forget_user(caller.user_id)
    await work.stop_all(caller.user_id, actor=caller.actor)
    return DeletedView(
        message="The account is deleted. What it holds is erased after 30 days.", email=user.email
    )


@router.post("/reset-api-key")
async def reset_key(caller: AccountOwner, log: Log, live: Live) -> ResetKeyView:
    """Replaces the key called `default`; the old one is dead at once."""
    scopes = granted_scopes(None, caller=caller)
    expires_at = granted_expiry(None, caller=caller)
    async with log.unit(account_stream(caller.user_id)) as unit:
        await revoke_keys(
            unit,
            user_id=caller.user_id,
            reason="reset",
            actor=caller.actor,
            name=DEFAULT_NAME,
        )
        _, text = await create_key(
            unit,
            user_id=caller.user_id,
            name=DEFAULT_NAME,
            scopes=scopes,
            expires_at=expires_at,
            actor=caller.actor,
            signed_only=caller.signed_only,
        )
    live.forget_user(caller.user_id)
    return ResetKeyView(api_key=text, message="Keep this key: it is not shown again.")


async def _view(user: User, figures: Activity) -> ProfileView:
    known = await figures.of(user.id)
    return ProfileView(
        id=user.id,
        email=user.email,
        username=user.username,
        roles=user.roles,
        permissions=sorted(permissions_of(user.roles)),
        preferences=user.preferences,
        created_at=user.created_at,
        updated_at=user.updated_at,
        last_login=user.last_login_at,
        is_active=user.is_active,
        session_count=known.session_count,
        message_count=known.message_count,
        token_usage=dict(known.token_usage),
    )
