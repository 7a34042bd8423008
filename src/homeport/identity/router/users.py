"""Accounts, for those who manage them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from homeport.identity.access import Caller
from homeport.identity.directory import STATUSES, Wanted, account_by_id, page_of_accounts
from homeport.identity.directory_schemas import AccountChange, AccountPage, AccountView
from homeport.identity.guard import unlock
from homeport.identity.roles import ROLES, USER, permissions_of
from homeport.identity.router.provided import Live, Log, Manager, Overseer, Working
from homeport.identity.schemas import DoneView
from homeport.identity.service.accounts import (
    account_stream,
    delete_account,
    disable_account,
    enable_account,
    refuse_deleted,
    set_roles,
)
from homeport.kernel.http.choice import chosen
from homeport.kernel.http.pagination import (
    MAX_OFFSET,
    PageRequest,
    UseCursor,
    page_request,
)

router = APIRouter(prefix="/v1/auth/users", tags=["users"])


async def _paging(
    page: Annotated[PageRequest, Depends(page_request)],
    skip: Annotated[int, Query(ge=0, include_in_schema=False)] = 0,
) -> PageRequest:
    """The page; `skip` is what old clients call the offset.

    Raises:
        UseCursor: It is beyond 10,000.
    """
    if skip > MAX_OFFSET and page.cursor is None:
        raise UseCursor(param="skip")
    return replace(page, offset=page.offset or skip)


def require_reach(caller: Caller, roles: Iterable[str]) -> None:
    """Lets `caller` manage somebody with `roles`, or give or take them: nobody beyond oneself.

    A key for accounts alone would else make its bearer an admin. What every account may do is not
    asked for: such a key is there to manage them.

    Raises:
        ScopeRequired, RoleRequired: The roles may do something that the caller may not.
    """
    for permission in sorted(permissions_of(roles) - permissions_of([USER])):
        caller.require(permission)


@router.get("")
async def read_users(
    *,
    caller: Overseer,
    log: Log,
    paging: Annotated[PageRequest, Depends(_paging)],
    status: Annotated[str | None, Query(json_schema_extra={"enum": list(STATUSES)})] = None,
    role: Annotated[str | None, Query(json_schema_extra={"enum": list(ROLES)})] = None,
    search: Annotated[
        str | None, Query(max_length=255, description="Part of the name or address")
    ] = None,
) -> AccountPage:
    """All accounts, the newest first."""
    del caller  # it may: that is all there is to know
    wanted = Wanted(
        chosen(status, STATUSES, param="status"), chosen(role, tuple(ROLES), param="role"), search
    )
    async with log.database.read() as session:
        page = await page_of_accounts(session, wanted, paging)
    return AccountPage(users=[AccountView.of(row) for row in page.items], **page.fields())


@router.get("/{user_id}")
async def read_user(user_id: str, caller: Overseer, log: Log) -> AccountView:
    """One account."""
    del caller
    async with log.database.read() as session:
        return AccountView.of(await account_by_id(session, user_id))


@router.patch("/{user_id}")
async def change_user(
    user_id: str, body: AccountChange, caller: Manager, log: Log, live: Live, work: Working
) -> AccountView:
    """Replaces roles, switches off or on; it acts on tokens and open streams within 5 seconds."""
    async with log.database.read() as session:
        await account_by_id(session, user_id)
    async with log.unit(account_stream(user_id), "system") as unit:
        before = (await account_by_id(unit.session, user_id)).roles
        require_reach(caller, [*before, *(body.roles or ())])
        if body.is_active:  # first: what is deleted gets roles when it is taken back
            await enable_account(unit, user_id=user_id, actor=caller.actor)
        if body.roles is not None:
            await set_roles(unit, user_id=user_id, roles=body.roles, actor=caller.actor)
        if body.is_active is False:
            await disable_account(unit, user_id=user_id, actor=caller.actor)
        await unit.session.flush()
        user = await account_by_id(unit.session, user_id)
    live.forget_user(user_id)
    if not user.is_active:
        await work.stop_all(user_id, actor=caller.actor)
    return AccountView.of(user)


@router.delete("/{user_id}")
async def delete_user(
    user_id: str, caller: Manager, log: Log, live: Live, work: Working
) -> DoneView:
    """Deletes an account: it ends at once, what it holds is erased after 30 days."""
    async with log.database.read() as session:
        await account_by_id(session, user_id)
    async with log.unit(account_stream(user_id), "system") as unit:
        require_reach(caller, (await account_by_id(unit.session, user_id)).roles)
        await delete_account(unit, user_id=user_id, actor=caller.actor)
    live.forget_user(user_id)
    await work.stop_all(user_id, actor=caller.actor)
    return DoneView(message="The account is deleted; an admin can take that back for 30 days.")


@router.post("/{user_id}/unlock")
async def unlock_user(user_id: str, caller: Manager, log: Log) -> DoneView:
    """Ends the lock after too many wrong passwords or codes, and forgets them."""
    async with log.database.read() as session:
        refuse_deleted(await account_by_id(session, user_id))
    async with log.unit(account_stream(user_id)) as unit:
        unlocked = await unlock(unit, user_id=user_id, actor=caller.actor)
    return DoneView(message="Unlocked." if unlocked else "There was nothing to unlock.")
