"""`homeport user add|show|delete`: accounts made, looked at and ended from the terminal."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import IntegrityError

from homeport.cli.database import ACTOR, opened_log, run
from homeport.cli.settings import read_settings
from homeport.identity.errors import EmailTaken, UsernameTaken
from homeport.identity.models import User
from homeport.identity.names import EmailAddress, Username
from homeport.identity.repository import get_named_account, taken
from homeport.identity.roles import ROLES, USER
from homeport.identity.service.accounts import account_stream, create_account, delete_account
from homeport.kernel import clock
from homeport.kernel.errors import Unprocessable
from homeport.kernel.ids import new_id
from homeport.settings import Settings

Name = Annotated[str, typer.Argument(help="Username or email address.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]
_USERNAME: TypeAdapter[str] = TypeAdapter(Username)
_EMAIL: TypeAdapter[str] = TypeAdapter(EmailAddress)


def register(app: typer.Typer) -> None:
    """Adds the commands to `homeport user`."""
    app.command()(add)
    app.command()(show)
    app.command()(delete)


def add(
    username: Annotated[str, typer.Argument(help="How the person is called here.")],
    email: Annotated[str, typer.Argument(help="Their address.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; may be given more often.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Make an account without a password; `user reset` then prints the link that sets one."""
    refuse_unknown_roles(role or [])
    _told(run(_add(read_settings(), username, email, role or [USER])), as_json=as_json)


def show(name: Name, as_json: AsJSON = False) -> None:
    """Show one account."""
    user = run(_named(read_settings(), name))
    if as_json:
        _told(user, as_json=True)
        return
    for label, value in {**described(user), "roles": ", ".join(user.roles)}.items():
        print(f"{label:<12} {'-' if value is None else value}")


def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Delete an account; `user enable` takes that back for 30 days, then it is erased."""
    if not yes:
        typer.confirm(f"Delete the account {name}?", abort=True)
    _told(run(_delete(read_settings(), name)), as_json=as_json)


def described(user: User) -> dict[str, Any]:
    """An account as the terminal shows it."""
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "roles": user.roles,
        "is_active": user.is_active,
        "has_password": user.password_hash is not None,
        "created_at": clock.rfc3339(user.created_at),
        "last_login": user.last_login_at and clock.rfc3339(user.last_login_at),
        "deleted_at": user.deleted_at and clock.rfc3339(user.deleted_at),
    }


def refuse_unknown_roles(roles: list[str]) -> None:
    """Ends the command where a role is named that there is none of.

    Raises:
        typer.BadParameter: One is unknown.
    """
    if unknown := sorted(set(roles) - set(ROLES)):
        there_are = f"there are: {', '.join(ROLES)}"
        raise typer.BadParameter(f"{', '.join(unknown)} is no role; {there_are}.")


def state_of(user: User) -> str:
    """`active`, `disabled` or `deleted`."""
    if user.deleted_at is not None:
        return "deleted"
    return "active" if user.is_active else "disabled"


async def _add(settings: Settings, username: str, email: str, roles: list[str]) -> User:
    try:
        username, email = _USERNAME.validate_python(username), _EMAIL.validate_python(email)
    except ValidationError as error:
        raise Unprocessable(error.errors()[0]["msg"]) from None
    user_id = new_id()
    async with opened_log(settings) as log:
        try:
            async with log.unit(account_stream(user_id)) as unit:
                await create_account(
                    unit,
                    user_id=user_id,
                    email=email,
                    username=username,
                    password_hash=None,
                    roles=roles,
                    how="operator",
                )
        except IntegrityError:
            async with log.database.read() as session:
                found = await taken(session, email=email, username=username)
            raise (EmailTaken if "email" in found else UsernameTaken) from None
    return await _named(settings, username)


async def _delete(settings: Settings, name: str) -> User:
    user = await _named(settings, name)
    async with opened_log(settings) as log, log.unit(account_stream(user.id), "system") as unit:
        await delete_account(unit, user_id=user.id, actor=ACTOR)
    return await _named(settings, name)


async def _named(settings: Settings, name: str) -> User:
    async with opened_log(settings) as log, log.database.read() as session:
        return await get_named_account(session, name)


def _told(user: User, *, as_json: bool) -> None:
    line = f"{user.username}: {state_of(user)}, {', '.join(user.roles)}"
    print(json.dumps(described(user)) if as_json else line)
