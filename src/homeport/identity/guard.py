"""The one counter that every check of a password or a code passes, on every node.

    attempt = await guard.admit(subject=user.id, address=visit.address)
    ...  # look at the secret; a wrong one needs no further call
    await attempt.succeeded(unit.session)

A guess is counted before it is looked at, by one conditional write: guesses sent at once cannot be
more than guesses sent in turn. A name that nobody has is counted and locked like one that exists.
What is locked is guessing: whoever is signed in stays so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, get_args
from weakref import WeakValueDictionary

from sqlalchemy import Select, and_, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog import EventLog, Unit
from homeport.eventlog.catalogue.account import LoginLocked, LoginUnlocked
from homeport.identity.errors import AccountLocked, TooManyGuesses
from homeport.identity.models import Guesses
from homeport.identity.names import folded
from homeport.identity.service.accounts import account_stream
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import now_ms
from homeport.kernel.db.engine import WriteSession
from homeport.kernel.ids import is_id
from homeport.kernel.network import network_of

GuessKind = Literal["password", "code", "pairing"]
KINDS: Final[tuple[GuessKind, ...]] = get_args(GuessKind)
MINUTE_MS: Final = 60_000
FORGOTTEN: Final = timedelta(hours=24)
"""After so long without a guess an account's failures do not count any more."""
_ADDRESS_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """How much guessing there may be.

    Attributes:
        failures: Wrong guesses in a row after which an account is locked.
        lock: For how long.
        delay_from: Wrong guesses in a row from which on each next one has to wait.
        delay: The first wait; each further one is twice as long. Zero is none.
        per_minute: Wrong guesses per account and per address; zero is no such limit.
        forgives: A right guess takes the wrong ones before it back: only who knows the secret of
            the account can make one.
    """

    failures: int = 10
    lock: timedelta = timedelta(minutes=15)
    delay_from: int = 5
    delay: timedelta = timedelta(seconds=1)
    per_minute: int = 10
    forgives: bool = True

    def wait_ms(self, failures: int) -> int:
        """Milliseconds until the next guess, once there were so many wrong ones in a row."""
        if failures >= self.failures:
            return _ms(self.lock)
        if failures < self.delay_from:
            return 0
        return _ms(self.delay) << (failures - self.delay_from)


class Attempt:
    """A guess that was admitted, and counts as wrong until it is known to be right."""

    def __init__(self, log: EventLog, keys: dict[str, int], *, forgives: bool) -> None:
        self._log = log
        self._keys = keys
        self._forgives = forgives

    async def succeeded(self, session: WriteSession | None = None) -> None:
        """Takes the guess back, and where that is the policy all wrong ones before it.

        Args:
            session: The transaction that it belongs to; without one it is its own.

        Raises:
            Unavailable: The database does not take it; the guess counts as wrong.
        """
        if session is not None:
            await self._take_back(session)
            return
        async with self._log.database.write() as own:
            await self._take_back(own)

    async def _take_back(self, session: WriteSession) -> None:
        one_less = case((Guesses.failures > 0, Guesses.failures - 1), else_=0)
        for key, window in self._keys.items():
            same = and_(Guesses.window_ms == window, Guesses.in_window > 0)
            await session.execute(
                update(Guesses)
                .where(Guesses.key == key)
                .values(
                    failures=0 if self._forgives else one_less,
                    not_before_ms=0,
                    in_window=case((same, Guesses.in_window - 1), else_=Guesses.in_window),
                )
            )


class Guard:
    """Counts guesses per subject and per address.

    Args:
        keyring: Digests names that nobody has, so that a password typed in their place is not kept.
        policy: The limits.
        counts: What is guessed: each kind has a count of its own, so that somebody who knows the
            password does not start the count of the codes anew with it.
    """

    def __init__(
        self,
        log: EventLog,
        keyring: KeyRing,
        policy: GuardPolicy | None = None,
        *,
        counts: GuessKind = "password",
    ) -> None:
        self._log = log
        self._keyring = keyring
        self._policy = policy or GuardPolicy()
        self._counts: GuessKind = counts
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def subject(self, user_id: str | None, name: str) -> str:
        """What guesses at `name` are counted under: the account, or a keyed digest of the name."""
        return user_id or self._keyring.mac("typed-names", folded(name)).hex()

    async def admit(self, *, subject: str, address: str | None) -> Attempt:
        """Counts one guess as wrong and lets it be looked at.

        Args:
            subject: An account's id, or what `subject` gave for a name that nobody has.
            address: Where the guess comes from; None is not counted.

        Raises:
            AccountLocked: There were too many wrong ones; `locked_until` says when it ends.
            TooManyGuesses: They came too fast, for the account or for the address.
            Unavailable: The database cannot say; nothing is looked at on a guess.
        """
        keys = [_subject_key(subject, self._counts)]
        if address is not None and self._policy.per_minute:
            keys.append(f"address:{network_of(address)[:_ADDRESS_LENGTH]}")
        line = self._lines.setdefault(subject, asyncio.Lock())
        async with line:  # here and not in the database: a flood must not hold its connections
            counted = await self._count_all(subject, keys, address)
        windows = {key: row.window_ms for key, row in counted.items()}
        return Attempt(self._log, windows, forgives=self._policy.forgives)

    async def _count_all(
        self, subject: str, keys: list[str], address: str | None
    ) -> dict[str, Any]:
        """The rows under `keys` with one guess more in each, or nothing counted at all."""
        async with self._log.database.read() as session:
            await self._refuse(session, keys)  # most of a flood ends here, and writes nothing
        stream = account_stream(subject) if is_id(subject) else "system"
        async with self._log.unit(stream) as unit:
            counted = {key: await self._count(unit.session, key) for key in keys}
            if counted[keys[0]].failures >= self._policy.failures:
                self._tell_locked(unit, stream, subject=subject, address=address)
        return counted

    async def _count(self, session: WriteSession, key: str) -> Any:
        """Counts one guess under `key`, if there may be one.

        Raises:
            AccountLocked, TooManyGuesses: There may not.
        """
        connection = await session.connection()
        build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        now, fresh = now_ms(), now_ms() >= Guesses.window_ms + MINUTE_MS
        values: dict[str, Any] = {
            "window_ms": case((fresh, now), else_=Guesses.window_ms),
            "in_window": case((fresh, 1), else_=Guesses.in_window + 1),
            "touched_ms": now,
        }
        if key.startswith("subject:"):
            values |= self._next_failure()
        may = now >= Guesses.not_before_ms
        if self._policy.per_minute:
            may = and_(may, or_(fresh, Guesses.in_window < self._policy.per_minute))
        first = build(Guesses).values(
            key=key, failures=1, not_before_ms=0, window_ms=now, in_window=1, touched_ms=now
        )
        counted = await session.execute(
            first.on_conflict_do_update(
                index_elements=[Guesses.key], set_=values, where=may
            ).returning(Guesses.failures, Guesses.window_ms)
        )
        row = counted.first()
        if row is None:
            await self._refuse(session, [key])
            raise TooManyGuesses(retry_after=1)  # what stood in the way is gone by now
        return row

    def _next_failure(self) -> dict[str, Any]:
        """One more in a row, and when the next may come; after a lock the count begins anew."""
        policy = self._policy
        waits = [
            (Guesses.failures == count - 1, now_ms() + policy.wait_ms(count))
            for count in range(policy.delay_from, policy.failures + 1)
        ]
        over = Guesses.failures >= policy.failures
        return {
            "failures": case((over, 1), else_=Guesses.failures + 1),
            "not_before_ms": case(*waits, else_=0),
        }

    async def _refuse(self, session: AsyncSession, keys: list[str]) -> None:
        """Lets pass what may be looked at.

        Raises:
            AccountLocked, TooManyGuesses: It may not.
        """
        for row in await session.execute(_state(keys)):
            self._judge(*row)

    def _judge(self, failures: int, not_before: int, window: int, in_window: int, now: int) -> None:
        wait = max(0, not_before - now)
        if wait and failures >= self._policy.failures:
            raise AccountLocked(
                "There were too many wrong ones in a row. Devices that are signed in stay so.",
                retry_after=wait / 1000,
                locked_until=clock.rfc3339(clock.from_milliseconds(not_before)),
            )
        if self._policy.per_minute and in_window >= self._policy.per_minute:
            wait = max(wait, window + MINUTE_MS - now)
        if wait > 0:
            raise TooManyGuesses(retry_after=wait / 1000)

    def _tell_locked(self, unit: Unit, stream: str, *, subject: str, address: str | None) -> None:
        until = clock.utc_now() + self._policy.lock
        unit.append(
            stream,
            LoginLocked(
                until=clock.rfc3339(until),
                failures=self._policy.failures,
                name_digest=None if is_id(subject) else subject[:16],
                address=address,
            ),
            actor="system",
        )


async def unlock(unit: Unit, *, user_id: str, actor: str) -> bool:
    """Forgets the wrong guesses at an account and ends its lock; whether there was any.

    Open the unit for the account's stream.
    """
    removed = await unit.session.execute(
        delete(Guesses)
        .where(
            Guesses.key.in_([_subject_key(user_id, kind) for kind in KINDS]),
            Guesses.failures > 0,
        )
        .returning(Guesses.key)
    )
    if removed.first() is None:
        return False
    unit.append(account_stream(user_id), LoginUnlocked(), actor=actor)
    return True


async def remove_forgotten(session: WriteSession) -> None:
    """Removes the counts that nothing was added to for a day. For a chore."""
    await session.execute(delete(Guesses).where(Guesses.touched_ms < now_ms() - _ms(FORGOTTEN)))


def _subject_key(subject: str, kind: GuessKind) -> str:
    return f"subject:{subject}" if kind == "password" else f"subject:{kind}:{subject}"


def _state(keys: list[str]) -> Select[int, int, int, int, int]:
    """The counts under `keys`, the subject's before the address's: a lock is told first."""
    return (
        select(
            Guesses.failures,
            Guesses.not_before_ms,
            Guesses.window_ms,
            Guesses.in_window,
            now_ms(),
        )
        .where(Guesses.key.in_(keys))
        .order_by(Guesses.key.desc())
    )


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
