"""Password hashes: Argon2id, or bcrypt by the operator's word; never computed on the event loop.

Memory and time follow OWASP's floor (19 MiB, 2 passes). Two threads hash; beyond a short queue a
sign-in is told to come again, so that a flood of guesses cannot starve the server.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from homeport.identity.errors import PasswordsBusy, PasswordUnchanged, WeakPassword
from homeport.identity.password_policy import MAX_LENGTH, check_strength

THREADS: Final = 2
QUEUE: Final = 64
NICENESS: Final = 5
BCRYPT_MAX_BYTES: Final = 72
_ABSENT: Final = "a password that nobody has"

HasherName = Literal["argon2id", "bcrypt"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password fits; `upgraded` is its better hash when the stored one is dated."""

    valid: bool
    upgraded: str | None = None


class Passwords:
    """Checks and hashes passwords in a bounded pool.

    Args:
        hasher: What makes new hashes; both kinds are verified.
        min_length: Characters that a new password needs at least.
        server_names: Words that a password here must not be made of, beside the account's own.
    """

    def __init__(
        self,
        *,
        hasher: HasherName = "argon2id",
        min_length: int = 8,
        server_names: tuple[str, ...] = (),
    ) -> None:
        self._argon2 = Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._bcrypt = BcryptHasher(rounds=12)
        self._preferred: HasherName = hasher
        self._min_length = min_length
        self._server_names = ("homeport", *server_names)
        self._pool = ThreadPoolExecutor(
            THREADS, thread_name_prefix="passwords", initializer=_step_back
        )
        self._waiting = 0
        self._absent_hash: str | None = None

    async def hash_new(self, password: str, *, context: tuple[str, ...]) -> str:
        """The hash of a password that somebody wants to have from now on.

        Args:
            password: What they typed; nothing is trimmed.
            context: Words about the account that the password must not be made of.

        Raises:
            WeakPassword: The password is refused, with what would help.
            PasswordsBusy: The queue is full.
        """
        normal = _normal(password)
        words = (*self._server_names, *context)
        return await self._run(lambda: self._checked_hash(normal, words))

    async def hash_changed(self, password: str, *, current: str, context: tuple[str, ...]) -> str:
        """As `hash_new`, for somebody whose `current` password was verified.

        Raises:
            PasswordUnchanged: It is the current one.
        """
        if _normal(password) == _normal(current):
            raise PasswordUnchanged(param="new_password")
        return await self.hash_new(password, context=context)

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """Whether `password` is the one behind `stored`; takes as long when there is no `stored`.

        Raises:
            PasswordsBusy: The queue is full.
        """
        if len(password) > MAX_LENGTH * 4:
            return Verdict(valid=False)  # no account has such a one, known or unknown
        normal = _normal(password)
        return await self._run(lambda: self._verdict(normal, stored))

    def refuse_when_busy(self) -> None:
        """Passes while there is room: asked before a guess is counted that could not be looked at.

        Raises:
            PasswordsBusy: The queue is full.
        """
        if self._waiting >= QUEUE:
            raise PasswordsBusy("Too many passwords wait to be checked.", retry_after=2)

    async def prepare(self) -> None:
        """Hashes what unknown accounts are compared with, so that the first one is not told."""
        await self._run(self._absent)

    def close(self) -> None:
        """Ends the threads; what waits is not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        self.refuse_when_busy()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def _checked_hash(self, password: str, words: tuple[str, ...]) -> str:
        check_strength(password, min_length=self._min_length, words=words)
        if self._preferred == "bcrypt" and len(password.encode()) > BCRYPT_MAX_BYTES:
            raise WeakPassword(
                f"This server keeps passwords with bcrypt, which reads {BCRYPT_MAX_BYTES} bytes; "
                f"this one has {len(password.encode())}. Choose a shorter one.",
                param="password",
            )
        return self._hash(password)

    def _hash(self, password: str) -> str:
        hasher = self._bcrypt if self._preferred == "bcrypt" else self._argon2
        return hasher.hash(password)

    def _absent(self) -> str:
        if self._absent_hash is None:
            self._absent_hash = self._hash(_ABSENT)
        return self._absent_hash

    def _verdict(self, password: str, stored: str | None) -> Verdict:
        if stored is None:
            self._matches(password, self._absent())
            return Verdict(valid=False)
        if not self._matches(password, stored):
            return Verdict(valid=False)
        return Verdict(valid=True, upgraded=self._upgraded(password, stored))

    def _matches(self, password: str, stored: str) -> bool:
        if Argon2Hasher.identify(stored):
            return self._argon2.verify(password, stored)
        if not BcryptHasher.identify(stored):
            return False
        encoded = password.encode()
        # bcrypt reads 72 bytes: a longer password with the right beginning must not pass. The work
        # is done all the same, on what it can read, and the answer thrown away.
        return self._bcrypt.verify(encoded[:BCRYPT_MAX_BYTES], stored) and (
            len(encoded) <= BCRYPT_MAX_BYTES
        )

    def _upgraded(self, password: str, stored: str) -> str | None:
        """A hash to replace `stored`, when that is of another kind or cost than new ones."""
        if self._preferred == "bcrypt":
            # Argon2id is never replaced by bcrypt, which might not even read all of the password.
            dated = BcryptHasher.identify(stored) and self._bcrypt.check_needs_rehash(stored)
        else:
            dated = not Argon2Hasher.identify(stored) or self._argon2.check_needs_rehash(stored)
        return self._hash(password) if dated else None


def hash_kind(stored: str) -> str:
    """The name of the function that made `stored`, for the log."""
    if Argon2Hasher.identify(stored):
        return "argon2id"
    return "bcrypt" if BcryptHasher.identify(stored) else "unknown"


def _step_back() -> None:
    """Lets the event loop go first where the two want one processor; Linux knows it per thread."""
    if sys.platform == "linux":
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + NICENESS)


def _normal(password: str) -> str:
    """NFC (RFC 8265 section 4.2): the same keys on another keyboard give the same password."""
    return unicodedata.normalize("NFC", password)
