"""The WebSocket of many sessions: subscriptions, and commands beside them.

Each subscription is a reader of its own with its own cursor; what it sends is its session's frames,
each as `{type: "event", session_id, event}`. Commands are carried out one after the other, and no
more of them are read while the client does not take the answers.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from typing import Any

from starlette.websockets import WebSocket

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, Callers
from homeport.identity.errors import CredentialRefused
from homeport.kernel.errors import HomeportError, RateLimited
from homeport.kernel.http.middleware.rates import count_command
from homeport.readers.stream.frame import Frame
from homeport.readers.stream.pulse import End, Line, Pulse, Watch
from homeport.readers.stream.reader import Reader
from homeport.readers.stream.visible import visible
from homeport.readers.stream.websocket.commands import (
    Command,
    Commands,
    Subscribe,
    Unsubscribe,
    ack,
    id_of,
    is_following,
    read_command,
    read_json,
    refusal,
)
from homeport.readers.stream.websocket.delivery import closing, deliver
from homeport.readers.stream.websocket.errors import (
    AlreadySubscribed,
    NotSubscribed,
    TooManySubscriptions,
)
from homeport.readers.stream.websocket.sockets import LAST_WORD_S
from homeport.readers.stream.websocket.tasks import ended, failure_of
from homeport.readers.stream.websocket.wire import Close, Wire
from homeport.sessions.access import stream_of

BRAKE_S = 0.1
"""Before the answer to one command too many: so fast is who goes on all the same."""


class Subscription:
    """One session that the socket follows.

    Attributes:
        cursor: Where the client stands: behind the last frame that was sent.
        held: What is let go of when it ends.
    """

    __slots__ = ("_head", "_wire", "cursor", "held", "line")

    def __init__(self, session_id: str, line: Line, wire: Wire, held: ExitStack) -> None:
        self.line = line
        self.cursor = line.reader.cursor
        self.held = held
        self._wire = wire
        self._head = b'{"type":"event","session_id":"%b","event":' % session_id.encode()

    def start(self) -> asyncio.Task[None]:
        """Begins to send."""
        self.line.sender = asyncio.create_task(deliver(self.line, self._write))
        return self.line.sender

    async def _write(self, frame: Frame) -> None:
        await self._wire.send(self._head + frame.data + b"}")
        self.cursor = frame.cursor


class ManySessions(Watch):
    """An accepted socket.

    Args:
        most: Subscriptions at once.
    """

    __slots__ = (
        "_at_work",
        "_callers",
        "_commands",
        "_fault",
        "_log",
        "_most",
        "_over",
        "_pulse",
        "_subscriptions",
        "_unsupported",
        "_websocket",
        "_wire",
    )

    def __init__(
        self,
        websocket: WebSocket,
        wire: Wire,
        caller: Caller,
        *,
        log: EventLog,
        callers: Callers,
        pulse: Pulse,
        commands: Commands,
        most: int,
    ) -> None:
        super().__init__(caller)
        self._websocket = websocket
        self._wire = wire
        self._log = log
        self._callers = callers
        self._pulse = pulse
        self._commands = commands
        self._most = most
        self._subscriptions: dict[str, Subscription] = {}
        self._over = asyncio.Event()
        self._at_work = False
        self._unsupported = False
        self._fault: BaseException | None = None

    def finish(self, end: End) -> None:
        """Ends the socket; the first reason counts."""
        super().finish(end)
        self._over.set()

    async def serve(self) -> None:
        """Serves the socket until one side ends it."""
        listener = asyncio.create_task(self._listen(), name="socket.listen")
        listener.add_done_callback(self._listener_ended)
        try:
            with self._pulse.watched(self):
                await self._over.wait()
            await self._last_words(listener)
        finally:
            await ended(listener, *self._senders())
            for never_started in self._subscriptions.values():
                never_started.held.close()
        if self._unsupported:
            await self._wire.close(Close.UNSUPPORTED, "socket.text-only")
        elif (how := closing(self.end, self._fault)) is not None:
            await self._wire.close(*how)

    async def _last_words(self, listener: asyncio.Task[None]) -> None:
        """Lets the command that is under way be answered, and each subscription say good-bye."""
        if self.end not in {End.REVOKED, End.DRAINING}:
            return
        waiting = [*self._senders(), *([listener] if self._at_work else [])]
        if waiting:
            await asyncio.wait(waiting, timeout=LAST_WORD_S)

    def _senders(self) -> list[asyncio.Task[None]]:
        senders = (each.line.sender for each in self._subscriptions.values())
        return [sender for sender in senders if sender is not None]

    async def _listen(self) -> None:
        while self.end is None:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                self.finish(End.GONE)
            elif (text := message.get("text")) is None:
                self._unsupported = True
                self.finish(End.GONE)
            else:
                self._at_work = True
                await self._answer(text)
                self._at_work = False

    async def _answer(self, text: str) -> None:
        command_id: str | None = None
        try:
            message = await self._read(text)
            command_id = id_of(message)
            await self._count(opens=is_following(message))
            command = read_command(message)
            answer = ack(command, await self._perform(command))
        except Exception as error:  # noqa: BLE001 - told and logged, as over HTTP
            answer = refusal(error, self._websocket.scope, command_id)
            if isinstance(error, RateLimited):
                await asyncio.sleep(BRAKE_S)
        await self._wire.send(answer)
        for session_id, subscription in self._subscriptions.items():
            if subscription.line.sender is None:  # the answer goes before the first frame
                sender = subscription.start()
                sender.add_done_callback(partial(self._sender_ended, session_id))

    async def _read(self, text: str) -> Any:
        try:
            return read_json(text)
        except HomeportError:
            await self._count(opens=False)
            raise

    async def _count(self, *, opens: bool) -> None:
        await count_command(self._websocket.scope, self.caller.user_id, opens=opens)

    async def _perform(self, command: Command) -> Any:
        if not await self._callers.still_valid(self.caller):
            raise CredentialRefused
        match command:
            case Subscribe():
                return await self._subscribe(command)
            case Unsubscribe():
                return await self._unsubscribe(command)
            case _:
                return await self._commands.perform(self.caller, command)

    async def _subscribe(self, command: Subscribe) -> dict[str, str]:
        session_id = command.session_id
        if session_id in self._subscriptions:
            raise AlreadySubscribed
        if len(self._subscriptions) >= self._most:
            raise TooManySubscriptions(f"One socket follows {self._most} sessions at most.")
        stream, check = stream_of(session_id), visible(self.caller, session_id)
        with ExitStack() as held:
            reader = await Reader.open(self._log, stream, command.after, check=check)
            held.callback(reader.close)
            line = held.enter_context(self._pulse.line(reader, self.caller))
            subscription = Subscription(session_id, line, self._wire, held.pop_all())
        self._subscriptions[session_id] = subscription
        return {"session_id": session_id, "cursor": subscription.cursor}

    async def _unsubscribe(self, command: Unsubscribe) -> dict[str, str]:
        subscription = self._subscriptions.get(command.session_id)
        if subscription is None or subscription.line.sender is None:
            raise NotSubscribed
        subscription.line.finish(End.GONE)
        await asyncio.wait({subscription.line.sender})
        return {"session_id": command.session_id, "cursor": subscription.cursor}

    def _sender_ended(self, session_id: str, sender: asyncio.Task[None]) -> None:
        subscription = self._subscriptions.pop(session_id)
        subscription.held.close()
        failure = failure_of(sender)
        if subscription.line.end is End.BEHIND:
            self.finish(End.BEHIND)
        elif failure is not None and not isinstance(failure, HomeportError):
            self._fault = failure
            self.finish(End.GONE)

    def _listener_ended(self, listener: asyncio.Task[None]) -> None:
        failure = failure_of(listener)
        if failure is not None:
            self._fault = failure
        self.finish(End.GONE)
