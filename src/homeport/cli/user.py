"""`homeport user`: accounts from the terminal, with the server running or stopped.

The commands open the database themselves. A running server believes what it knows about a caller
for four seconds, so a disabled account is out within five.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from homeport.cli import accounts, invitations
from homeport.cli.accounts import described, state_of
from homeport.cli.database import ACTOR, opened_log, run
from homeport.cli.settings import read_settings
from homeport.eventlog import EventLog
from homeport.identity.factors.manage import reset_factors
from homeport.identity.first_start import ADMIN_NAME
from homeport.identity.guard import unlock as unlock_account
from homeport.identity.models import User
from homeport.identity.passwords import Passwords
from homeport.identity.repository import get_named_account, list_accounts
from homeport.identity.service.accounts import (
    account_stream,
    disable_account,
    enable_account,
    refuse_deleted,
    set_roles,
)
from homeport.identity.service.passwords import create_setup_link, set_password
from homeport.identity.signatures.keys import reset_request_keys
from homeport.kernel import clock
from homeport.settings import Settings

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound

app = typer.Typer(
    help="Accounts: list, show, add, invite, roles, disable, enable, unlock, delete, reset.",
    add_completion=False,
    no_args_is_help=True,
)
accounts.register(app)
invitations.register(app)
Name = Annotated[str, typer.Argument(help="Username or email address.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


@app.command("list")
def list_users(as_json: AsJSON = False) -> None:
    """List all accounts."""
    users = run(_list(read_settings()))
    if as_json:
        told = [described(user) for user in users]
        print(json.dumps({"users": told, "total": len(told)}))
        return
    for user in users:
        state, roles = state_of(user), ",".join(user.roles)
        print(f"{user.username:<24} {user.email:<32} {state:<9} {roles}")


@app.command()
def reset(
    name: Annotated[str, typer.Argument(help="Username or email address.")] = ADMIN_NAME,
    prompt: Annotated[
        bool, typer.Option("--prompt", help="Ask for the new password here, without a link.")
    ] = False,
    factors: Annotated[
        bool, typer.Option("--factors", help="Remove the second factors; the password stays.")
    ] = False,
    signing_keys: Annotated[
        bool, typer.Option("--signing-keys", help="Remove the keys that sign requests.")
    ] = False,
    as_json: AsJSON = False,
) -> None:
    """Print a one-time link that sets a password; it ends every sign-in of the account."""
    if prompt + factors + signing_keys > 1:
        raise typer.BadParameter("Ask for one of --prompt, --factors, --signing-keys at a time.")
    settings = read_settings()
    if factors:
        told, line = _without_factors(settings, name)
    elif signing_keys:
        told, line = _without_signing_keys(settings, name)
    elif prompt:
        password = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
        username = run(_set_password(settings, name, password))
        told = {"username": username, "changed": True}
        line = f"The password of {username} is set; every device is signed out."
    else:
        told = run(_link(settings, name))
        line = (
            f"Open within ten minutes, on this machine, while the server runs:\n\n  {told['url']}\n"
        )
    print(json.dumps(told) if as_json else line)


def _without_factors(settings: Settings, name: str) -> tuple[dict[str, Any], str]:
    username, methods = run(_reset_factors(settings, name))
    line = (
        f"{username} signs in with the password alone; every device is signed out."
        if methods
        else f"{username} has no second factor."
    )
    return {"username": username, "removed": methods}, line


def _without_signing_keys(settings: Settings, name: str) -> tuple[dict[str, Any], str]:
    username, count = run(_reset_signing_keys(settings, name))
    line = (
        f"{username} has no signing key any more and every device is signed out; after the next "
        "sign-in one is added, signed with itself alone. An API key with account:manage can add it "
        "too: revoke those that may be in wrong hands."
        if count
        else f"{username} has no signing key."
    )
    return {"username": username, "removed": count}, line


@app.command()
def unlock(name: Name, as_json: AsJSON = False) -> None:
    """End the lock after too many wrong passwords, and forget them."""
    username, was_locked = run(_unlock(read_settings(), name))
    state = "unlocked" if was_locked else "there was nothing to unlock"
    told = json.dumps({"username": username, "unlocked": was_locked})
    print(told if as_json else f"{username}: {state}")


@app.command()
def disable(name: Name, as_json: AsJSON = False) -> None:
    """Switch an account off and end its sign-ins."""
    _told(run(_switch(read_settings(), name, active=False)), as_json=as_json)


@app.command()
def enable(name: Name, as_json: AsJSON = False) -> None:
    """Switch an account on again."""
    _told(run(_switch(read_settings(), name, active=True)), as_json=as_json)


@app.command()
def roles(
    name: Name,
    role: Annotated[list[str], typer.Argument(help="All roles that the account is to have.")],
    as_json: AsJSON = False,
) -> None:
    """Replace the roles of an account."""
    accounts.refuse_unknown_roles(role)
    _told(run(_set_roles(read_settings(), name, role)), as_json=as_json)


async def _list(settings: Settings) -> list[User]:
    async with opened_log(settings) as log, log.database.read() as session:
        return list(await list_accounts(session))


async def _link(settings: Settings, name: str) -> dict[str, Any]:
    async with opened_log(settings) as log:
        user = await _living(log, name)
        async with log.unit(account_stream(user.id)) as unit:
            path, expires_at = await create_setup_link(unit, user_id=user.id)
    host = "127.0.0.1" if settings.host in ANY_ADDRESS else settings.host
    address = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    return {
        "username": user.username,
        "url": address + path,
        "expires_at": clock.rfc3339(expires_at),
    }


async def _reset_factors(settings: Settings, name: str) -> tuple[str, list[str]]:
    async with opened_log(settings) as log:
        user = await _living(log, name)
        async with log.unit(account_stream(user.id)) as unit:
            methods = await reset_factors(unit, user_id=user.id, actor=ACTOR)
        return user.username, [*methods]


async def _reset_signing_keys(settings: Settings, name: str) -> tuple[str, int]:
    async with opened_log(settings) as log:
        user = await _living(log, name)
        async with log.unit(account_stream(user.id)) as unit:
            return user.username, await reset_request_keys(unit, user_id=user.id, actor=ACTOR)


async def _set_password(settings: Settings, name: str, password: str) -> str:
    async with opened_log(settings) as log:
        user = await _living(log, name)
        passwords = Passwords(
            hasher=settings.password_hasher, min_length=settings.password_min_length
        )
        try:
            words = (user.username, user.email.partition("@")[0])
            new_hash = await passwords.hash_new(password, context=words)
        finally:
            passwords.close()
        async with log.unit(account_stream(user.id)) as unit:
            await set_password(
                unit, user_id=user.id, new_hash=new_hash, how="terminal", actor=ACTOR
            )
        return user.username


async def _unlock(settings: Settings, name: str) -> tuple[str, bool]:
    async with opened_log(settings) as log:
        user = await _living(log, name)
        async with log.unit(account_stream(user.id)) as unit:
            return user.username, await unlock_account(unit, user_id=user.id, actor=ACTOR)


async def _switch(settings: Settings, name: str, *, active: bool) -> User:
    async with opened_log(settings) as log:
        user = await _named(log, name)
        async with log.unit(account_stream(user.id), "system") as unit:
            verb = enable_account if active else disable_account
            await verb(unit, user_id=user.id, actor=ACTOR)
        return await _named(log, name)


async def _set_roles(settings: Settings, name: str, wanted: list[str]) -> User:
    async with opened_log(settings) as log:
        user = await _living(log, name)
        async with log.unit(account_stream(user.id), "system") as unit:
            await set_roles(unit, user_id=user.id, roles=wanted, actor=ACTOR)
        return await _named(log, name)


async def _named(log: EventLog, name: str) -> User:
    async with log.database.read() as session:
        return await get_named_account(session, name)


async def _living(log: EventLog, name: str) -> User:
    """The account, unless it is deleted.

    Raises:
        AccountNotFound: There is none.
        AccountIsDeleted: `user enable` takes that back first.
    """
    user = await _named(log, name)
    refuse_deleted(user)
    return user


def _told(user: User, *, as_json: bool) -> None:
    line = f"{user.username}: {state_of(user)}, {', '.join(user.roles)}"
    print(json.dumps(described(user)) if as_json else line)
