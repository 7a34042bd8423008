"""Who was refused what: an event on the account, and never a flood of them.

A refusal is counted while it is answered, and written by a chore outside its transaction. Whoever
is refused, the owner or somebody with a stolen credential, can write little with it: one event a
minute for the same refusal, and so many a minute for an account.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope

from homeport.eventlog import EventLog
from homeport.eventlog.catalogue.access import AccessDenied
from homeport.identity.access_tokens import AccessTokens
from homeport.identity.errors import (
    InvitationRequired,
    NotFromHere,
    RegistrationClosed,
    SignInRefused,
)
from homeport.identity.factors.errors import CodeRefused, SecondFactorRequired
from homeport.identity.models import User
from homeport.identity.service.erase import IS_ERASED
from homeport.identity.shown import Shown, owners_of, shown_in
from homeport.identity.whose import WHOSE, Owner
from homeport.kernel import clock
from homeport.kernel.errors import HomeportError, PaymentRequired, Unauthenticated
from homeport.kernel.http.refusals import Refusals
from homeport.kernel.network import network_of
from homeport.kernel.outbound.errors import OutboundBlocked

WRITE_S: Final = 1.0
APART_S: Final = 60.0
MOST: Final = 10_000
MOST_EACH: Final = 20
"""Different refusals of an account in `APART_S` that get an event each; one counts all others."""
LONGEST_ADDRESS: Final = 64
CLOSING_S: Final = 5.0
"""That the end of the process waits for what is not written yet."""

ELSEWHERE: Final[Mapping[type[HomeportError], str]] = {
    Unauthenticated: "nothing was shown, so it is nobody's",
    SignInRefused: "login.failed tells it",
    SecondFactorRequired: "login.challenged tells it",
    CodeRefused: "second_factor.refused tells it",
    RegistrationClosed: "whoever registers has no account",
    InvitationRequired: "whoever registers has no account",
    NotFromHere: "the page is refused before its link is looked at",
    PaymentRequired: "a budget that is used up is no refusal",
    OutboundBlocked: "what the agent may not call stands in its session",
}
"""Kinds of refusal that are no event here, each with its reason; every other one is."""

_logger = structlog.get_logger(__name__)


class _What(NamedTuple):
    route: str
    code: str
    needs: str | None = None
    address: str | None = None


_REST: Final = _What(route="*", code="*")


class _Denial(NamedTuple):
    owner: Owner
    what: _What


_T = TypeVar("_T", bound=tuple[object, _What])


class Denials(Refusals):
    """The refusals of this process that are not written yet.

    Args:
        tokens: Tell whose an access token is, also one that has expired.
    """

    def __init__(self, log: EventLog, tokens: AccessTokens) -> None:
        self._log = log
        self._tokens = tokens
        self._shown: Counter[tuple[Shown, _What]] = Counter()  # whose they are is not known yet
        self._counts: Counter[_Denial] = Counter()
        self._written: dict[_Denial, float] = {}

    def note(self, error: HomeportError, scope: Scope) -> None:
        """See `Refusals.note`."""
        if type(error) in ELSEWHERE:
            return
        # The route's pattern: a path is as long and as manifold as its sender likes.
        pattern = getattr(scope.get("route"), "path", "")
        needs = error.members.get("needs")
        what = _What(
            route=f"{scope.get('method', 'WS')} {pattern}".rstrip(),
            code=error.code,
            needs=str(needs) if needs else None,
            address=_address(scope),
        )
        owner: Owner | None = scope.get(WHOSE)
        if owner is not None:
            _count(self._counts, _Denial(owner, what))
            return
        for shown in shown_in(scope, self._tokens):
            _count(self._shown, (shown, what))

    async def write(self) -> None:
        """Appends what is due; a chore.

        Raises:
            Unavailable: The database does not take it; the next round tries again.
        """
        await self._find_owners()
        now = clock.monotonic()
        self._written = {each: at for each, at in self._written.items() if now - at < APART_S}
        events = Counter(each.owner.user_id for each in self._written)
        for denial in self._due():
            user_id = denial.owner.user_id
            if events[user_id] < MOST_EACH:
                await self._append(denial, now)
                events[user_id] += 1
            else:
                count = self._counts.pop(denial)
                self._counts[_Denial(Owner(user_id), _REST)] += count
        for denial in self._due():
            if denial.what == _REST:
                await self._append(denial, now)

    async def close(self) -> None:
        """Appends all that is left, for it is in no other place; call it after the last answer."""
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._find_owners()
                for denial in list(self._counts):
                    await self._append(denial, clock.monotonic())
        except (HomeportError, SQLAlchemyError, OSError) as error:  # TimeoutError is an OSError
            lost = self._counts.total() + self._shown.total()
            _logger.warning("denials.lost", count=lost, error=repr(error))

    async def _find_owners(self) -> None:
        """Finds whose the credentials are that were shown; what is nobody's is no event."""
        asked = list(self._shown)
        if not asked:
            return
        async with self._log.database.read() as session:
            owners = await owners_of(session, {shown for shown, _ in asked})
        for shown, what in asked:
            count, owner = self._shown.pop((shown, what)), owners.get(shown)
            if owner is not None:
                self._counts[_Denial(owner, what)] += count

    def _due(self) -> list[_Denial]:
        return [each for each in self._counts if each not in self._written]

    async def _append(self, denial: _Denial, now: float) -> None:
        owner, what, count = denial.owner, denial.what, self._counts[denial]
        stream = f"account:{owner.user_id}"
        fact = AccessDenied(
            route=what.route,
            code=what.code,
            needs=what.needs,
            device_id=owner.device_id,
            api_key_id=owner.api_key_id,
            address=what.address,
            count=count,
        )
        actor = f"user:{owner.user_id}" if owner.proven else "system"
        erased = select(User.id).where(User.id == owner.user_id, IS_ERASED)
        async with self._log.unit(stream) as unit:
            if await unit.session.scalar(erased) is None:  # else nothing of it may be left
                unit.append(stream, fact, actor=actor)
        self._written[denial] = now
        self._counts[denial] -= count
        if not self._counts[denial]:
            del self._counts[denial]


def _count(counts: Counter[_T], denial: _T) -> None:
    if denial in counts or len(counts) < MOST:
        counts[denial] += 1
    else:
        _logger.warning("denials.too-many", code=denial[1].code)


def _address(scope: Scope) -> str | None:
    client = scope.get("client")
    address = network_of(client[0]) if client else ""
    return address if address.isprintable() and 0 < len(address) <= LONGEST_ADDRESS else None
