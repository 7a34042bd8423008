"""The wake-ups of one node: what it tells the others, and whom it wakes here.

Sending neither waits nor fails: what is told while a message is under way goes with the next one,
once however often it was told. Each node hears its own messages too; one that does not hear them
for a while takes the carrier for dead and begins anew.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import cast

import orjson
import structlog

from homeport.kernel import ids
from homeport.kernel.wakeups.carrier import Carrier, CarrierLost

HEARTBEAT_S = 5.0
SILENCES = 3
"""Heart-beats that may be missed."""
SEND_S = 1.0
BACKOFF_S = 0.1
BACKOFF_MOST_S = 5.0
MOST_WAITING = 10_000
"""What is told beyond that, while nothing can be sent, is left to whoever looks by itself."""
_logger = structlog.get_logger(__name__)


class Wakeups:
    """Tells other nodes where to look, and is told.

    Args:
        carrier: None where there are no other nodes.
        heartbeat: Seconds between two messages at most.
    """

    def __init__(self, carrier: Carrier | None = None, *, heartbeat: float = HEARTBEAT_S) -> None:
        self._carrier = carrier
        self._heartbeat = heartbeat
        self._origin = ids.new_id()
        self._handlers: dict[str, Callable[[str], None]] = {}
        self._waiting: dict[str, None] = {}
        self._due = asyncio.Event()
        self._silence: asyncio.Timeout | None = None
        self._failures = 0
        self._works: bool | None = None

    @property
    def works(self) -> bool:
        """Whether what was sent last came back."""
        return self._works is True

    def on(self, topic: str, heard: Callable[[str], None]) -> None:
        """Calls `heard` with the name in every wake-up of `topic` that another node has sent.

        Whatever it is told may be untrue, old or repeated; it must not block, nor raise.
        """
        self._handlers[topic] = heard

    def send(self, topic: str, name: str = "") -> None:
        """Tells the other nodes; for what is committed already."""
        if self._carrier is not None and len(self._waiting) < MOST_WAITING:
            self._waiting[f"{topic} {name}"] = None
            self._due.set()

    async def run(self) -> None:
        """Carries for ever; sends what is still waiting when it is cancelled."""
        carrier = self._carrier
        if carrier is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen_on(carrier), name="wakeups.listen")
                group.create_task(self._send_on(carrier), name="wakeups.send")
        finally:
            if self._waiting and self.works:
                await self._send_waiting(carrier)

    async def _listen_on(self, carrier: Carrier) -> None:
        while True:
            try:
                async with asyncio.timeout(self._heartbeat * SILENCES) as self._silence:
                    await carrier.listen(self._take)
            except (CarrierLost, TimeoutError) as error:
                self._failed(carrier, error)
            finally:
                self._silence = None
            await self._pause()

    async def _send_on(self, carrier: Carrier) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat):
                    await self._due.wait()
            self._due.clear()
            if not await self._send_waiting(carrier):
                await self._pause()
                self._due.set()  # a heart-beat tells when it works again

    async def _send_waiting(self, carrier: Carrier) -> bool:
        """Sends what there is, or a heart-beat; what cannot be sent is dropped."""
        waiting, self._waiting = self._waiting, {}
        try:
            async with asyncio.timeout(SEND_S):
                for message in _packed(self._origin, waiting, carrier.largest):
                    await carrier.send(message)
        except asyncio.CancelledError:
            self._waiting = waiting | self._waiting  # for the last word of `run`
            raise
        except (CarrierLost, TimeoutError) as error:
            self._failed(carrier, error)
            return False
        return True

    async def _pause(self) -> None:
        most = min(BACKOFF_S * 2 ** min(self._failures, 10), BACKOFF_MOST_S)
        await asyncio.sleep(random.uniform(most / 2, most))  # noqa: S311 - spreads load

    def _take(self, message: bytes) -> None:
        if not message:
            self._bear_with()
            self._due.set()  # listening has begun: what is sent from here on must come back
            return
        origin, *wakeups = _unpacked(message)
        if origin == self._origin:
            self._came_back()
            return
        for wakeup in wakeups:
            topic, _, name = wakeup.partition(" ")
            handler = self._handlers.get(topic)
            if handler is not None:
                handler(name)

    def _bear_with(self) -> None:
        """Gives the carrier time again: only what comes back to us shows that we are heard."""
        if self._silence is not None and not self._silence.expired():
            now = asyncio.get_running_loop().time()
            self._silence.reschedule(now + self._heartbeat * SILENCES)

    def _came_back(self) -> None:
        self._bear_with()
        self._failures = 0
        if self._works is not True:
            _logger.info("wakeups.carried")
        self._works = True

    def _failed(self, carrier: Carrier, error: Exception) -> None:
        self._failures += 1
        if self._works is not False:
            _logger.warning("wakeups.lost", carrier=carrier.name, error=repr(error))
        self._works = False


def _packed(origin: str, wakeups: Iterable[str], largest: int) -> Iterator[bytes]:
    """Messages of at most `largest` bytes; at least one, which may say nothing but who lives."""
    words, size = [origin], len(origin) + 8
    for wakeup in wakeups:
        length = len(orjson.dumps(wakeup)) + 1
        if size + length > largest:
            yield orjson.dumps(words)
            words, size = [origin], len(origin) + 8
        words.append(wakeup)
        size += length
    yield orjson.dumps(words)


def _unpacked(message: bytes) -> list[str]:
    """Whose message it is and its wake-ups; of one that is none of ours, nobody's and none."""
    with suppress(orjson.JSONDecodeError):
        words: object = orjson.loads(message)
        if isinstance(words, list) and words:
            return [word for word in cast("list[object]", words) if isinstance(word, str)] or [""]
    return [""]
