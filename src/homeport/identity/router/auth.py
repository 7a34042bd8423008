"""Coming in: register, sign in, change the password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.exc import IntegrityError

from homeport.eventlog import EventLog
from homeport.identity.errors import EmailTaken, UsernameTaken, WrongPassword
from homeport.identity.invitations.errors import InvitationRefused
from homeport.identity.invitations.service import check_invitation
from homeport.identity.names import username_from
from homeport.identity.opaque import new_secret
from homeport.identity.refresh_cookie import HandOver
from homeport.identity.repository import get_account, taken
from homeport.identity.router.login_body import SIGN_IN_BODY, sign_in_body
from homeport.identity.router.provided import (
    AccountOwner,
    Guarding,
    Hashing,
    Live,
    Log,
    Mint,
    Registering,
)
from homeport.identity.schemas import (
    DoneView,
    LoginBody,
    LoginForm,
    PasswordBody,
    RegisterBody,
    SignInView,
    UserView,
)
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.passwords import change_password
from homeport.identity.service.register import Newcomer, register_account
from homeport.identity.service.sign_in import SignedInAs, attempt, complete, narrowed
from homeport.identity.visit import VisitOf

router = APIRouter(prefix="/v1/auth", tags=["authentication"])


@router.post("/register", status_code=201)
async def register(
    body: RegisterBody,
    *,
    registration: Registering,
    passwords: Hashing,
    guard: Guarding,
    log: Log,
    mint: Mint,
    visit: VisitOf,
    hand: HandOver,
) -> SignInView:
    """Makes an account and signs it in; `user.api_key` is shown this once."""
    code = body.invitation_code
    registration.check(invited=code is not None)
    # First of all: whoever is not invited does not learn which names are taken.
    if code is not None:
        await check_invitation(log, guard, code, email=body.email, address=visit.address)
    username = body.username or await _free_username(log, body.email)
    await _refuse_taken(log, email=body.email, username=username)
    words = (username, body.email, body.email.partition("@")[0])
    password_hash = await passwords.hash_new(body.password, context=words)
    newcomer = Newcomer(body.email, username, password_hash, code)
    try:
        made = await register_account(log, mint, newcomer, visit=visit)
    except IntegrityError:
        await _refuse_taken(log, email=body.email, username=username)
        raise
    except InvitationRefused:
        if code is not None:  # it was used or revoked meanwhile, which the log is to know
            await check_invitation(log, guard, code, email=body.email, address=visit.address)
        raise
    return SignInView(
        **hand.over(made.tokens).model_dump(), user=UserView.of(made.user, api_key=made.api_key)
    )


@router.post("/login", openapi_extra=SIGN_IN_BODY)
async def login(
    body: Annotated[LoginBody | LoginForm, Depends(sign_in_body)],
    *,
    passwords: Hashing,
    guard: Guarding,
    log: Log,
    mint: Mint,
    visit: VisitOf,
    hand: HandOver,
) -> SignInView:
    """Signs in by email address or username; takes JSON or the OAuth 2 form."""
    scopes = narrowed(body.scope)
    attempted = await attempt(
        log, passwords, guard, name=body.name, password=body.password, address=visit.address
    )
    async with log.unit(attempted.stream) as unit:
        outcome = await complete(unit, mint, attempted, visit=visit, scopes=scopes)
    if not isinstance(outcome, SignedInAs):
        raise outcome
    return SignInView(**hand.over(outcome.tokens).model_dump(), user=UserView.of(outcome.user))


@router.post("/change-password")
async def change_own_password(
    body: PasswordBody,
    *,
    caller: AccountOwner,
    passwords: Hashing,
    guard: Guarding,
    log: Log,
    live: Live,
    visit: VisitOf,
) -> DoneView:
    """Replaces the password and ends every other sign-in."""
    passwords.refuse_when_busy()
    async with log.database.read() as session:
        user = await get_account(session, caller.user_id)
    guess = await guard.admit(subject=user.id, address=visit.address)
    verdict = await passwords.verify(body.current_password, user.password_hash)
    if not verdict.valid or user.password_hash is None:
        raise WrongPassword
    await guess.succeeded()
    words = (user.username, user.email, user.email.partition("@")[0])
    new_hash = await passwords.hash_changed(
        body.new_password, current=body.current_password, context=words
    )
    async with log.unit(account_stream(user.id)) as unit:
        await change_password(
            unit,
            user_id=user.id,
            verified_hash=user.password_hash,
            new_hash=new_hash,
            keep_device=caller.device_id,
            actor=caller.actor,
        )
    live.forget_user(user.id)
    return DoneView(message="The password is changed; every other device is signed out.")


async def _refuse_taken(log: EventLog, *, email: str, username: str) -> None:
    """Refuses what another account has.

    Raises:
        EmailTaken: The address.
        UsernameTaken: The name.
    """
    async with log.database.read() as session:
        found = await taken(session, email=email, username=username)
    if "email" in found:
        raise EmailTaken(param="email")
    if "username" in found:
        raise UsernameTaken(param="username")


async def _free_username(log: EventLog, email: str) -> str:
    name = username_from(email)
    async with log.database.read() as session:
        found = await taken(session, email=None, username=name)
    return f"{name}-{new_secret()[:4].strip('-_')}x" if found else name
