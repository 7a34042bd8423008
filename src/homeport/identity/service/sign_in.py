"""Signing in with a password: what is checked before the unit, and what is recorded inside it.

Known and unknown names cost the same: the same queries, one verification, a unit with one event.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update

from homeport.eventlog import EventLog, Unit
from homeport.eventlog.catalogue.account import LoginFailed, LoginRefusal, PasswordRehashed
from homeport.eventlog.catalogue.factor import LoginChallenged
from homeport.identity.errors import AccountDisabled, SignInRefused, UnknownScope
from homeport.identity.factors import pending
from homeport.identity.factors.errors import SecondFactorRequired
from homeport.identity.factors.proof import methods_of
from homeport.identity.guard import Attempt, Guard
from homeport.identity.mint import TokenMint, TokenPair
from homeport.identity.models import User
from homeport.identity.names import folded
from homeport.identity.passwords import Passwords, Verdict, hash_kind
from homeport.identity.repository import find_account
from homeport.identity.roles import PERMISSIONS
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.devices import open_device
from homeport.identity.visit import Visit
from homeport.kernel import clock


@dataclass(frozen=True, slots=True)
class Tried:
    """A sign-in whose password has been looked at; `user` is None when nobody has the name."""

    name: str
    user: User | None
    verdict: Verdict
    guess: Attempt

    @property
    def stream(self) -> str:
        """The stream that the attempt is recorded on."""
        return account_stream(self.user.id) if self.user is not None else "system"


@dataclass(frozen=True, slots=True)
class SignedInAs:
    """A successful sign-in."""

    user: User
    tokens: TokenPair


def narrowed(scope: str) -> frozenset[str] | None:
    """The scopes that a sign-in is limited to, as OAuth 2 spells them; empty is no limit.

    Raises:
        UnknownScope: One of them does not exist.
    """
    wanted = frozenset(scope.split())
    unknown = sorted(wanted - PERMISSIONS)
    if unknown:
        raise UnknownScope(
            f"{', '.join(unknown)} is no scope; there are: {', '.join(sorted(PERMISSIONS))}.",
            param="scope",
        )
    return wanted or None


async def attempt(
    log: EventLog,
    passwords: Passwords,
    guard: Guard,
    *,
    name: str,
    password: str,
    address: str | None,
) -> Tried:
    """Looks at a name and a password, and counts the guess.

    Raises:
        AccountLocked, TooManyGuesses: It is not looked at.
        PasswordsBusy: Too many others are being looked at.
    """
    passwords.refuse_when_busy()
    async with log.database.read() as session:
        user = await find_account(session, name)
    subject = guard.subject(None if user is None else user.id, name)
    guess = await guard.admit(subject=subject, address=address)
    stored = None if user is None else user.password_hash
    return Tried(name, user, await passwords.verify(password, stored), guess)


async def complete(
    unit: Unit,
    mint: TokenMint,
    attempted: Tried,
    *,
    visit: Visit,
    scopes: frozenset[str] | None,
) -> SignedInAs | SecondFactorRequired | AccountDisabled | SignInRefused:
    """Signs in, asks for the second factor, or records the failure.

    A refusal is returned, so that its record is committed.
    """
    user, reason = await _judge(unit, attempted)
    if user is None or reason is not None:
        refused = reason or "unknown"
        unit.append(
            attempted.stream,
            LoginFailed(
                reason=refused,
                name_digest=mint.name_digest(folded(attempted.name)),
                address=visit.address,
            ),
            actor="system",
        )
        return AccountDisabled() if refused == "disabled" else SignInRefused()
    await attempted.guess.succeeded(unit.session)
    await _upgrade(unit, user, attempted.verdict.upgraded)
    if methods := await methods_of(unit.session, user.id):
        token = pending.begin(unit.session, user_id=user.id, scopes=scopes, now=clock.utc_now())
        challenged = LoginChallenged(methods=methods, address=visit.address)
        unit.append(attempted.stream, challenged, actor=f"user:{user.id}")
        return SecondFactorRequired(mfa_token=token, methods=methods)
    tokens = await open_device(unit, mint, user=user, visit=visit, method="password", scopes=scopes)
    return SignedInAs(user, tokens)


async def _judge(unit: Unit, attempted: Tried) -> tuple[User | None, LoginRefusal | None]:
    """The account as it is now, under the stream's lock, and why it is refused."""
    before = attempted.user
    if before is None:
        return None, "unknown"
    user = await unit.session.get_one(User, before.id)
    if before.password_hash is None:
        return user, "no-password"
    if not attempted.verdict.valid or user.password_hash != before.password_hash:
        return user, "password"
    return user, None if user.is_active else "disabled"


async def _upgrade(unit: Unit, user: User, upgraded: str | None) -> None:
    if upgraded is None or user.password_hash is None:
        return
    before = user.password_hash
    await unit.session.execute(
        update(User)
        .where(User.id == user.id, User.password_hash == before)
        .values(password_hash=upgraded)
    )
    unit.append(
        account_stream(user.id),
        PasswordRehashed(before=hash_kind(before), after=hash_kind(upgraded)),
        actor="system",
    )
