"""Keeps the signing keys young: a chore of every node, and what `homeport keys` does at once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from homeport.eventlog import EventLog
from homeport.identity.service.signing_keys import (
    LEAD,
    activate_next,
    new_private_key,
    publish_next,
    remove_retired,
)
from homeport.identity.signing_keys import SigningKeys
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing

LOAD_S: Final = 2.0
"""Seconds between two looks at the table: a withdrawn key is refused within five."""
GRACE: Final = timedelta(minutes=5)
"""What a retiring key verifies beyond the life of its last token: for clocks and slow nodes."""


class KeyRotation:
    """The chore.

    Args:
        age: A key signs for so long.
        access_lifetime: Of the tokens that it signs.
    """

    def __init__(
        self,
        log: EventLog,
        keys: SigningKeys,
        keyring: KeyRing,
        *,
        age: timedelta,
        access_lifetime: timedelta,
    ) -> None:
        self._log = log
        self._keys = keys
        self._keyring = keyring
        self._age = age
        self._verifies_for = access_lifetime + GRACE

    async def tend(self) -> None:
        """One round, every `LOAD_S` seconds: loads the keys and takes the step that is due.

        Safe on many nodes: each step is a conditional write under one lock.

        Raises:
            SealForeign: The active key was sealed under another secret.
            Unavailable: The database does not answer; the next round tries again.
        """
        await self._keys.load()
        now = clock.utc_now()
        moved = False
        for step, due in ((self._activate, self._next_is_due), (self._remove, self._one_is_over)):
            if due(now):
                await step()
                moved = True
        signs_from = self._too_old(now)
        if signs_from is not None:
            await self._publish(signs_from)
            moved = True
        if moved:
            await self._keys.load()

    def _next_is_due(self, now: datetime) -> bool:
        return any(
            row.state == "next" and (row.activated_at is None or row.activated_at <= now)
            for row in self._keys.rows
        )

    def _one_is_over(self, now: datetime) -> bool:
        return any(
            row.state == "retiring" and row.retires_at is not None and row.retires_at <= now
            for row in self._keys.rows
        )

    def _too_old(self, now: datetime) -> datetime | None:
        """From when another key should sign, None when nobody needs to know one yet."""
        states = {row.state: row for row in self._keys.rows}
        if "next" in states:
            return None
        active = states["active"]
        ends = (active.activated_at or active.created_at) + self._age
        return max(ends, now + LEAD) if ends - LEAD <= now else None

    async def _activate(self) -> None:
        async with self._log.unit("system") as unit:
            await activate_next(unit, verifies_for=self._verifies_for)

    async def _remove(self) -> None:
        async with self._log.unit("system") as unit:
            await remove_retired(unit)

    async def _publish(self, signs_from: datetime) -> None:
        private = await asyncio.to_thread(new_private_key)
        async with self._log.unit("system") as unit:
            await publish_next(unit, self._keyring, private, signs_from=signs_from)
