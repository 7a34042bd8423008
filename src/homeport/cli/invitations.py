"""`homeport user invite|invitations`: people who make their account themselves, once each."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from homeport.cli.accounts import refuse_unknown_roles
from homeport.cli.database import ACTOR, opened_log, run
from homeport.cli.pair import address_of
from homeport.cli.settings import read_settings
from homeport.identity.invitations import service
from homeport.identity.invitations.ending import STREAM, open_invitations, revoke_invitation
from homeport.identity.invitations.models import Invitation
from homeport.identity.invitations.service import LONGEST, SHORTEST, Wish
from homeport.identity.names import EmailAddress
from homeport.identity.registration import Registration
from homeport.identity.roles import USER
from homeport.kernel import clock
from homeport.kernel.errors import Unprocessable
from homeport.settings import Settings

AsJSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]
_EMAIL: TypeAdapter[str] = TypeAdapter(EmailAddress)
_SPAN = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def register(app: typer.Typer) -> None:
    """Adds the commands to `homeport user`."""
    app.command()(invite)
    app.command()(invitations)


def invite(
    role: Annotated[str, typer.Option(help="What the new account may do.")] = USER,
    email: Annotated[str | None, typer.Option(help="The only address that may use it.")] = None,
    note: Annotated[str | None, typer.Option(help="For the list of invitations.")] = None,
    expires: Annotated[str, typer.Option(help="As 90m, 12h or 7d; 30d at most.")] = "7d",
    as_json: AsJSON = False,
) -> None:
    """Print a code with which somebody makes one account for themselves."""
    refuse_unknown_roles([role])
    span = _span(expires)
    settings = read_settings()
    made, code = run(_invite(settings, role=role, email=email, note=note, span=span))
    address = f"{address_of(settings, None)}/v1/auth/register"
    if as_json:
        print(json.dumps({**_described(made), "invitation_code": code, "url": address}))
        return
    body = {"email": email or "you@example.org", "password": "...", "invitation_code": code}
    print(
        f"Good for one account ({made.role}), until {clock.rfc3339(made.expires_at)}; this is "
        f"shown once:\n\n  {code}\n\nWhoever has it registers with it, in an app or so:\n\n"
        f"  curl {address} -H 'Content-Type: application/json' -d '{json.dumps(body)}'\n"
    )


def invitations(
    revoke: Annotated[str | None, typer.Option(help="End the one with this id.")] = None,
    as_json: AsJSON = False,
) -> None:
    """List the invitations that could still be used, or end one."""
    settings = read_settings()
    if revoke is not None:
        run(_revoke(settings, revoke))
    found = run(_list(settings))
    if as_json:
        told = [_described(each) for each in found]
        print(json.dumps({"invitations": told, "total": len(told)}))
        return
    for each in found:
        until = clock.rfc3339(each.expires_at)
        print(f"{each.id}  {each.role:<10} {until}  {each.email or '-'}  {each.note or ''}")


async def _invite(
    settings: Settings, *, role: str, email: str | None, note: str | None, span: timedelta
) -> tuple[Invitation, str]:
    Registration(settings.registration).refuse_closed()
    wish = Wish(role, _address(email), note, span)
    async with opened_log(settings) as log, log.unit(STREAM) as unit:
        return service.invite(unit, wish, user_id=None, actor=ACTOR)


async def _revoke(settings: Settings, invitation_id: str) -> None:
    async with opened_log(settings) as log, log.unit(STREAM) as unit:
        await revoke_invitation(unit, invitation_id, actor=ACTOR)


async def _list(settings: Settings) -> list[Invitation]:
    async with opened_log(settings) as log, log.database.read() as session:
        query = open_invitations().order_by(Invitation.id.desc())
        return list(await session.scalars(query))


def _address(email: str | None) -> str | None:
    try:
        return None if email is None else _EMAIL.validate_python(email)
    except ValidationError as error:
        raise Unprocessable(error.errors()[0]["msg"]) from None


def _span(text: str) -> timedelta:
    """The time that `90m`, `12h` or `7d` stands for.

    Raises:
        typer.BadParameter: It is none, or none that an invitation may last.
    """
    found = _SPAN.fullmatch(text)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not SHORTEST <= span <= LONGEST:
        raise typer.BadParameter(f"{text!r} is no time between 1m and 30d, as 90m, 12h or 7d.")
    return span


def _described(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.id,
        "role": invitation.role,
        "email": invitation.email,
        "note": invitation.note,
        "invited_by": invitation.user_id,
        "created_at": clock.rfc3339(invitation.created_at),
        "expires_at": clock.rfc3339(invitation.expires_at),
    }
